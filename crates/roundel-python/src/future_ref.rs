//! The future that somebody hands in: one of ours, which is called directly, or anybody's.

use crate::callback::Callback;
use crate::combinators::GatheringFuture;
use crate::current;
use crate::future::{Future, State};
use crate::hot::{Obj, Object, Result};
use crate::names::names;
use crate::task::Task;
use crate::waiter::Waiter;

/// A future whose methods can be called.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FutureRef<'a> {
    /// Of exactly our types; a derived class may have replaced methods.
    Native(&'a Obj<Future>),
    /// Any other.
    Foreign(&'a Object),
}

/// `object` as a future, if it is of exactly our types.
#[inline]
pub(crate) fn own_future(object: &Object) -> Option<&Obj<Future>> {
    if let Some(task) = object.downcast_exact::<Task>() {
        return Some(task.base());
    }
    if let Some(gathering) = object.downcast_exact::<GatheringFuture>() {
        return Some(gathering.base());
    }
    object.downcast_exact::<Future>()
}

impl<'a> FutureRef<'a> {
    /// How to talk to `future`.
    #[inline]
    pub(crate) fn of(future: &'a Object) -> Self {
        own_future(future).map_or(Self::Foreign(future), Self::Native)
    }

    /// `future.done()`.
    #[inline]
    pub(crate) fn is_done(self) -> Result<bool> {
        match self {
            Self::Native(native) => Ok(native.is_done()),
            Self::Foreign(foreign) => foreign.call_method(&names().done, [])?.truth(),
        }
    }

    /// `future.cancelled()`.
    #[inline]
    pub(crate) fn is_cancelled(self) -> Result<bool> {
        match self {
            Self::Native(native) => Ok(native.is_cancelled()),
            Self::Foreign(foreign) => foreign.call_method(&names().cancelled, [])?.truth(),
        }
    }

    /// `future.exception()`, of one that is done and not cancelled.
    #[inline]
    pub(crate) fn exception(self) -> Result<Option<Object>> {
        let exception = match self {
            Self::Native(native) if native.state() == State::Finished => return Ok(None),
            Self::Native(native) => Future::exception(native)?,
            Self::Foreign(foreign) => foreign.call_method(&names().exception, [])?,
        };
        Ok(exception.not_none().cloned())
    }

    /// `future.result()`.
    #[inline]
    pub(crate) fn result(self) -> Result<Object> {
        match self {
            Self::Native(native) => Future::result(native),
            Self::Foreign(foreign) => foreign.call_method(&names().result, []),
        }
    }

    /// The `CancelledError` of a future that was cancelled.
    pub(crate) fn cancelled_error(self) -> Result<Object> {
        match self {
            Self::Native(native) => native.make_cancelled_error(),
            Self::Foreign(foreign) => foreign.call_method(&names()._make_cancelled_error, []),
        }
    }

    /// What the future was cancelled with.
    pub(crate) fn cancel_message(self) -> Result<Option<Object>> {
        match self {
            Self::Native(native) => Ok(native.cancel_message()),
            Self::Foreign(foreign) => {
                let message = foreign.attr(&names()._cancel_message)?;
                Ok(message.not_none().cloned())
            }
        }
    }

    /// Has the loop call `callback` when the future is done.
    ///
    /// `context` is the one for futures of ours. It may be shared between callbacks, as they never run inside
    /// one another.
    #[inline]
    pub(crate) fn call_when_done(self, callback: &Obj<Callback>, context: &Object) -> Result<()> {
        match self {
            Self::Native(native) => {
                Future::call_when_done(native, callback.as_any(), context.clone())
            }
            Self::Foreign(foreign) => foreign
                .call_method(&names().add_done_callback, [callback.as_any()])
                .map(drop),
        }
    }

    /// Takes back what [`call_when_done`](Self::call_when_done) has arranged.
    pub(crate) fn forget(self, callback: &Obj<Callback>) -> Result<()> {
        match self {
            Self::Native(native) => {
                Future::remove_done_callback(native, callback.as_any()).map(drop)
            }
            Self::Foreign(foreign) => foreign
                .call_method(&names().remove_done_callback, [callback.as_any()])
                .map(drop),
        }
    }

    /// The loop of the future.
    pub(crate) fn event_loop(self) -> Result<Object> {
        match self {
            Self::Native(native) => Ok(native.event_loop()?.object().clone()),
            Self::Foreign(foreign) => current::loop_of(foreign),
        }
    }
}

/// `awaited.cancel(msg=message)` of a future or waiter; false if it is done.
pub(crate) fn cancel(awaited: &Object, message: Option<&Object>) -> Result<bool> {
    if let Some(waiter) = awaited.downcast_exact::<Waiter>() {
        return Waiter::cancel(waiter, message);
    }
    if let Some(future) = awaited.downcast_exact::<Future>() {
        return Future::cancel(future, message);
    }
    if let Some(task) = awaited.downcast_exact::<Task>() {
        return Task::cancel(task, message);
    }
    if let Some(gathering) = awaited.downcast_exact::<GatheringFuture>() {
        return GatheringFuture::cancel(gathering, message);
    }
    let Some(message) = message else {
        return awaited.call_method(&names().cancel, [])?.truth();
    };
    let args = [awaited.clone(), message.clone()];
    Object::call_method_keywords(&names().cancel, &args, &names().kw_msg)?.truth()
}

/// `task.cancelling()`.
pub(crate) fn cancelling(task: &Object) -> Result<i64> {
    match task.downcast_exact::<Task>() {
        Some(task) => Ok(task.cancelling()),
        None => task.call_method(&names().cancelling, [])?.to_i64(),
    }
}

/// `task.uncancel()`.
pub(crate) fn uncancel(task: &Object) -> Result<i64> {
    match task.downcast_exact::<Task>() {
        Some(task) => Ok(task.uncancel()),
        None => task.call_method(&names().uncancel, [])?.to_i64(),
    }
}
