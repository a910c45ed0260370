//! Handing callbacks to the loop (`asyncio.loop`, "Scheduling callbacks").

use super::{EventLoop, nanoseconds};
use crate::handle::{Handle, TimerHandle};
use crate::hot::{
    Args, Class, Float, IntoObject, Obj, Object, Raised, Remote, Result, Signature, Str,
    exceptions, none, thread_ident,
};
use crate::job::Job;
use crate::names::names;
use crate::snapshot::Snapshot;

impl EventLoop {
    #[inline]
    fn call_soon(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<Handle>> {
        static SIGNATURE: Signature<2> =
            Signature::method("BaseEventLoop.call_soon", [c"callback", c"context"])
                .required(1)
                .positional(1)
                .variadic();
        let given = CallbackArgs::soon(&SIGNATURE, args)?;
        this.check_open()?;
        if this.is_debug() {
            this.check_thread()?;
            check_callback(given.callback, "call_soon")?;
        }
        let handle = Handle::create(this, given.callback, given.arguments, given.context)?;
        this.dispatcher()?.push(Job::Handle(handle.clone()));
        Ok(handle)
    }

    fn call_soon_threadsafe(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<Handle>> {
        static SIGNATURE: Signature<2> = Signature::method(
            "BaseEventLoop.call_soon_threadsafe",
            [c"callback", c"context"],
        )
        .required(1)
        .positional(1)
        .variadic();
        let given = CallbackArgs::soon(&SIGNATURE, args)?;
        this.check_open()?;
        if this.is_debug() {
            check_callback(given.callback, "call_soon_threadsafe")?;
        }
        let context = given.context_or_snapshot()?;
        let handle = Handle::create(this, given.callback, given.arguments, Some(&context))?;
        handle.share();
        this.post(Job::Handle(handle.clone()))?;
        Ok(handle)
    }

    /// Puts a job into the ready queue from any thread, and wakes the loop if it sleeps.
    ///
    /// Under the GIL any thread may use the dispatcher, which keeps the order of calls as asyncio does and costs
    /// no lock. Without one the job goes through the inbox.
    fn post(&self, job: Job) -> Result<()> {
        let dispatcher = self.dispatcher()?;
        if cfg!(Py_GIL_DISABLED) && self.thread.get() != thread_ident() {
            return dispatcher
                .inbox()
                .push(Remote::new(job))
                .map_err(|_| super::closed());
        }
        dispatcher.push(job);
        if self.blocked.replace(false) {
            dispatcher.inbox().nudge();
        }
        Ok(())
    }

    fn call_later(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<3> = Signature::method(
            "BaseEventLoop.call_later",
            [c"delay", c"callback", c"context"],
        )
        .required(2)
        .positional(2)
        .variadic();
        let given = CallbackArgs::timed(&SIGNATURE, args)?;
        if !this.is_pristine() {
            return Self::call_later_by_methods(this, &given);
        }
        let now = this.time()?;
        let when = match given.seconds("delay must not be None") {
            Ok(delay) => now + delay,
            // Whatever can be added to a time will do, and says so itself if it can't.
            Err(raised) => match given.time.and_then(Object::not_none) {
                Some(delay) => {
                    raised.clear();
                    Float::of(&now.into_object()?.add(delay)?)?
                }
                None => return Err(raised),
            },
        };
        this.add_timer(this, when, &given).map(Obj::into_any)
    }

    /// Asks `time()` and `call_at()`, which somebody may have replaced, as asyncio does.
    #[cold]
    fn call_later_by_methods(this: &Obj<Self>, given: &CallbackArgs<'_>) -> Result<Object> {
        let Some(delay) = given.time.and_then(Object::not_none) else {
            return Err(Raised::new(
                &exceptions::type_error(),
                "delay must not be None",
            ));
        };
        let when = this.as_any().call_method(&names().time, [])?.add(delay)?;
        let mut all = vec![this.as_any().clone(), when, given.callback.clone()];
        all.extend_from_slice(given.arguments);
        all.push(given.context.cloned().unwrap_or_else(none));
        Object::call_method_keywords(&names().call_at, &all, &names().kw_context)
    }

    fn call_at(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<TimerHandle>> {
        static SIGNATURE: Signature<3> =
            Signature::method("BaseEventLoop.call_at", [c"when", c"callback", c"context"])
                .required(2)
                .positional(2)
                .variadic();
        let given = CallbackArgs::timed(&SIGNATURE, args)?;
        let when = given.seconds("when cannot be None")?;
        let timer = this.add_timer(this, when, &given)?;
        timer.remember(given.time);
        Ok(timer)
    }

    fn add_timer(
        &self,
        this: &Obj<Self>,
        when: f64,
        given: &CallbackArgs<'_>,
    ) -> Result<Obj<TimerHandle>> {
        self.check_open()?;
        if self.is_debug() {
            self.check_thread()?;
            // Under this name for call_later(), too, as in asyncio.
            check_callback(given.callback, "call_at")?;
        }
        let context = given.context_or_snapshot()?;
        let timer =
            TimerHandle::create(this, when, given.callback, given.arguments, Some(&context))?;
        self.dispatcher()?
            .push_at(nanoseconds(when), Job::Handle(timer.base().clone()));
        Ok(timer)
    }
}

/// The arguments of `call_soon(callback, *args, context=None)` and its like.
struct CallbackArgs<'a> {
    /// What stands before the callback: the time, if any.
    time: Option<&'a Object>,
    /// The callback.
    callback: &'a Object,
    /// What it is called with.
    arguments: &'a [Object],
    /// The context, if one is given.
    context: Option<&'a Object>,
}

impl<'a> CallbackArgs<'a> {
    /// Reads `(callback, *args, context=None)`.
    #[expect(clippy::inline_always, reason = "arguments stay in registers")]
    #[inline(always)]
    fn soon(signature: &Signature<2>, args: &Args<'a>) -> Result<Self> {
        let [callback, context] = signature.bind(args)?;
        let callback = callback.expect("invariant: a required parameter is bound");
        let arguments = args.positional.get(1..).unwrap_or_default();
        Ok(Self {
            time: None,
            callback,
            arguments,
            context: context.and_then(Object::not_none),
        })
    }

    /// Reads `(time, callback, *args, context=None)`.
    #[expect(clippy::inline_always, reason = "arguments stay in registers")]
    #[inline(always)]
    fn timed(signature: &Signature<3>, args: &Args<'a>) -> Result<Self> {
        let [time, callback, context] = signature.bind(args)?;
        let callback = callback.expect("invariant: a required parameter is bound");
        let arguments = args.positional.get(2..).unwrap_or_default();
        Ok(Self {
            time,
            callback,
            arguments,
            context: context.and_then(Object::not_none),
        })
    }

    /// The context, for a callback that may have to wait long.
    #[inline]
    fn context_or_snapshot(&self) -> Result<Object> {
        self.context.cloned().map_or_else(Snapshot::take, Ok)
    }

    /// The time in seconds, or the `TypeError` that asyncio raises for `None`.
    fn seconds(&self, if_none: &str) -> Result<f64> {
        match self.time.and_then(Object::not_none) {
            Some(time) => Float::of(time),
            None => Err(Raised::new(&exceptions::type_error(), if_none)),
        }
    }
}

/// In debug mode: raises `TypeError` for what can't be called, and for coroutines.
pub(crate) fn check_callback(callback: &Object, method: &str) -> Result<()> {
    let coroutine = names().is_coroutine.call([callback])?.truth()?
        || names().is_coroutine_function.call([callback])?.truth()?;
    if coroutine {
        let text = format!("coroutines cannot be used with {method}()");
        return Err(Raised::new(&exceptions::type_error(), text));
    }
    if !callback.is_callable() {
        let text = format!(
            "a callable object was expected by {method}(), got {}",
            Str::repr(callback)?
        );
        return Err(Raised::new(&exceptions::type_error(), text));
    }
    Ok(())
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    class
        .method(
            c"call_soon",
            c"call_soon($self, /, callback, *args, context=None)\n--\n\nHave callback(*args) called in the loop's next turn.\n\nCallbacks are called in the order in which they were handed in.\n\nRaises:\n    RuntimeError: the loop is closed.",
            EventLoop::call_soon,
        )
        .method(
            c"call_soon_threadsafe",
            c"call_soon_threadsafe($self, /, callback, *args, context=None)\n--\n\nLike call_soon(), from any thread or signal handler.\n\nRaises:\n    RuntimeError: the loop is closed.",
            EventLoop::call_soon_threadsafe,
        )
        .method(
            c"call_later",
            c"call_later($self, /, delay, callback, *args, context=None)\n--\n\nHave callback(*args) called after delay seconds, never earlier.\n\nRaises:\n    RuntimeError: the loop is closed.\n    TypeError: the delay is None.",
            EventLoop::call_later,
        )
        .method(
            c"call_at",
            c"call_at($self, /, when, callback, *args, context=None)\n--\n\nHave callback(*args) called at a time of loop.time(), never earlier.\n\nRaises:\n    RuntimeError: the loop is closed.\n    TypeError: the time is None.",
            EventLoop::call_at,
        );
}
