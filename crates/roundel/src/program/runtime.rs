//! What the tasks of a thread have in common: a dispatcher, and the list of them.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;

use super::error::Error;
use super::sleep::Timer;
use super::task::{JoinHandle, Task, TaskId, Tasks};
use crate::dispatcher::{Clock, Dispatcher, Inbox, Job, Order};
use crate::sync::Arc;

thread_local! {
    /// The runtime whose jobs this thread is running.
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
}

/// Starts a task, which is run side by side with the one that calls this, from the next turn on.
///
/// The task goes on if the [`JoinHandle`] is dropped, as asyncio's do; it ends with the runtime at
/// the latest. If it panics, the handle tells.
///
/// # Panics
///
/// Panics if this thread runs no runtime: tasks are spawned from within [`run`](crate::run).
///
/// # Cost
///
/// One allocation, which holds the future and later its result.
///
/// # Examples
///
/// ```
/// roundel::run(async {
///     let answer = roundel::spawn(async { 6 * 7 });
///     assert_eq!(answer.await.unwrap(), 42);
/// });
/// ```
///
/// Source: `asyncio.create_task`.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    Core::current().spawn(future, Location::caller())
}

/// A dispatcher and its tasks.
pub(crate) struct Core {
    pub(crate) dispatcher: Dispatcher<Entry>,
    pub(crate) inbox: Arc<Inbox<TaskId>>,
    /// Every task that has not ended: this is what keeps it alive while it waits.
    pub(crate) tasks: Tasks,
    /// The task whose future is being polled.
    pub(crate) running: Cell<Option<TaskId>>,
}

impl Core {
    pub(crate) fn new(clock: Clock, order: Order) -> Result<Rc<Self>, Error> {
        let dispatcher = Dispatcher::new(clock, order)?;
        let inbox = dispatcher.inbox();
        let (tasks, running) = (Tasks::default(), Cell::new(None));
        Ok(Rc::new(Self {
            dispatcher,
            inbox,
            tasks,
            running,
        }))
    }

    /// Returns the runtime of this thread.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    #[track_caller]
    pub(crate) fn current() -> Rc<Self> {
        Self::try_current()
            .expect("there is no runtime in this thread: call this from within roundel::run")
    }

    /// Returns the runtime of this thread, if there is one.
    #[inline]
    pub(crate) fn try_current() -> Option<Rc<Self>> {
        // A thread that is about to end has no thread-locals any more, and no runtime.
        CURRENT
            .try_with(|current| current.borrow().clone())
            .ok()
            .flatten()
    }

    /// Returns whether `other` is the runtime of this thread. Nothing of it is touched.
    #[inline]
    pub(crate) fn is_current(other: &Rc<Self>) -> bool {
        let is_other = |current: &RefCell<Option<Rc<Self>>>| {
            current
                .borrow()
                .as_ref()
                .is_some_and(|core| Rc::ptr_eq(core, other))
        };
        CURRENT.try_with(is_other).unwrap_or(false)
    }

    /// Makes this the runtime of this thread until the result is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        Entered {
            previous: CURRENT.replace(Some(Rc::clone(self))),
        }
    }

    pub(crate) fn spawn<F>(
        self: &Rc<Self>,
        future: F,
        origin: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let (task, handle) = Task::new(self, future, origin);
        task.wake();
        handle
    }

    /// Returns the task whose future is being polled.
    #[inline]
    pub(crate) fn running_task(&self) -> Option<Task> {
        self.tasks.get(self.running.get()?)
    }

    /// Drops all tasks and timers, and what is spawned and set meanwhile.
    ///
    /// A task knows its runtime, so that one which stayed in here would keep both in memory.
    pub(crate) fn close(&self) {
        loop {
            self.tasks.all().into_iter().for_each(Task::abandon);
            let jobs = self.dispatcher.close();
            if jobs.is_empty() && self.tasks.all().is_empty() {
                return;
            }
        }
    }
}

/// What this face has its dispatcher run.
#[derive(Clone)]
pub(crate) enum Entry {
    /// A task can go on.
    Step(Task),
    /// The time has come that somebody has been waiting for.
    Timer(Rc<Timer>),
    /// Another thread has woken a task, which may have ended since.
    Woken(TaskId),
}

impl Job for Entry {
    type Remote = TaskId;

    fn from_remote(remote: TaskId) -> Self {
        Self::Woken(remote)
    }

    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Timer(timer) if timer.is_cancelled())
    }
}

/// Restores, when dropped, the runtime that this thread had before.
pub(crate) struct Entered {
    previous: Option<Rc<Core>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(CURRENT.replace(self.previous.take()));
    }
}
