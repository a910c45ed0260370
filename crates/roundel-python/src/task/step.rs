//! One step of a task: into the coroutine, out of it, and what comes of that.

use super::Task;
use crate::current;
use crate::future::{Future, State};
use crate::future_ref::{self, own_future};
use crate::hot::{
    Entered, Obj, Object, Raised, Result, Sent, Str, exceptions, is_instance_of, send, settle,
    throw,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::waiter::Waiter;

impl Task {
    /// Goes one step on in the task's context. Fails only with what must leave the loop: `KeyboardInterrupt` and
    /// `SystemExit`, and the misuse of a task that is done.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(crate) fn step(this: &Obj<Self>) -> Result<()> {
        Self::step_by(this, Self::step_in_context)
    }

    /// Goes one step on as a callback, which is called in the task's context already.
    pub(super) fn step_as_callback(this: &Obj<Self>) -> Result<()> {
        Self::step_by(this, Self::step_here)
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn step_by(
        this: &Obj<Self>,
        step: impl FnOnce(&Obj<Self>, Option<Object>) -> Result<()>,
    ) -> Result<()> {
        let thrown = this.what_is_thrown(this)?;
        let event_loop = this.base().event_loop()?;
        current::enter(event_loop, this)?;
        let stepped = step(this, thrown);
        current::leave(event_loop, this, stepped)
    }

    /// The exception that this step has to throw in, if any.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn what_is_thrown(&self, this: &Obj<Self>) -> Result<Option<Object>> {
        let awaited = self.waits_for.take();
        let undisturbed = !self.thrown.is_set() && !self.must_cancel.get();
        if undisturbed
            && this.base().state() == State::Pending
            && awaited.as_ref().is_none_or(has_no_exception)
        {
            return Ok(None);
        }
        self.look_what_is_thrown(this, awaited)
    }

    #[inline(never)]
    fn look_what_is_thrown(
        &self,
        this: &Obj<Self>,
        awaited: Option<Object>,
    ) -> Result<Option<Object>> {
        let thrown = self.why_thrown(awaited)?;
        if this.base().state() != State::Pending {
            return Err(Self::already_done(this, thrown.as_ref()));
        }
        self.with_cancellation(this, thrown)
    }

    /// An exception that was left for this step, or that of what it waited for.
    fn why_thrown(&self, awaited: Option<Object>) -> Result<Option<Object>> {
        if self.thrown.is_set() {
            return Ok(self.thrown.take());
        }
        match awaited {
            None => Ok(None),
            Some(awaited) => {
                if self.must_cancel.get() && is_cancelled_waiter(&awaited) {
                    // It raises by itself, with what the first cancellation was given to say.
                    self.must_cancel.set(false);
                }
                if !self.must_cancel.get() && self.awaits_failed(&awaited)? {
                    return Ok(None);
                }
                failure_of(&awaited)
            }
        }
    }

    /// Whether the coroutine has only to go on for what it awaits to raise, which is cheaper than to throw that in.
    fn awaits_failed(&self, awaited: &Object) -> Result<bool> {
        let (Some(future), Some(coroutine)) = (own_future(awaited), self.coroutine.get()) else {
            return Ok(false);
        };
        let is_direct = future.is_done() && coroutine.is_coroutine();
        Ok(is_direct && coroutine.attr(&names().cr_await)?.is(awaited))
    }

    /// Puts `CancelledError` in the place of `thrown` if the task is to be cancelled.
    fn with_cancellation(
        &self,
        this: &Obj<Self>,
        thrown: Option<Object>,
    ) -> Result<Option<Object>> {
        if !self.must_cancel.replace(false) {
            return Ok(thrown);
        }
        match thrown {
            Some(thrown) if is_instance_of(&thrown, &names().cancelled_error) => Ok(Some(thrown)),
            _ => this.base().make_cancelled_error().map(Some),
        }
    }

    #[cold]
    fn already_done(this: &Obj<Self>, thrown: Option<&Object>) -> Raised {
        let none = crate::hot::none();
        match (Str::repr(this.as_any()), Str::repr(thrown.unwrap_or(&none))) {
            (Ok(task), Ok(thrown)) => {
                let text = format!("_step(): already done: {task}, {thrown}");
                Raised::new(&names().invalid_state_error, text)
            }
            (Err(raised), _) | (_, Err(raised)) => raised,
        }
    }

    /// Enters the task's context and runs the coroutine up to its next wait.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(super) fn step_in_context(this: &Obj<Self>, thrown: Option<Object>) -> Result<()> {
        let Some(context) = this.context.get() else {
            return Ok(());
        };
        let sent = {
            let _entered = Entered::new(&context)?;
            this.send(thrown)
        };
        Self::settle(this, sent)
    }

    /// Runs the coroutine up to its next wait.
    fn step_here(this: &Obj<Self>, thrown: Option<Object>) -> Result<()> {
        let sent = this.send(thrown);
        Self::settle(this, sent)
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn send(&self, thrown: Option<Object>) -> Sent {
        match (self.coroutine.get(), thrown) {
            (Some(coroutine), None) => send(&coroutine),
            (Some(coroutine), Some(exception)) => throw(&coroutine, &exception),
            // The garbage collector has taken the coroutine.
            (None, _) => Sent::Returned(crate::hot::none()),
        }
    }

    /// Does what follows from how the coroutine left off.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn settle(this: &Obj<Self>, sent: Sent) -> Result<()> {
        match sent {
            Sent::Yielded(awaited) => Self::wait_for(this, awaited),
            Sent::Returned(result) => Self::returned(this, result),
            Sent::Raised(raised) => Self::failed(this, raised.fetch()),
        }
    }

    #[inline(never)]
    fn returned(this: &Obj<Self>, result: Object) -> Result<()> {
        settle();
        current::unregister_pending(this)?;
        if this.must_cancel.replace(false) {
            drop(result);
            let message = this.base().cancel_message();
            return Future::cancel(this.base(), message.as_ref()).map(drop);
        }
        Future::set_result(this.base(), result)
    }

    #[inline(never)]
    fn failed(this: &Obj<Self>, exception: Object) -> Result<()> {
        settle();
        current::unregister_pending(this)?;
        if is_instance_of(&exception, &names().cancelled_error) {
            this.base().set_cancelled_exception(exception);
            return Future::cancel(this.base(), None).map(drop);
        }
        Future::set_exception(this.base(), &exception)?;
        let leaves = is_instance_of(&exception, &exceptions::keyboard_interrupt())
            || is_instance_of(&exception, &exceptions::system_exit());
        if leaves {
            Err(Raised::restore(exception))
        } else {
            Ok(())
        }
    }

    /// The coroutine has yielded `awaited`: has the task stepped when that is done.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn wait_for(this: &Obj<Self>, awaited: Object) -> Result<()> {
        settle();
        if awaited.is_none() {
            return Self::schedule_step(this);
        }
        if let Some(waiter) = awaited.downcast_exact::<Waiter>()
            && this.base().is_native()
        {
            Waiter::park_task(waiter, this)?;
            return Self::now_waits_for(this, awaited);
        }
        Self::wait_for_other(this, awaited)
    }

    #[inline(never)]
    fn wait_for_other(this: &Obj<Self>, awaited: Object) -> Result<()> {
        if let Some(future) = own_future(&awaited) {
            if !Self::wait_for_future(this, future)? {
                return Ok(());
            }
        } else if !Self::wait_for_foreign(this, &awaited)? {
            return Ok(());
        }
        Self::now_waits_for(this, awaited)
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn now_waits_for(this: &Obj<Self>, awaited: Object) -> Result<()> {
        this.waits_for.set(Some(awaited));
        if this.must_cancel.get() {
            Self::cancel_at_once(this)?;
        }
        Ok(())
    }

    #[cold]
    fn cancel_at_once(this: &Obj<Self>) -> Result<()> {
        if let Some(awaited) = this.waits_for.get()
            && future_ref::cancel(&awaited, this.base().cancel_message().as_ref())?
        {
            this.must_cancel.set(false);
        }
        Ok(())
    }

    /// Waits for a future of ours; false if it can't be waited for, which is thrown in then.
    #[inline]
    fn wait_for_future(this: &Obj<Self>, future: &Obj<Future>) -> Result<bool> {
        let event_loop = this.base().event_loop()?;
        if !future.belongs_to(event_loop.object()) {
            return Self::misused(this, &Misuse::OtherLoop, future.as_any());
        }
        if !future.is_blocking() {
            return Self::misused(this, &Misuse::Yield, future.as_any());
        }
        if future.is(this) {
            return Self::misused(this, &Misuse::Itself, future.as_any());
        }
        future.set_blocking(false);
        if let LoopRef::Native(_) = event_loop {
            Future::wake_when_done(future, this)?;
        } else {
            let wakeup = this.as_any().attr(&names()._wakeup)?;
            let context = this.context.get().unwrap_or_else(crate::hot::none);
            Future::call_when_done(future, &wakeup, context)?;
        }
        Ok(true)
    }

    /// Waits for what behaves like a future; false if it can't be waited for, which is thrown in then.
    fn wait_for_foreign(this: &Obj<Self>, awaited: &Object) -> Result<bool> {
        let blocking = match awaited.attr_opt(&names()._asyncio_future_blocking) {
            Ok(blocking) => blocking,
            Err(raised) => return Self::schedule_throw(this, raised.fetch()).map(|()| false),
        };
        let Some(blocking) = blocking.filter(|blocking| !blocking.is_none()) else {
            let misuse = if awaited.is_instance(&names().generator)? {
                Misuse::Generator
            } else {
                Misuse::BadYield
            };
            return Self::misused(this, &misuse, awaited);
        };
        let event_loop = match current::loop_of(awaited) {
            Ok(event_loop) => event_loop,
            Err(raised) => return Self::schedule_throw(this, raised.fetch()).map(|()| false),
        };
        if !this.base().belongs_to(&event_loop) {
            return Self::misused(this, &Misuse::OtherLoop, awaited);
        }
        if !blocking.truth()? {
            return Self::misused(this, &Misuse::Yield, awaited);
        }
        if awaited.is(this) {
            return Self::misused(this, &Misuse::Itself, awaited);
        }
        match Self::subscribe(this, awaited) {
            Ok(()) => Ok(true),
            Err(raised) => Self::schedule_throw(this, raised.fetch()).map(|()| false),
        }
    }

    /// `awaited.add_done_callback(wakeup, context=context)`.
    fn subscribe(this: &Obj<Self>, awaited: &Object) -> Result<()> {
        awaited.set_attr(
            &names()._asyncio_future_blocking,
            &crate::hot::boolean(false),
        )?;
        let wakeup = this.as_any().attr(&names()._wakeup)?;
        let context = this.context.get().unwrap_or_else(crate::hot::none);
        let args = [awaited.clone(), wakeup, context];
        Object::call_method_keywords(&names().add_done_callback, &args, &names().kw_context)?;
        Ok(())
    }

    /// Has `RuntimeError` thrown in for waiting wrongly.
    #[cold]
    fn misused(this: &Obj<Self>, misuse: &Misuse, awaited: &Object) -> Result<bool> {
        let text = misuse.text(&Str::repr(this.as_any())?, &Str::repr(awaited)?);
        let error = Raised::new(&exceptions::runtime_error(), text).fetch();
        Self::schedule_throw(this, error)?;
        Ok(false)
    }
}

/// Whether what a task waited for is of ours, and leaves nothing to be thrown in.
#[inline]
fn has_no_exception(awaited: &Object) -> bool {
    awaited.downcast_exact::<Waiter>().is_some()
        || own_future(awaited).is_some_and(|future| future.state() == State::Finished)
}

fn is_cancelled_waiter(awaited: &Object) -> bool {
    awaited
        .downcast_exact::<Waiter>()
        .is_some_and(|waiter| waiter.is_cancelled())
}

/// The exception of what a task waited for; `None` if the coroutine finds out by itself.
#[inline]
fn failure_of(awaited: &Object) -> Result<Option<Object>> {
    if awaited.downcast_exact::<Waiter>().is_some() {
        return Ok(None);
    }
    if let Some(future) = own_future(awaited) {
        return future.failure();
    }
    match awaited.call_method(&names().result, []) {
        Ok(_) => Ok(None),
        Err(raised) => Ok(Some(raised.fetch())),
    }
}

/// What a coroutine can do wrong when it waits.
enum Misuse {
    OtherLoop,
    Yield,
    Itself,
    Generator,
    BadYield,
}

impl Misuse {
    fn text(&self, task: &str, awaited: &str) -> String {
        match self {
            Self::OtherLoop => {
                format!("Task {task} got Future {awaited} attached to a different loop")
            }
            Self::Yield => {
                format!("yield was used instead of yield from in task {task} with {awaited}")
            }
            Self::Itself => format!("Task cannot await on itself: {task}"),
            Self::Generator => {
                format!(
                    "yield was used instead of yield from for generator in task {task} with {awaited}"
                )
            }
            Self::BadYield => format!("Task got bad yield: {awaited}"),
        }
    }
}
