//! `gather`: the results of all, in order.

use std::cell::Cell;

use super::ensure_future;
use crate::callback::{Action, Callback};
use crate::event_loop::EventLoop;
use crate::future::{Future, cancel_args, cancelled_error, loop_or_current};
use crate::future_ref::{self, FutureRef};
use crate::hot::{
    Args, Chain, Class, Deque, HotType, IntoObject, Module, Obj, Object, Result, Signature,
    TypeCell, Visit, boolean, copy_context, recurse,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::task::Task;

/// The future of `gather`: cancelling it cancels the children.
#[derive(Default)]
pub(crate) struct GatheringFuture {
    /// The future of each argument; one that is there twice is in it twice.
    children: Deque<Object>,
    /// How many different children there are; 0 while it is being made.
    count: Cell<usize>,
    /// How many of them are done.
    finished: Cell<usize>,
    return_exceptions: Cell<bool>,
    /// It was cancelled, and so were children.
    cancel_requested: Cell<bool>,
}

static CHILD_DONE: Action = Action {
    name: "gather.<locals>._done_callback",
    run: |callback, child| match (callback.owner::<GatheringFuture>(), child) {
        (Some(outer), Some(child)) => GatheringFuture::child_done(&outer, child),
        _ => Ok(()),
    },
};

fn gather(args: &Args<'_>) -> Result<Object> {
    static SIGNATURE: Signature<1> = Signature::function("gather", [c"return_exceptions"])
        .required(0)
        .positional(0)
        .variadic();
    let [return_exceptions] = SIGNATURE.bind(args)?;
    if args.positional.is_empty() {
        return nothing_to_gather();
    }
    let outer = Obj::create_chain(Chain::<GatheringFuture>::default());
    outer
        .return_exceptions
        .set(return_exceptions.map_or(Ok(false), Object::truth)?);
    GatheringFuture::adopt_all(&outer, args.positional)?;
    Ok(outer.into_any())
}

/// A future that is done.
fn nothing_to_gather() -> Result<Object> {
    let outer = loop_or_current(None)?.create_future()?;
    let results = Vec::new().into_object()?;
    outer.call_method(&names().set_result, [&results])?;
    Ok(outer)
}

/// Making it.
impl GatheringFuture {
    fn adopt_all(this: &Obj<Self>, awaitables: &[Object]) -> Result<()> {
        let by_argument = Object::new_dict()?;
        let callback = Callback::on(&CHILD_DONE, this);
        let context = copy_context()?;
        let mut event_loop = Self::loop_to_start_with()?;
        let mut done = Vec::new();
        for argument in awaitables {
            if let Some(child) = by_argument.dict_get(argument)? {
                this.children.push_back(child);
                continue;
            }
            let child = ensure_future(argument, event_loop.as_ref())?;
            let future = FutureRef::of(&child);
            if event_loop.is_none() {
                event_loop = Some(LoopRef::of(&future.event_loop()?));
            }
            if !child.is(argument) {
                may_be_destroyed(&child)?;
            }
            by_argument.dict_set(argument, &child)?;
            if future.is_done()? {
                done.push(child.clone());
            } else {
                future.call_when_done(&callback, &context)?;
            }
            this.children.push_back(child);
        }
        if let Some(event_loop) = event_loop {
            this.base().attach(&event_loop)?;
        }
        this.count.set(by_argument.dict_len());
        done.iter()
            .try_for_each(|child| Self::child_done(this, child))
    }

    /// The loop that all children have to belong to, if it is not that of the first.
    fn loop_to_start_with() -> Result<Option<LoopRef>> {
        if !cfg!(Py_3_14) {
            return Ok(None);
        }
        if let Some(running) = EventLoop::running() {
            return Ok(Some(LoopRef::of(running.as_any())));
        }
        let running = names().events.call_method(&names()._get_running_loop, [])?;
        Ok(running.not_none().map(LoopRef::of))
    }

    /// A child has ended.
    fn child_done(this: &Obj<Self>, child: &Object) -> Result<()> {
        this.finished.set(this.finished.get() + 1);
        let future = FutureRef::of(child);
        if this.count.get() == 0 || this.base().is_done() {
            // Nobody wants to know any more: marks the exception as seen.
            if !future.is_cancelled()? {
                future.exception()?;
            }
            return Ok(());
        }
        if !this.return_exceptions.get() {
            let failure = if future.is_cancelled()? {
                Some(future.cancelled_error()?)
            } else {
                future.exception()?
            };
            if let Some(failure) = failure {
                return Future::set_exception(this.base(), &failure);
            }
        }
        if this.finished.get() < this.count.get() {
            return Ok(());
        }
        Self::finish(this)
    }

    /// All children have ended.
    fn finish(this: &Obj<Self>) -> Result<()> {
        let children = this.children.to_vec();
        let results: Result<Vec<Object>> = children.iter().map(outcome).collect();
        let results = results?;
        if this.cancel_requested.get()
            && let Some(last) = children.last()
        {
            // Exceptions may be results, but not this cancellation. It says what that of the last argument does.
            let error = FutureRef::of(last).cancelled_error()?;
            return Future::set_exception(this.base(), &error);
        }
        Future::set_result(this.base(), results.into_object()?)
    }

    /// Cancels the children; false if that changes nothing.
    pub(crate) fn cancel(this: &Obj<Self>, message: Option<&Object>) -> Result<bool> {
        if this.base().is_done() {
            return Ok(false);
        }
        let mut any = false;
        for child in this.children.to_vec() {
            any |= recurse(|| future_ref::cancel(&child, message))?;
        }
        if any {
            this.cancel_requested.set(true);
        }
        Ok(any)
    }
}

/// What a child that is done has come to, its exception too.
fn outcome(child: &Object) -> Result<Object> {
    let child = FutureRef::of(child);
    if child.is_cancelled()? {
        let message = child.cancel_message()?;
        let message = message.map_or_else(|| "".into_object(), Ok)?;
        return cancelled_error(Some(&message));
    }
    match child.exception()? {
        Some(exception) => Ok(exception),
        None => child.result(),
    }
}

/// Has a task that the caller of `gather` does not know go away in silence.
fn may_be_destroyed(child: &Object) -> Result<()> {
    match child.downcast_exact::<Task>() {
        Some(task) => task.may_be_destroyed(),
        None => child.set_attr(&names()._log_destroy_pending, &boolean(false))?,
    }
    Ok(())
}

/// Adds `gather` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module.class::<GatheringFuture>()?.function(
        c"gather",
        c"gather(*coros_or_futures, return_exceptions=False)\n--\n\nReturn a future of the list of all results, in the order of the arguments.\n\nThe first exception is that of the future, unless return_exceptions has them among the results. Cancelling the\nfuture cancels all.",
        gather,
    )?;
    Ok(())
}

impl HotType for GatheringFuture {
    type Base = Future;
    const NAME: &'static std::ffi::CStr = c"roundel._GatheringFuture";
    const FREELIST: usize = 64;
    const CHAINS: bool = true;
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The future that gather() returns.")
            .method(
                c"cancel",
                c"cancel($self, /, msg=None)\n--\n\nCancel all children that are not done; return False if there are none.",
                |this: &Obj<Self>, args: &Args<'_>| {
                    Self::cancel(this, cancel_args("_GatheringFuture.cancel", args)?)
                },
            )
            .getter(c"__class__", |_: &Obj<Self>| names().gathering_future.clone());
    }

    fn traverse(&self, visit: &mut Visit) {
        self.children
            .traverse(visit, |child, visit| visit.object(child));
    }

    fn clear(&self) {
        drop(self.children.take());
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        Future::wants_finalizer(this.base())
    }

    fn finalize(this: &Obj<Self>) {
        Future::finalize(this.base());
    }
}
