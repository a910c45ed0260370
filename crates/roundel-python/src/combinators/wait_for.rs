//! `wait_for`: one awaitable, with a time limit.

use std::cell::Cell;

use super::ensure_future;
use crate::callback::{Action, Callback};
use crate::coroutine::{Coroutine, Script, Step};
use crate::future::Future;
use crate::future_ref::{FutureRef, cancel};
use crate::hot::{
    Args, IntoObject, Module, Obj, Object, Raised, Result, Signature, Slot, TypeCell, Visit,
    copy_context, none,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::timeout::{Timeout, timeout_error_from};

/// `asyncio.wait_for`.
struct WaitFor {
    phase: Cell<Phase>,
    awaitable: Slot,
    /// How long it may take, as it was given.
    timeout: Slot,
    limit: Slot<Timeout>,
    /// What tells that the awaitable, which got no time at all, is cancelled.
    released: Slot<Callback>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Start,
    /// It waits for the awaitable, which the limit cancels.
    Limited,
    /// It has cancelled the awaitable and waits for its end.
    Cancelling,
}

static RELEASE: Action = Action {
    name: "_release_waiter",
    run: |callback, _| match callback.owner::<Future>() {
        Some(waiter) if !waiter.is_done() => Future::set_result(&waiter, none()),
        _ => Ok(()),
    },
};

impl WaitFor {
    fn start(&self) -> Result<Step> {
        let awaitable = self.awaitable.get().unwrap_or_else(none);
        let timeout = self.timeout.take().filter(|timeout| !timeout.is_none());
        if let Some(timeout) = &timeout
            && timeout.less_or_equal(&0_i64.into_object()?)?
        {
            return self.cancel_at_once(&awaitable);
        }
        let limit = Timeout::after(timeout.as_ref())?;
        Timeout::enter(&limit)?;
        self.limit.set(Some(limit));
        self.awaitable.set(None);
        self.phase.set(Phase::Limited);
        Ok(Step::Await(awaitable))
    }

    /// The awaitable has come to its end, in time or not.
    fn ended(&self, came: Result<Object>) -> Result<Step> {
        let Some(limit) = self.limit.take() else {
            return came.map(Step::Return);
        };
        match came {
            Ok(value) => {
                Timeout::leave(&limit, None)?;
                Ok(Step::Return(value))
            }
            Err(raised) => {
                let exception = raised.fetch();
                Timeout::leave(&limit, Some(&exception))?;
                Err(Raised::restore(exception))
            }
        }
    }

    /// There is no time: what is not done has to be cancelled before it starts.
    fn cancel_at_once(&self, awaitable: &Object) -> Result<Step> {
        let future = ensure_future(awaitable, None)?;
        if FutureRef::of(&future).is_done()? {
            return FutureRef::of(&future).result().map(Step::Return);
        }
        // Not the future itself is awaited, so that this can be cancelled also when that can't be.
        let waiter = LoopRef::running()?.new_future()?;
        let released = Callback::on(&RELEASE, &waiter);
        FutureRef::of(&future).call_when_done(&released, &copy_context()?)?;
        self.awaitable.set(Some(future.clone()));
        self.released.set(Some(released));
        self.phase.set(Phase::Cancelling);
        cancel(&future, None)?;
        Ok(Step::Await(waiter.into_any()))
    }

    /// The awaitable that got no time has ended, or this was cancelled.
    fn cancelled(&self, came: Result<Object>) -> Result<Step> {
        let came = came.map_err(Raised::fetch);
        let (Some(future), Some(released)) = (self.awaitable.get(), self.released.take()) else {
            return came.map(Step::Return).map_err(Raised::restore);
        };
        FutureRef::of(&future).forget(&released)?;
        came.map_err(Raised::restore)?;
        match FutureRef::of(&future).result() {
            Ok(value) => Ok(Step::Return(value)),
            Err(raised) if raised.matches(&names().cancelled_error) => {
                Err(timeout_error_from(&raised.fetch())?)
            }
            Err(raised) => Err(raised),
        }
    }
}

impl Script for WaitFor {
    const NAME: &'static str = "wait_for";
    const TYPE_NAME: &'static std::ffi::CStr = c"roundel.coroutine";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    #[inline]
    fn resume(this: &Obj<Coroutine<Self>>, came: Result<Object>) -> Result<Step> {
        let script = &this.script;
        match script.phase.get() {
            Phase::Start => script.start(),
            Phase::Limited => script.ended(came),
            Phase::Cancelling => script.cancelled(came),
        }
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.awaitable);
        visit.slot(&self.timeout);
        visit.slot(&self.limit);
        visit.slot(&self.released);
    }

    fn clear(&self) {
        self.awaitable.set(None);
        self.timeout.set(None);
        self.limit.set(None);
        self.released.set(None);
    }
}

fn wait_for(args: &Args<'_>) -> Result<Obj<Coroutine<WaitFor>>> {
    static SIGNATURE: Signature<2> = Signature::function("wait_for", [c"fut", c"timeout"]);
    let [awaitable, timeout] = SIGNATURE.bind(args)?;
    Ok(Coroutine::create(WaitFor {
        phase: Cell::new(Phase::Start),
        awaitable: Slot::new(awaitable.cloned()),
        timeout: Slot::new(timeout.cloned()),
        limit: Slot::empty(),
        released: Slot::empty(),
    }))
}

/// Adds `wait_for` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module.hidden_class::<Coroutine<WaitFor>>()?.async_function(
        c"wait_for",
        c"wait_for(fut, timeout)\n--\n\nAwait fut, and cancel it if it takes more than timeout seconds; None waits for ever.\n\nA coroutine runs in the task that awaits this, not in one of its own.\n\nRaises:\n    TimeoutError: it took longer.",
        wait_for,
    )?;
    Ok(())
}
