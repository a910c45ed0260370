//! A waiter as a future, for tasks that are not ours.
//!
//! The other way round, too: a future that somebody puts into one of our lists by hand is *adopted*, a waiter
//! stands for it there.

use super::{Operation, Poll, State, Waiter, nothing_to_pass_on};
use crate::future::{cancel_args, cancelled_error};
use crate::hot::{
    Args, Class, Obj, Object, Raised, Result, Signature, Visit, boolean, copy_context, import, none,
};
use crate::loop_ref::LoopRef;
use crate::names::names;

/// Who waits, when that is not one of our tasks: what a future knows of its callbacks.
pub(super) struct Guest {
    event_loop: LoopRef,
    callback: Object,
    context: Object,
}

impl Guest {
    pub(super) fn traverse(&self, visit: &mut Visit) {
        visit.object(self.event_loop.object());
        visit.object(&self.callback);
        visit.object(&self.context);
    }
}

/// Stands for somebody's future, its item.
static ADOPTED: Operation =
    Operation::new("adopted", |_, _| Poll::Ready(none()), nothing_to_pass_on);

impl Waiter {
    /// A parked waiter that stands for a future: waking it sets the future's result.
    pub(super) fn adopt(future: &Object) -> Obj<Self> {
        let waiter = Self::create(&ADOPTED, None, Some(future.clone()), 0.0);
        drop(Self::park(&waiter));
        waiter
    }

    /// What is in a list as others see it: a waiter, or the future that was adopted.
    pub(super) fn shown(this: Obj<Self>) -> Object {
        match this.adopted() {
            Some(future) => future,
            None => this.into_any(),
        }
    }

    fn adopted(&self) -> Option<Object> {
        let adopted = std::ptr::eq(self.operation, &raw const ADOPTED);
        if adopted { self.item.get() } else { None }
    }

    /// Tells the guests that the wait is over; false for an adopted future that was done already.
    pub(super) fn notify_guests(&self, this: &Obj<Self>) -> Result<bool> {
        if let Some(future) = self.adopted() {
            if future.call_method(&names().done, [])?.truth()? {
                return Ok(false);
            }
            future.call_method(&names().set_result, [&none()])?;
            return Ok(true);
        }
        for guest in self.take_guests() {
            let waiter = this.as_any().clone();
            guest
                .event_loop
                .call_soon(&guest.callback, &[waiter], &guest.context)?;
        }
        Ok(true)
    }

    fn take_guests(&self) -> Vec<Guest> {
        let guests = self.look(|rare| Some(std::mem::take(&mut rare.guests)));
        guests.unwrap_or_default()
    }

    /// What `cancel()` was given to say.
    pub(super) fn message(&self) -> Option<Object> {
        self.look(|rare| rare.message.clone())
    }

    /// The loop that it parked in.
    pub(super) fn loop_ref(&self) -> Result<LoopRef> {
        if let Some(event_loop) = self.look(|rare| rare.event_loop.clone()) {
            return Ok(LoopRef::of(&event_loop));
        }
        let event_loop = LoopRef::running()?;
        self.rare(|rare| rare.event_loop = Some(event_loop.object().clone()));
        Ok(event_loop)
    }

    fn add_done_callback(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> =
            Signature::method("Future.add_done_callback", [c"fn", c"context"])
                .required(1)
                .positional(1);
        let [callback, context] = SIGNATURE.bind(args)?;
        let callback = callback.expect("invariant: a required parameter is bound");
        let context = match context.and_then(Object::not_none) {
            Some(context) => context.clone(),
            None => copy_context()?,
        };
        let event_loop = this.loop_ref()?;
        if !this.is_parked() {
            return event_loop.call_soon(callback, &[this.as_any().clone()], &context);
        }
        let guest = Guest {
            event_loop,
            callback: callback.clone(),
            context,
        };
        this.rare(|rare| rare.guests.push(guest));
        Ok(())
    }

    fn remove_done_callback(this: &Obj<Self>, callback: &Object) -> Result<usize> {
        let (mut kept, mut removed) = (Vec::new(), 0);
        for guest in this.take_guests() {
            // Compares by Python's `==`, which may run code that adds guests.
            if guest.callback.equals(callback)? {
                removed += 1;
            } else {
                kept.push(guest);
            }
        }
        kept.extend(this.take_guests());
        this.rare(|rare| rare.guests = kept);
        Ok(removed)
    }

    /// What a guest's wake-up asks: raises if the wait was cancelled.
    fn result(this: &Obj<Self>) -> Result<()> {
        match this.state.get() {
            State::New | State::Parked | State::Delegated => Err(Raised::new(
                &names().invalid_state_error,
                "Result is not set.",
            )),
            State::Cancelled => Err(Raised::throw(&cancelled_error(this.message().as_ref())?)),
            State::Woken | State::Done => Ok(()),
        }
    }

    /// Its class as `isinstance` sees it: asyncio's coroutine, and the future that one waits for. Libraries ask a task
    /// what it waits for, and that whether it is done.
    fn seen_as(&self) -> Result<Object> {
        match self.state.get() {
            State::Parked | State::Woken | State::Cancelled => import(c"asyncio", c"Future"),
            State::New | State::Delegated | State::Done => Ok(names().coroutine_type.clone()),
        }
    }

    fn is_over(this: &Obj<Self>) -> bool {
        !matches!(
            this.state.get(),
            State::New | State::Parked | State::Delegated
        )
    }
}

pub(super) fn declare(class: &mut Class<Waiter>) {
    class
        .method(
            c"add_done_callback",
            c"add_done_callback($self, fn, /, *, context=None)\n--\n\nHave the loop call fn(waiter) when the wait is over.",
            Waiter::add_done_callback,
        )
        .method1(
            c"remove_done_callback",
            c"remove_done_callback($self, fn, /)\n--\n\nRemove all callbacks equal to fn; return how many there were.",
            Waiter::remove_done_callback,
        )
        .method(
            c"cancel",
            c"cancel($self, /, msg=None)\n--\n\nCancel the wait; return False if it is over.",
            |this: &Obj<Waiter>, args: &Args<'_>| {
                Waiter::cancel(this, cancel_args("Future.cancel", args)?)
            },
        )
        .method1(
            c"set_result",
            c"set_result($self, result, /)\n--\n\nEnd the wait.",
            |this: &Obj<Waiter>, _: &Object| Waiter::wake(this),
        )
        .method0(
            c"result",
            c"result($self, /)\n--\n\nRaise CancelledError if the wait was cancelled.",
            Waiter::result,
        )
        .method0(
            c"done",
            c"done($self, /)\n--\n\nReturn True if the wait is over.",
            Waiter::is_over,
        )
        .method0(
            c"cancelled",
            c"cancelled($self, /)\n--\n\nReturn True if the wait was cancelled.",
            |this: &Obj<Waiter>| this.is_cancelled(),
        )
        .method0(
            c"get_loop",
            c"get_loop($self, /)\n--\n\nReturn the event loop that the wait is in.",
            |this: &Obj<Waiter>| this.loop_ref().map(|event_loop| event_loop.object().clone()),
        )
        .method1(
            c"_wake",
            c"_wake($self, arg, /)\n--\n\nEnd the wait; for loops that are not roundel's.",
            |this: &Obj<Waiter>, _: &Object| Waiter::wake(this),
        )
        .getter(c"__class__", |this: &Obj<Waiter>| this.seen_as())
        .property(
            c"_asyncio_future_blocking",
            // Before it parks it is no future: `isfuture` must say so, or `ensure_future` takes it for one.
            |this: &Obj<Waiter>| match this.state.get() {
                State::New => none(),
                _ => boolean(this.blocking.get()),
            },
            |this: &Obj<Waiter>, value: &Object| {
                this.blocking.set(value.truth()?);
                Ok(())
            },
        );
}
