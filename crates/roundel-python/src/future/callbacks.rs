//! Who hears of the end of a future.

use super::Future;
use crate::callback;
use crate::hot::{Args, Entered, Obj, Object, Raised, Result, Signature, Tuple, Visit, none};
use crate::job::Job;
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::task::Task;

/// What is called when a future is done: a Python function, or the step of one of our tasks.
#[derive(Debug, Clone)]
pub(super) struct Callback {
    /// The function; or a [`Task`] to wake, where there is no context.
    target: Object,
    context: Option<Object>,
}

impl Callback {
    /// The function, if it is one of our own.
    #[inline]
    fn own(&self) -> Option<&Obj<callback::Callback>> {
        self.target.downcast_exact()
    }

    pub(super) fn traverse(&self, visit: &mut Visit) {
        visit.object(&self.target);
        if let Some(context) = &self.context {
            visit.object(context);
        }
    }
}

impl Future {
    /// Has `task`, one of ours on the same loop, stepped when this is done.
    #[inline]
    pub(crate) fn wake_when_done(this: &Obj<Self>, task: &Obj<Task>) -> Result<()> {
        Self::add_callback(
            this,
            Callback {
                target: task.as_any().clone(),
                context: None,
            },
        )
    }

    /// `future.add_done_callback(function, context=context)`.
    pub(crate) fn call_when_done(
        this: &Obj<Self>,
        function: &Object,
        context: Object,
    ) -> Result<()> {
        Self::add_callback(
            this,
            Callback {
                target: function.clone(),
                context: Some(context),
            },
        )
    }

    #[inline]
    fn add_callback(this: &Obj<Self>, callback: Callback) -> Result<()> {
        let event_loop = this.event_loop()?;
        if this.is_done() {
            return Self::schedule(this, event_loop, callback);
        }
        let first = this.callback.take();
        if first.is_none() && !this.has_more_callbacks() {
            this.callback.set(Some(callback));
        } else {
            this.callback.set(first);
            this.rare(|rare| rare.callbacks.push(callback));
        }
        Ok(())
    }

    /// Whether there are callbacks after the first.
    #[inline]
    fn has_more_callbacks(&self) -> bool {
        self.look(|rare| rare.callbacks.first().map(|_| ()))
            .is_some()
    }

    /// Gives all callbacks to the loop, in order.
    #[inline]
    pub(super) fn schedule_callbacks(this: &Obj<Self>) -> Result<()> {
        let first = this.callback.take();
        let rest = this.has_more_callbacks();
        if first.is_none() && !rest {
            return Ok(());
        }
        let event_loop = this.event_loop()?;
        if let Some(callback) = first {
            Self::schedule(this, event_loop, callback)?;
        }
        if rest {
            for callback in this.rare(|rare| std::mem::take(&mut rare.callbacks)) {
                Self::schedule(this, event_loop, callback)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn schedule(this: &Obj<Self>, event_loop: &LoopRef, callback: Callback) -> Result<()> {
        if callback.context.is_some() {
            return Self::schedule_call(this, event_loop, callback);
        }
        match (event_loop, callback.target.downcast_into::<Task>()) {
            (LoopRef::Native(native), Some(task)) => native.schedule(Job::Step(task)),
            (LoopRef::Foreign(_), Some(task)) => Task::schedule_step(&task),
            (_, None) => Ok(()),
        }
    }

    /// Has a function called. One of our own needs neither a handle nor a call by Python's protocol: the future keeps
    /// it, as the first, until it is its turn. In debug mode it has a handle, too, which can be shown.
    #[inline]
    fn schedule_call(this: &Obj<Self>, event_loop: &LoopRef, callback: Callback) -> Result<()> {
        if let LoopRef::Native(native) = event_loop
            && callback.own().is_some()
            && !native.is_debug()
        {
            match this.callback.take() {
                None => {
                    this.callback.set(Some(callback));
                    return native.schedule(Job::Told(this.clone()));
                }
                earlier => this.callback.set(earlier),
            }
        }
        let context = callback.context.unwrap_or_else(none);
        event_loop.call_soon(&callback.target, &[this.as_any().clone()], &context)
    }

    /// Calls the callback of our own that was kept for now. One that fails is named.
    #[inline]
    pub(crate) fn tell(this: &Obj<Self>) -> std::result::Result<(), (&'static str, Raised)> {
        let Some(callback) = this.callback.take() else {
            return Ok(());
        };
        let (Some(own), Some(context)) = (callback.own(), &callback.context) else {
            return Ok(());
        };
        let told = Entered::new(context)
            .and_then(|_entered| callback::Callback::run(own, Some(this.as_any())));
        told.map_err(|raised| (own.name(), raised))
    }

    pub(super) fn add_done_callback(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> =
            Signature::method("Future.add_done_callback", [c"fn", c"context"])
                .required(1)
                .positional(1);
        let [function, context] = SIGNATURE.bind(args)?;
        let context = match context.and_then(Object::not_none) {
            Some(context) => context.clone(),
            None => crate::hot::copy_context()?,
        };
        let function = function.expect("invariant: a required parameter is bound");
        Self::call_when_done(this, function, context)
    }

    /// Removes every callback equal to `function`; gives how many there were.
    pub(crate) fn remove_done_callback(this: &Obj<Self>, function: &Object) -> Result<usize> {
        this.event_loop()?;
        if this.is_done() {
            // Whom the loop is about to tell is told.
            return Ok(0);
        }
        let mut kept = Vec::new();
        let all = this.take_callbacks();
        let mut removed = 0;
        for callback in all {
            // Compares by Python's `==`, which may run code that adds callbacks.
            if callback.context.is_some() && callback.target.equals(function)? {
                removed += 1;
            } else {
                kept.push(callback);
            }
        }
        kept.extend(this.take_callbacks());
        let mut kept = kept.into_iter();
        this.callback.set(kept.next());
        if kept.len() > 0 {
            this.rare(|rare| rare.callbacks = kept.collect());
        }
        Ok(removed)
    }

    fn take_callbacks(&self) -> Vec<Callback> {
        let mut all: Vec<Callback> = self.callback.take().into_iter().collect();
        if self.has_more_callbacks() {
            all.extend(self.rare(|rare| std::mem::take(&mut rare.callbacks)));
        }
        all
    }

    /// The callbacks as asyncio shows them: a list of (function, context), or `None`.
    pub(super) fn callbacks(this: &Obj<Self>) -> Result<Option<Vec<Object>>> {
        if this.is_done() {
            return Ok(None);
        }
        let first = this.callback.take();
        this.callback.set(first.clone());
        let rest = this
            .look(|rare| Some(rare.callbacks.clone()))
            .unwrap_or_default();
        let mut shown = Vec::new();
        for callback in first.into_iter().chain(rest) {
            let (function, context) = match callback.context {
                Some(context) => (callback.target, context),
                None => (callback.target.attr(&names()._wakeup)?, none()),
            };
            shown.push(Tuple::of(&[function, context])?);
        }
        Ok(if shown.is_empty() { None } else { Some(shown) })
    }
}
