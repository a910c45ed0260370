//! The loop of a future: one of ours, which is called directly, or anybody's.

use crate::callback::Callback;
use crate::event_loop::{EventLoop, check_callback};
use crate::future::Future;
use crate::handle::{Handle, TimerHandle, cancel_handle};
use crate::hot::{Args, Float, IntoObject, Obj, Object, Result};
use crate::job::Job;
use crate::names::names;

/// An event loop that callbacks can be given to.
#[derive(Debug, Clone)]
pub(crate) enum LoopRef {
    /// A roundel loop whose methods nobody has replaced.
    Native(Obj<EventLoop>),
    /// Any other.
    Foreign(Object),
}

impl LoopRef {
    /// How to talk to `event_loop`.
    #[inline]
    pub(crate) fn of(event_loop: &Object) -> Self {
        match event_loop.downcast::<EventLoop>() {
            Some(native) if native.is_pristine() => Self::Native(native.clone()),
            _ => Self::Foreign(event_loop.clone()),
        }
    }

    /// The loop that runs in this thread; raises `RuntimeError` if there is none.
    #[inline]
    pub(crate) fn running() -> Result<Self> {
        if let Some(native) = EventLoop::running()
            && native.is_pristine()
        {
            return Ok(Self::Native(native));
        }
        Ok(Self::Foreign(
            names().events.call_method(&names().get_running_loop, [])?,
        ))
    }

    /// The loop object.
    #[inline]
    pub(crate) fn object(&self) -> &Object {
        match self {
            Self::Native(native) => native.as_any(),
            Self::Foreign(foreign) => foreign,
        }
    }

    /// `loop.call_soon(callback, *arguments, context=context)`.
    #[inline]
    pub(crate) fn call_soon(
        &self,
        callback: &Object,
        arguments: &[Object],
        context: &Object,
    ) -> Result<()> {
        match self {
            Self::Native(native) => {
                if native.is_debug() {
                    check_callback(callback, "call_soon")?;
                }
                let handle = Handle::create(native, callback, arguments, Some(context))?;
                native.schedule(Job::Handle(handle))
            }
            Self::Foreign(foreign) => {
                let mut all = vec![foreign.clone(), callback.clone()];
                all.extend_from_slice(arguments);
                all.push(context.clone());
                Object::call_method_keywords(&names().call_soon, &all, &names().kw_context)?;
                Ok(())
            }
        }
    }

    /// `loop.call_soon(callback)` in the current context; gives the handle.
    pub(crate) fn call_soon_handle(&self, callback: &Object) -> Result<Object> {
        match self {
            Self::Native(native) => {
                let handle = Handle::create(native, callback, &[], None)?;
                native.schedule(Job::Handle(handle.clone()))?;
                Ok(handle.into_any())
            }
            Self::Foreign(foreign) => foreign.call_method(&names().call_soon, [callback]),
        }
    }

    /// `loop.call_later(delay, callback)` in the current context; gives the handle.
    pub(crate) fn call_later(&self, delay: &Object, callback: &Object) -> Result<Object> {
        match self {
            Self::Native(native) => {
                let when = native.time()?.into_object()?.plus(delay)?;
                self.call_at(Float::of(&when)?, callback)
            }
            Self::Foreign(foreign) => foreign.call_method(&names().call_later, [delay, callback]),
        }
    }

    /// `loop.call_at(when, callback)` in the current context; gives the handle.
    fn call_at(&self, when: f64, callback: &Object) -> Result<Object> {
        match self {
            Self::Native(native) => {
                let timer = TimerHandle::create(native, when, callback, &[], None)?;
                native.schedule_at(when, Job::Handle(timer.base().clone()))?;
                Ok(timer.into_any())
            }
            Self::Foreign(foreign) => {
                foreign.call_method(&names().call_at, [&when.into_object()?, callback])
            }
        }
    }

    /// Has a callback of our own run at a time; gives what [`disarm`] takes back. In debug mode it has a handle, which
    /// can be shown.
    pub(crate) fn alarm_at(&self, when: f64, callback: Obj<Callback>) -> Result<Object> {
        match self {
            Self::Native(native) if !native.is_debug() => {
                native.schedule_at(when, Job::Alarm(callback.clone()))?;
                Ok(callback.into_any())
            }
            _ => self.call_at(when, callback.as_any()),
        }
    }

    /// `loop.time()`, in seconds.
    pub(crate) fn time(&self) -> Result<f64> {
        match self {
            Self::Native(native) => native.time(),
            Self::Foreign(foreign) => Float::of(&foreign.call_method(&names().time, [])?),
        }
    }

    /// `loop.create_task(*arguments)`.
    #[inline]
    pub(crate) fn create_task(&self, arguments: &Args<'_>) -> Result<Object> {
        match self {
            Self::Native(native) => EventLoop::create_task(native, arguments),
            Self::Foreign(foreign) => arguments.call_method(foreign, &names().create_task),
        }
    }

    /// `loop.create_future()`.
    pub(crate) fn create_future(&self) -> Result<Object> {
        match self {
            Self::Native(_) => Ok(self.new_future()?.into_any()),
            Self::Foreign(foreign) => foreign.call_method(&names().create_future, []),
        }
    }

    /// A future of ours, for what nobody else sees.
    #[inline]
    pub(crate) fn new_future(&self) -> Result<Obj<Future>> {
        Future::create(self.clone())
    }

    /// `loop.get_debug()`.
    #[inline]
    pub(crate) fn is_debug(&self) -> Result<bool> {
        match self {
            Self::Native(native) => Ok(native.is_debug()),
            Self::Foreign(foreign) => foreign.call_method(&names().get_debug, [])?.truth(),
        }
    }

    /// Where Python is now, if the loop is in debug mode.
    #[inline]
    pub(crate) fn source_traceback(&self) -> Result<Option<Object>> {
        if self.is_debug()? {
            crate::future::source_traceback().map(Some)
        } else {
            Ok(None)
        }
    }

    /// `loop.is_running()`.
    pub(crate) fn is_running(&self) -> Result<bool> {
        match self {
            Self::Native(native) => Ok(native.is_running()),
            Self::Foreign(foreign) => foreign.call_method(&names().is_running, [])?.truth(),
        }
    }

    /// `loop.call_exception_handler(context)`.
    pub(crate) fn call_exception_handler(&self, context: &Object) -> Result<()> {
        self.object()
            .call_method(&names().call_exception_handler, [context])?;
        Ok(())
    }

    /// Whether both are the same loop.
    #[inline]
    pub(crate) fn is(&self, other: &Object) -> bool {
        self.object().is(other)
    }
}

/// Takes back what [`LoopRef::alarm_at`], or a method that gives a handle, has arranged.
#[inline]
pub(crate) fn disarm(timer: &Object) -> Result<()> {
    let Some(callback) = timer.downcast_exact::<Callback>() else {
        return cancel_handle(timer);
    };
    callback.idle();
    if let Some(native) = EventLoop::running() {
        native.timer_cancelled();
    }
    Ok(())
}
