//! What is in the ready queue of a Python loop.

use crate::callback::Callback;
use crate::channel::Channel;
use crate::future::Future;
use crate::handle::Handle;
use crate::hot::{Obj, Object, Remote, Visit};
use crate::task::Task;
use crate::waiter::Waiter;

/// An entry of the ready queue: two words.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Run a callback.
    Handle(Obj<Handle>),
    /// Step a task.
    Step(Obj<Task>),
    /// Run the callback of our own that a future that is done has kept.
    Told(Obj<Future>),
    /// Run a callback of our own, if it still is about something, for which the time has come.
    Alarm(Obj<Callback>),
    /// Wake who sleeps on this.
    Wake(Obj<Waiter>),
    /// Do what a native object waits to do.
    Channel(Obj<Channel>),
}

impl roundel::Job for Job {
    type Remote = Remote<Self>;

    fn from_remote(remote: Remote<Self>) -> Self {
        remote.open()
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Self::Handle(handle) => handle.is_cancelled(),
            Self::Step(_) | Self::Told(_) => false,
            Self::Channel(channel) => channel.is_cancelled(),
            Self::Alarm(callback) => callback.is_idle(),
            Self::Wake(waiter) => !waiter.is_parked(),
        }
    }

    /// asyncio promises the order of callbacks, not that of tasks.
    fn is_reorderable(&self) -> bool {
        matches!(self, Self::Step(_))
    }

    /// What a program watches by itself it may make ready by itself, unseen by us; asyncio asks in each turn. A
    /// transport's other end, if it is ours at all, is mostly that of another one, which says so.
    fn is_impatient(&self) -> bool {
        matches!(self, Self::Handle(_) | Self::Wake(_))
    }
}

impl Job {
    /// The object that it is about.
    pub(crate) fn into_object(self) -> Object {
        match self {
            Self::Handle(handle) => handle.into_any(),
            Self::Step(task) => task.into_any(),
            Self::Told(future) => future.into_any(),
            Self::Alarm(callback) => callback.into_any(),
            Self::Wake(waiter) => waiter.into_any(),
            Self::Channel(channel) => channel.into_any(),
        }
    }

    /// Shows what it owns to the garbage collector.
    pub(crate) fn traverse(&self, visit: &mut Visit) {
        match self {
            Self::Handle(handle) => visit.object(handle),
            Self::Step(task) => visit.object(task),
            Self::Told(future) => visit.object(future),
            Self::Alarm(callback) => visit.object(callback),
            Self::Wake(waiter) => visit.object(waiter),
            Self::Channel(channel) => visit.object(channel),
        }
    }
}
