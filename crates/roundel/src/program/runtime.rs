//! What the tasks of a thread have in common: a dispatcher, and the list of them.

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;
use std::rc::Rc;

use super::error::Error;
use super::operation::Errand;
use super::panic::Panic;
use super::pool::Pool;
use super::sleep::Timer;
use super::source::Source;
use super::task::{Blocks, JoinHandle, Running, Task, TaskId, Tasks, Travelling};
use crate::dispatcher::{Clock, Dispatcher, Inbox, Job, Order};
use crate::sync::Arc;

thread_local! {
    /// The runtime whose jobs this thread is running.
    static CURRENT: RefCell<Option<Rc<Core>>> = const { RefCell::new(None) };
    /// Its address: to compare it costs no more than to read it.
    static ADDRESS: Cell<*const Core> = const { Cell::new(ptr::null()) };
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

/// Starts a task that has a name, which is used in reports: otherwise as [`spawn`].
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use roundel::spawn_named;
///
/// roundel::run(async {
///     let task = spawn_named("answer", async { 6 * 7 });
///     assert_eq!(task.name(), "answer");
///     assert_eq!(task.await.unwrap(), 42);
/// });
/// ```
///
/// Source: `asyncio.create_task(name=…)`.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Rc<str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    spawn(future).named(name)
}

/// Returns the task that calls this, if it is called by one.
///
/// # Examples
///
/// ```
/// use roundel::{Error, current_task, spawn, yield_now};
///
/// roundel::run(async {
///     let weary = spawn(async {
///         current_task().expect("this is one").cancel();
///         yield_now().await;
///         unreachable!("it has ended by then");
///     });
///     assert!(matches!(weary.await, Err(Error::Cancelled)));
/// });
/// assert!(current_task().is_none());
/// ```
///
/// Source: `asyncio.current_task`.
pub fn current_task() -> Option<Task> {
    Core::try_current()?.running_task()
}

/// Returns the name of the task that this thread is polling.
#[inline]
pub(crate) fn running_id() -> Option<TaskId> {
    CURRENT
        .try_with(|current| current.borrow().as_ref()?.running.id())
        .ok()
        .flatten()
}

/// How often a task may use descriptors that are always ready, before it lets others go first.
const ALLOWANCE: u32 = 64;

/// A dispatcher and its tasks.
pub(crate) struct Core {
    pub(crate) dispatcher: Dispatcher<Entry>,
    pub(crate) inbox: Arc<Inbox<Letter>>,
    /// Every task that has not ended: this is what keeps it alive while it waits.
    pub(crate) tasks: Tasks,
    /// The task whose future is being polled.
    pub(crate) running: Running,
    /// How often the running task may still use a descriptor before it lets others go first.
    allowance: Cell<u32>,
    /// Memory for tasks.
    pub(crate) blocks: Blocks,
    /// Threads for what would block this one, once there is need of them.
    pub(crate) pool: OnceCell<Pool>,
    panic_handler: RefCell<Option<Rc<PanicHandler>>>,
}

/// Hears of panics that nobody else will hear of.
pub(crate) type PanicHandler = dyn Fn(Panic);

impl Core {
    pub(crate) fn new(clock: Clock, order: Order) -> Result<Rc<Self>, Error> {
        let dispatcher = Dispatcher::new(clock, order)?;
        let inbox = dispatcher.inbox();
        Ok(Rc::new(Self {
            dispatcher,
            inbox,
            tasks: Tasks::default(),
            running: Running::default(),
            allowance: Cell::new(ALLOWANCE),
            blocks: Blocks::default(),
            pool: OnceCell::new(),
            panic_handler: RefCell::default(),
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
        ptr::eq(ADDRESS.get(), Rc::as_ptr(other))
    }

    /// Makes this the runtime of this thread until the result is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        ADDRESS.set(Rc::as_ptr(self));
        Entered {
            previous: CURRENT.replace(Some(Rc::clone(self))),
        }
    }

    pub(crate) fn spawn<F>(
        self: Rc<Self>,
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
        self.running.task()
    }

    /// Counts a use of a descriptor, and returns whether the running task may go on.
    pub(crate) fn spend(&self) -> bool {
        let left = self.allowance.get().checked_sub(1);
        self.allowance.set(left.unwrap_or(ALLOWANCE));
        left.is_some()
    }

    /// Calls a function that another thread has sent; a panic of it ends nothing else.
    pub(crate) fn call(&self, call: Callback) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            self.panicked_unheard(Panic::new("a callback".to_owned(), payload));
        }
    }

    pub(crate) fn set_panic_handler(&self, handler: Rc<PanicHandler>) {
        let replaced = self.panic_handler.replace(Some(handler));
        drop(replaced);
    }

    /// Reports a panic that nobody will ask for any more.
    pub(crate) fn panicked_unheard(&self, panic: Panic) {
        let handler = self.panic_handler.borrow().clone();
        if let Some(handler) = handler {
            handler(panic);
        }
    }

    /// Drops all tasks and timers, and what is spawned and set meanwhile.
    ///
    /// A task knows its runtime, so that one which stayed in here would keep both in memory.
    pub(crate) fn close(&self) {
        if let Some(pool) = self.pool.get() {
            pool.close();
        }
        loop {
            self.tasks.all().into_iter().for_each(Task::abandon);
            let jobs = self.dispatcher.close();
            for job in &jobs {
                if let Entry::Readable(source) | Entry::Writable(source) = job {
                    source.outlive_runtime();
                }
            }
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
    Woken(Arc<Travelling>),
    /// A descriptor can be read.
    Readable(Rc<Source>),
    /// A descriptor can be written.
    Writable(Rc<Source>),
    /// A file has been read or written.
    Errand(Rc<Errand>),
    /// Another thread wants this done.
    Call(Rc<Cell<Option<Callback>>>),
}

/// A function that is called once, in the thread of the runtime.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// What other threads send.
pub(crate) enum Letter {
    Wake(Arc<Travelling>),
    Call(Callback),
}

impl Job for Entry {
    type Remote = Letter;

    fn from_remote(remote: Letter) -> Self {
        match remote {
            Letter::Wake(travelling) => Self::Woken(travelling),
            Letter::Call(call) => Self::Call(Rc::new(Cell::new(Some(call)))),
        }
    }

    fn is_cancelled(&self) -> bool {
        matches!(self, Self::Timer(timer) if timer.is_cancelled())
    }

    /// What one thread has sent is done in the order in which it was sent.
    fn is_reorderable(&self) -> bool {
        !matches!(self, Self::Call(_))
    }
}

/// Restores, when dropped, the runtime that this thread had before.
pub(crate) struct Entered {
    previous: Option<Rc<Core>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        ADDRESS.set(self.previous.as_ref().map_or(ptr::null(), Rc::as_ptr));
        drop(CURRENT.replace(self.previous.take()));
    }
}
