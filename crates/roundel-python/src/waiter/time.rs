//! Waiters that wait for a time.

use super::Waiter;
use crate::event_loop::EventLoop;
use crate::hot::{IntoObject, Obj, Object, Result, none};
use crate::job::Job;
use crate::loop_ref::LoopRef;
use crate::names::names;

impl Waiter {
    /// Has the loop wake it after so many seconds. Its owner is the loop from then on, or a foreign loop's timer.
    pub(crate) fn wake_later(this: &Obj<Self>, event_loop: &LoopRef, delay: f64) -> Result<()> {
        match event_loop {
            LoopRef::Native(native) => {
                this.set_owner(native.as_any().clone());
                native.schedule_at(native.time()? + delay, Job::Wake(this.clone()))
            }
            LoopRef::Foreign(foreign) => {
                let wake = this.as_any().attr(&names()._wake)?;
                let args = [&delay.into_object()?, &wake, &none()];
                let timer = foreign.call_method(&names().call_later, args)?;
                this.set_owner(timer);
                Ok(())
            }
        }
    }

    fn set_owner(&self, owner: Object) {
        let first = self.owner.set(owner);
        debug_assert!(first.is_ok(), "a waiter has one owner");
    }

    /// Takes back what [`wake_later`](Self::wake_later) has arranged.
    pub(crate) fn forget_timer(&self) -> Result<()> {
        let Some(owner) = self.owner.get() else {
            return Ok(());
        };
        match owner.downcast::<EventLoop>() {
            Some(native) => native.timer_cancelled(),
            None => {
                owner.call_method(&names().cancel, [])?;
            }
        }
        Ok(())
    }
}
