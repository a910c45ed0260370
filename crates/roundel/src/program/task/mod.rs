//! A future on its way, and whoever awaits its end.

mod blocks;
#[expect(
    unsafe_code,
    reason = "a future is pinned in its task, which a waker knows by address"
)]
mod cell;
mod join_handle;
#[expect(
    unsafe_code,
    reason = "one word that any thread may read, for what few tasks have"
)]
mod lazy_arc;
mod tasks;
#[expect(unsafe_code, reason = "a waker knows its task by address")]
mod waker;

pub(crate) use blocks::Blocks;
pub(crate) use cell::Running;
pub use join_handle::JoinHandle;
pub(crate) use tasks::{TaskId, Tasks};
pub(crate) use waker::{TaskWaker, Travelling};

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::panic::Panic;
use super::runtime::{Core, Entry};
use cell::{CellRef, Header};

/// The task is in the ready queue, or will be as soon as it is no longer being polled.
const QUEUED: u8 = 1;
/// The future is being polled, or dropped.
const RUNNING: u8 = 2;
const CANCELLED: u8 = 4;
const ENDED: u8 = 8;
/// The task has a name, which its runtime keeps.
const NAMED: u8 = 16;

/// A future that its runtime polls whenever it is woken, until it is ready.
///
/// What it comes to is the [`JoinHandle`]'s to tell. This is what is left without that: who it is,
/// and a way to cancel it. [`current_task`](crate::current_task) and [`JoinHandle::task`] give one.
///
/// # Examples
///
/// ```
/// use roundel::{current_task, spawn_named};
///
/// roundel::run(async {
///     let name = spawn_named("worker", async { current_task().map(|task| task.name()) });
///     assert_eq!(name.await.unwrap().unwrap(), "worker");
/// });
/// ```
///
/// Source: `asyncio.Task`.
#[derive(Clone)]
pub struct Task(CellRef);

impl Task {
    /// Makes a task of a future and adds it to those of its runtime. It has yet to be woken.
    pub(crate) fn new<F>(
        core: Rc<Core>,
        future: F,
        origin: &'static Location<'static>,
    ) -> (Self, JoinHandle<F::Output>)
    where
        F: Future + 'static,
    {
        let (cell, outcome) = CellRef::allocate(core, origin, future);
        let task = Self(cell);
        task.0.core.tasks.add(task.clone());
        (task, JoinHandle::new(outcome))
    }

    /// Returns the task's name or, if it has none, where it was spawned.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{current_task, spawn_named};
    ///
    /// roundel::run(async {
    ///     let worker = spawn_named("worker", async {}).task();
    ///     assert_eq!(worker.name(), "worker");
    ///     assert_eq!(current_task().expect("this is one").name(), "main");
    /// });
    /// ```
    pub fn name(&self) -> String {
        self.0.to_string()
    }

    /// Has the task end without being polled again, and returns whether it had not ended yet.
    ///
    /// As [`JoinHandle::cancel`].
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Event, spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let task = spawn(async { Event::new().wait().await }).task();
    ///     assert!(task.cancel());
    ///     yield_now().await;
    ///     assert!(task.is_finished());
    ///     assert!(!task.cancel(), "it has ended already");
    /// });
    /// ```
    pub fn cancel(&self) -> bool {
        if self.has_ended() {
            return false;
        }
        self.0.set(CANCELLED);
        self.clone().wake();
        true
    }

    /// Returns whether the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let task = spawn(async {}).task();
    ///     assert!(!task.is_finished());
    ///     yield_now().await;
    ///     assert!(task.is_finished());
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.has_ended()
    }

    /// Puts the task at the back of the ready queue, unless it is there or has ended.
    #[inline]
    pub(crate) fn wake(self) {
        let header = &self.0;
        if header.is(ENDED | QUEUED) {
            return;
        }
        header.set(QUEUED);
        if !header.is(RUNNING) {
            self.0.queue();
        }
    }

    /// Polls the future of a task whose turn has come.
    #[inline]
    pub(crate) fn step(self, core: &Core) {
        let header = &self.0;
        if header.is(ENDED | CANCELLED) {
            header.clear(QUEUED);
            return self.abandon();
        }
        if header.poll(core) {
            self.end();
        } else if header.is(CANCELLED | QUEUED) {
            header.set(QUEUED);
            core.dispatcher.push(Entry::Step(self));
        }
    }

    /// Steps a task that another thread has woken, unless it has a turn of its own already.
    pub(crate) fn step_if_idle(self, core: &Core) {
        if !self.0.is(QUEUED) {
            self.step(core);
        }
    }

    /// Drops the future, and ends the task. One that is being polled ends afterwards.
    pub(crate) fn abandon(self) {
        if self.0.is(RUNNING) {
            self.0.set(CANCELLED);
        } else if !self.has_ended() {
            self.0.abandon();
            self.end();
        }
    }

    /// Tells whoever awaits the task that it has ended.
    fn end(self) {
        let header = &self.0;
        header.set(ENDED);
        drop(header.core.tasks.remove(&self));
        if let Some(joiner) = header.joiner.take() {
            joiner.wake();
        }
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is(ENDED)
    }
}

impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(&raw const *self.0, &raw const *other.0)
    }
}

impl Eq for Task {}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name())
            .field("finished", &self.has_ended())
            .finish_non_exhaustive()
    }
}

impl Header {
    /// Gives the task a name.
    fn set_name(&self, name: Rc<str>) {
        self.set(NAMED);
        self.core.tasks.set_name(self.id, name);
    }

    /// Says of which task a panic has been.
    fn panic(&self, payload: Box<dyn Any + Send>) -> Panic {
        Panic::new(self.to_string(), payload)
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.is(NAMED).then(|| self.core.tasks.name(self.id));
        match name.flatten() {
            Some(name) => f.write_str(&name),
            None => write!(f, "the task spawned at {}", self.origin),
        }
    }
}
