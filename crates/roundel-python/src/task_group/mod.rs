//! `TaskGroup`: tasks that end together.
//!
//! The block is left when all are done. One that fails has the others cancelled, and the task in the block too;
//! `exit` tells what comes of it.

mod exit;
mod members;

use std::cell::Cell;

use crate::callback::{Action, Callback};
use crate::current;
use crate::future::Future;
use crate::future_ref::{FutureRef, cancel};
use crate::hot::{
    Args, Class, Deque, HotType, IntoObject, Module, Obj, Object, Raised, Result, Signature, Slot,
    Str, TypeCell, Visit, close, copy_context, exceptions, is_instance_of, none,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, attempt, nothing_to_pass_on};

use exit::Exit;
use members::Members;

/// A group of tasks (`asyncio.TaskGroup`).
#[derive(Default)]
pub(crate) struct TaskGroup {
    event_loop: Slot,
    /// The task in the block, until the block is left.
    parent: Slot,
    /// The tasks that are not done.
    tasks: Members,
    /// What tasks have failed with.
    errors: Deque<Object>,
    /// The first `KeyboardInterrupt` or `SystemExit`, which comes out alone.
    base_error: Slot,
    /// What the end of the block waits for.
    completed: Slot<Future>,
    /// What hears of the end of each task, until the block is left.
    done: Slot<Callback>,
    /// The context of the callbacks. They run nobody's code, so one is enough.
    context: Slot,
    entered: Cell<bool>,
    exiting: Cell<bool>,
    /// All tasks have been cancelled.
    aborting: Cell<bool>,
    /// The group has cancelled the task in the block.
    parent_cancelled: Cell<bool>,
    cancel_on_enter: Cell<bool>,
}

static ENTER: Operation = Operation::new(
    "TaskGroup.__aenter__",
    |waiter, _| {
        let group = waiter.owner::<TaskGroup>();
        attempt!(TaskGroup::enter(group));
        Poll::Ready(group.as_any().clone())
    },
    nothing_to_pass_on,
);

static TASK_DONE: Action = Action {
    name: "TaskGroup._on_task_done",
    run: |callback, task| match (callback.owner::<TaskGroup>(), task) {
        (Some(group), Some(task)) => group.task_done(task),
        _ => Ok(()),
    },
};

/// Life.
impl TaskGroup {
    fn enter(this: &Obj<Self>) -> Result<()> {
        if this.entered.get() {
            return Err(Self::refused(this, "has already been entered"));
        }
        let event_loop = LoopRef::running()?;
        let Some(parent) = current::task(&event_loop)? else {
            return Err(Self::refused(this, "cannot determine the parent task"));
        };
        this.event_loop.set(Some(event_loop.object().clone()));
        this.parent.set(Some(parent));
        this.done.set(Some(Callback::on(&TASK_DONE, this)));
        this.context.set(Some(copy_context()?));
        this.entered.set(true);
        if this.cancel_on_enter.get() {
            this.cancel()?;
        }
        Ok(())
    }

    #[cold]
    fn refused(this: &Obj<Self>, why: &str) -> Raised {
        match Str::repr(this.as_any()) {
            Ok(repr) => Raised::new(
                &exceptions::runtime_error(),
                format!("TaskGroup {repr} {why}"),
            ),
            Err(raised) => raised,
        }
    }

    /// Why no task can be added, if so.
    fn closed(&self) -> Option<&'static str> {
        if !self.entered.get() {
            Some("has not been entered")
        } else if self.exiting.get() && self.is_empty() {
            Some("is finished")
        } else if self.aborting.get() {
            Some("is shutting down")
        } else {
            None
        }
    }

    fn create_task(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<1> =
            Signature::method("TaskGroup.create_task", [c"coro"]).open();
        let [coroutine] = SIGNATURE.bind(args)?;
        if let Some(why) = this.closed() {
            // Up to 3.12 it is left to the caller.
            if let Some(coroutine) = coroutine.filter(|_| cfg!(Py_3_13)) {
                close(coroutine)?;
            }
            return Err(Self::refused(this, why));
        }
        let task = this.event_loop()?.create_task(args)?;
        this.add(this, &task)?;
        Ok(task)
    }

    fn event_loop(&self) -> Result<LoopRef> {
        match self.event_loop.get() {
            Some(event_loop) => Ok(LoopRef::of(&event_loop)),
            None => LoopRef::running(),
        }
    }

    /// Waits for `task` too. Hears of its end by the loop even if it is done: were its failure to cancel the
    /// task in the block at once, that would be in the midst of a step of it.
    fn add(&self, this: &Obj<Self>, task: &Object) -> Result<()> {
        self.tasks.add(task)?;
        let context = self.context.get().unwrap_or_else(none);
        let done = self
            .done
            .get()
            .unwrap_or_else(|| Callback::on(&TASK_DONE, this));
        FutureRef::of(task).call_when_done(&done, &context)?;
        // Its eager first step may have cancelled the group.
        if self.aborting.get() && !FutureRef::of(task).is_done()? {
            cancel(task, None)?;
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Cancels all tasks.
    fn abort(&self) -> Result<()> {
        self.aborting.set(true);
        for task in self.tasks.to_vec()? {
            if !FutureRef::of(&task).is_done()? {
                cancel(&task, None)?;
            }
        }
        Ok(())
    }

    /// Cancels all tasks and the block, which ends as if nothing had happened.
    fn cancel(&self) -> Result<()> {
        if !self.entered.get() {
            self.cancel_on_enter.set(true);
            return Ok(());
        }
        if (self.exiting.get() && self.is_empty()) || self.aborting.get() {
            return Ok(());
        }
        self.abort()?;
        self.cancel_parent()
    }

    /// Cancels the task in the block, which knows by the mark that it was the group.
    fn cancel_parent(&self) -> Result<()> {
        if let Some(parent) = self.parent.get()
            && !self.parent_cancelled.replace(true)
        {
            cancel(&parent, None)?;
        }
        Ok(())
    }
}

/// Tasks that end.
impl TaskGroup {
    fn task_done(&self, task: &Object) -> Result<()> {
        self.tasks.remove(task)?;
        if let Some(completed) = self.completed.get()
            && self.is_empty()
            && !completed.is_done()
        {
            Future::set_result(&completed, none())?;
        }
        let future = FutureRef::of(task);
        if future.is_cancelled()? {
            return Ok(());
        }
        match future.exception()? {
            Some(exception) => self.task_failed(task, &exception),
            None => Ok(()),
        }
    }

    #[cold]
    fn task_failed(&self, task: &Object, exception: &Object) -> Result<()> {
        self.errors.push_back(exception.clone());
        if is_base_error(exception) && !self.base_error.is_set() {
            self.base_error.set(Some(exception.clone()));
        }
        let parent = self.parent.get();
        let parent_waits = match &parent {
            Some(parent) => !FutureRef::of(parent).is_done()?,
            None => false,
        };
        if !parent_waits {
            return self.report_late(task, &parent.unwrap_or_else(none), exception);
        }
        if !self.aborting.get() && !self.parent_cancelled.get() {
            self.abort()?;
            self.cancel_parent()?;
        }
        Ok(())
    }

    /// Tells the loop of a failure that nobody is left to hear of.
    fn report_late(&self, task: &Object, parent: &Object, exception: &Object) -> Result<()> {
        let message = format!(
            "Task {} has errored out but its parent task {} is already completed",
            Str::repr(task)?,
            Str::of(parent)?
        );
        let context = Object::new_dict()?;
        context.dict_set(&"message".into_object()?, &message.into_object()?)?;
        context.dict_set(&"exception".into_object()?, exception)?;
        context.dict_set(&"task".into_object()?, task)?;
        self.event_loop()?.call_exception_handler(&context)
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let mut parts = vec![String::from("<TaskGroup")];
        let tasks = this.tasks.len();
        if tasks > 0 {
            parts.push(format!("tasks={tasks}"));
        }
        if !this.errors.is_empty() {
            parts.push(format!("errors={}", this.errors.len()));
        }
        if this.aborting.get() {
            parts.push(String::from("cancelling"));
        } else if this.entered.get() {
            parts.push(String::from("entered"));
        }
        format!("{}>", parts.join(" ")).into_object()
    }

    /// The tasks as asyncio has them: a set.
    fn task_set(this: &Obj<Self>) -> Result<Object> {
        let set = Object::new_set()?;
        for task in this.tasks.to_vec()? {
            set.set_add(&task)?;
        }
        Ok(set)
    }
}

/// Whether an exception ends the program rather than the group.
fn is_base_error(exception: &Object) -> bool {
    is_instance_of(exception, &exceptions::system_exit())
        || is_instance_of(exception, &exceptions::keyboard_interrupt())
}

/// Adds `TaskGroup` to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module
        .class::<TaskGroup>()?
        .hidden_class::<crate::coroutine::Coroutine<Exit>>()?;
    Ok(())
}

impl HotType for TaskGroup {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.TaskGroup";
    const FREELIST: usize = 64;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"TaskGroup()\n--\n\nAn async with block that ends when all its tasks have ended (asyncio.TaskGroup).\n\nA task that fails has the others and the block cancelled; what failed comes out as an ExceptionGroup.")
            .poses_as(|| names().task_group.clone())
            .init(|_: &Obj<Self>, args: &Args<'_>| {
                static SIGNATURE: Signature<0> = Signature::method("TaskGroup.__init__", []);
                SIGNATURE.bind(args).map(drop)
            })
            .method(
                c"create_task",
                c"create_task($self, /, coro, *, name=None, context=None, **kwargs)\n--\n\nAdd a task to the group and return it.\n\nRaises:\n    RuntimeError: the group has not been entered, is finished or is shutting down.",
                Self::create_task,
            )
            .method0(
                c"cancel",
                c"cancel($self, /)\n--\n\nCancel all tasks of the group and its block, which ends without an exception.\n\nA group that is cancelled before it is entered is cancelled when it is.",
                |this: &Obj<Self>| this.cancel(),
            )
            .method0(
                c"__aenter__",
                c"__aenter__($self, /)\n--\n\nBegin the block.",
                |this: &Obj<Self>| Waiter::on(&ENTER, this),
            )
            .method(
                c"__aexit__",
                c"__aexit__($self, /, et, exc, tb)\n--\n\nWait until all tasks are done.\n\nRaises:\n    BaseExceptionGroup: tasks have failed.",
                Exit::of,
            )
            .getter(c"_tasks", Self::task_set)
            .getter(c"_parent_task", |this: &Obj<Self>| this.parent.get())
            .repr(Self::repr);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.event_loop);
        visit.slot(&self.parent);
        self.tasks.traverse(visit);
        self.errors
            .traverse(visit, |error, visit| visit.object(error));
        visit.slot(&self.base_error);
        visit.slot(&self.completed);
        visit.slot(&self.done);
        visit.slot(&self.context);
    }

    fn clear(&self) {
        self.parent.set(None);
        self.tasks.clear();
        drop(self.errors.take());
        self.base_error.set(None);
        self.completed.set(None);
        self.done.set(None);
    }
}
