//! A future on its way, and whoever awaits its end.

#[expect(
    unsafe_code,
    reason = "a future is pinned in its task, which a waker knows by address"
)]
mod cell;
mod join_handle;
mod label;
mod tasks;
mod waker;

pub use join_handle::JoinHandle;
pub(crate) use tasks::{TaskId, Tasks};
pub(crate) use waker::TaskWaker;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use super::runtime::{Core, Entry};
use cell::CellRef;
use label::Label;

/// A future that the runtime polls whenever it is woken, until it is ready.
#[derive(Clone)]
pub(crate) struct Task(CellRef);

impl Task {
    /// Makes a task of a future and adds it to those of its runtime. It has yet to be woken.
    pub(crate) fn new<F>(
        core: &Rc<Core>,
        future: F,
        origin: &'static Location<'static>,
    ) -> (Self, JoinHandle<F::Output>)
    where
        F: Future + 'static,
    {
        core.tasks.add(|id| {
            let (cell, outcome) = CellRef::allocate(id, core, Label::new(origin), future);
            (Self(cell), JoinHandle::new(outcome))
        })
    }

    /// Puts the task at the back of the ready queue, unless it is there or has ended.
    #[inline]
    pub(crate) fn wake(self) {
        let header = &self.0;
        if header.has_ended.get() || header.is_queued.replace(true) || header.is_running.get() {
            return;
        }
        let core = Rc::clone(&header.core);
        core.dispatcher.push(Entry::Step(self));
    }

    /// Has the task dropped instead of polled when its turn comes.
    pub(crate) fn cancel(self) {
        self.0.is_cancelled.set(true);
        self.wake();
    }

    /// Polls the future of a task whose turn has come.
    #[inline]
    pub(crate) fn step(self, core: &Core) {
        let header = &self.0;
        header.is_queued.set(false);
        if header.has_ended.get() {
            return;
        }
        if header.is_cancelled.get() {
            return self.abandon();
        }
        header.is_running.set(true);
        core.running.set(Some(header.id));
        let has_ended = self.0.poll();
        core.running.set(None);
        header.is_running.set(false);
        if has_ended {
            self.end();
        } else if header.is_cancelled.get() || header.is_queued.get() {
            header.is_queued.set(true);
            core.dispatcher.push(Entry::Step(self));
        }
    }

    /// Steps a task that another thread has woken, unless it has a turn of its own already.
    pub(crate) fn step_if_idle(self, core: &Core) {
        if !self.0.is_queued.get() {
            self.step(core);
        }
    }

    /// Drops the future, and ends the task.
    pub(crate) fn abandon(self) {
        self.0.abandon();
        self.end();
    }

    /// Tells whoever awaits the task that it has ended.
    fn end(self) {
        let header = &self.0;
        header.has_ended.set(true);
        drop(header.core.tasks.remove(header.id));
        if let Some(joiner) = header.joiner.take() {
            joiner.wake();
        }
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.has_ended.get()
    }

    #[inline]
    fn is_woken_by(&self, waker: &Waker) -> bool {
        self.0.is_woken_by(waker)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.label.fmt(f)
    }
}
