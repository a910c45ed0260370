//! The end of a group's block: waiting for its tasks, and what comes out.

use std::cell::Cell;

use super::{TaskGroup, is_base_error};
use crate::coroutine::{Coroutine, Script, Step};
use crate::future_ref::{cancel, cancelling, uncancel};
use crate::hot::{
    Args, IntoObject, Obj, Object, Raised, Result, Signature, Slot, TypeCell, Visit, boolean,
    exceptions, is_instance_of,
};
use crate::names::names;

/// `TaskGroup.__aexit__`.
pub(crate) struct Exit {
    group: Slot<TaskGroup>,
    /// What leaves the block: an exception, or a type of one.
    exception: Slot,
    /// The cancellation that is to come out, if the group itself is not its cause.
    propagated: Slot,
    /// The last cancellation that came while it waited.
    pending: Slot,
    waiting: Cell<bool>,
}

impl Exit {
    pub(super) fn of(group: &Obj<TaskGroup>, args: &Args<'_>) -> Result<Obj<Coroutine<Self>>> {
        static SIGNATURE: Signature<3> =
            Signature::method("TaskGroup.__aexit__", [c"et", c"exc", c"tb"]);
        let [kind, exception, _] = SIGNATURE.bind(args)?;
        let exception = exception.and_then(Object::not_none);
        Ok(Coroutine::create(Self {
            group: Slot::new(Some(group.clone())),
            exception: Slot::new(exception.or(kind.and_then(Object::not_none)).cloned()),
            propagated: Slot::empty(),
            pending: Slot::empty(),
            waiting: Cell::new(false),
        }))
    }

    fn go_on(&self, group: &TaskGroup, came: Result<Object>) -> Result<Step> {
        if self.waiting.replace(true) {
            group.completed.set(None);
            if let Err(raised) = came {
                self.interrupted(group, raised)?;
            }
        } else {
            self.begin(group)?;
        }
        if group.is_empty() {
            return self.outcome(group);
        }
        let completed = group.event_loop()?.new_future()?;
        group.completed.set(Some(completed.clone()));
        Ok(Step::Await(completed.into_any()))
    }

    fn begin(&self, group: &TaskGroup) -> Result<()> {
        group.exiting.set(true);
        let Some(exception) = self.exception.get() else {
            return Ok(());
        };
        if is_base_error(&exception) && !group.base_error.is_set() {
            group.base_error.set(Some(exception.clone()));
        }
        if is_instance_of(&exception, &names().cancelled_error) {
            self.propagated.set(Some(exception));
        }
        if group.aborting.get() {
            return Ok(());
        }
        group.abort()
    }

    /// Something was thrown in while it waited: a cancellation, which it remembers and goes on, or the end.
    fn interrupted(&self, group: &TaskGroup, raised: Raised) -> Result<()> {
        if !raised.matches(&names().cancelled_error) {
            return Err(raised);
        }
        let cancellation = raised.fetch();
        self.pending.set(Some(cancellation.clone()));
        if group.aborting.get() {
            return Ok(());
        }
        self.propagated.set(Some(cancellation));
        group.abort()
    }

    /// All tasks are done: what comes out of the block.
    fn outcome(&self, group: &TaskGroup) -> Result<Step> {
        if let Some(error) = group.base_error.take() {
            return Err(Raised::throw(&error));
        }
        self.take_cancellation_back(group)?;
        if let Some(cancellation) = self.propagated.take()
            && group.errors.is_empty()
        {
            return Err(Raised::throw(&cancellation));
        }
        if let Some(exception) = self.exception.get()
            && !is_instance_of(&exception, &names().cancelled_error)
        {
            group.errors.push_back(exception);
        }
        if group.errors.is_empty() {
            // The group's own cancellation ends here.
            return Ok(Step::Return(boolean(true)));
        }
        Err(self.failure(group)?)
    }

    /// Takes back that the group has cancelled the task in the block, and finds out whether somebody else has, too.
    fn take_cancellation_back(&self, group: &TaskGroup) -> Result<()> {
        let Some(parent) = group.parent.get().filter(|_| group.parent_cancelled.get()) else {
            return Ok(());
        };
        if uncancel(&parent)? == 0 {
            self.propagated.set(None);
        } else if !self.propagated.is_set() {
            self.propagated.set(self.pending.take());
        }
        Ok(())
    }

    /// Raises all that has failed.
    #[cold]
    fn failure(&self, group: &TaskGroup) -> Result<Raised> {
        if let Some(parent) = group.parent.get()
            && cancelling(&parent)? > 0
        {
            // Has the cancellation thrown in again at the next await, and keeps the count.
            uncancel(&parent)?;
            cancel(&parent, None)?;
        }
        let errors: Vec<Object> = group.errors.take().into();
        if let (Some(exit), 1) = (self.exception.get(), errors.len())
            && is_instance_of(&exit, &exceptions::generator_exit())
        {
            // So that an async generator with a group in it can be closed.
            return Ok(Raised::throw(&exit));
        }
        let text = "unhandled errors in a TaskGroup".into_object()?;
        let error = names()
            .base_exception_group
            .call([&text, &errors.into_object()?])?;
        error.suppress_context();
        Ok(Raised::throw(&error))
    }
}

impl Script for Exit {
    const NAME: &'static str = "TaskGroup.__aexit__";
    const TYPE_NAME: &'static std::ffi::CStr = c"roundel.coroutine";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn resume(this: &Obj<Coroutine<Self>>, came: Result<Object>) -> Result<Step> {
        let exit = &this.script;
        let Some(group) = exit.group.get() else {
            return came.map(Step::Return);
        };
        let step = exit.go_on(&group, came);
        if !matches!(step, Ok(Step::Await(_))) {
            group.forget();
        }
        step
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.group);
        visit.slot(&self.exception);
        visit.slot(&self.propagated);
        visit.slot(&self.pending);
    }

    fn clear(&self) {
        self.group.set(None);
        self.exception.set(None);
        self.propagated.set(None);
        self.pending.set(None);
    }
}

impl TaskGroup {
    /// Drops what could keep tasks and exceptions alive once the block is left.
    fn forget(&self) {
        self.parent.set(None);
        self.done.set(None);
        drop(self.errors.take());
        self.base_error.set(None);
    }
}
