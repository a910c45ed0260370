//! The way into a runtime from other threads.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::error::Error;
use super::promise::{Promised, promise};
use super::runtime::{Core, Letter, spawn};
use super::task::Travelling;
use crate::dispatcher::Inbox;

/// A runtime as other threads know it.
///
/// It can be cloned and sent, and outlives the runtime without harm: what it is asked to do is
/// refused then. To a virtual clock and to the search for deadlocks other threads are unknown,
/// unless [`external_work`](crate::external_work) says that one is at work.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use roundel::{Handle, external_work, to_thread};
///
/// roundel::run(async {
///     let handle = Handle::current();
///     let answer = to_thread(move || handle.spawn(async { 6 * 7 }).join()).await;
///     assert_eq!(answer.unwrap().unwrap(), 42);
/// });
/// ```
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<Inbox<Letter>>,
}

impl Handle {
    /// Returns a handle of this thread's runtime.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs no runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Handle, to_thread};
    ///
    /// roundel::run(async {
    ///     let handle = Handle::current();
    ///     let is_accepted = to_thread(move || handle.call_soon(|| ()).is_ok()).await;
    ///     assert!(is_accepted.unwrap());
    /// });
    /// ```
    ///
    /// Source: `asyncio.get_running_loop`.
    #[track_caller]
    pub fn current() -> Self {
        Self::of(&Core::current())
    }

    pub(super) fn of(core: &Core) -> Self {
        Self {
            inbox: Arc::clone(&core.inbox),
        }
    }

    /// Has `callback` called in the runtime's thread, in the next turn.
    ///
    /// Callbacks are called in the order in which they were handed in. One that panics ends nothing
    /// else: see [`Runner::on_unheard_panic`](crate::Runner::on_unheard_panic).
    ///
    /// # Errors
    ///
    /// Gives [`Error::Closed`] if the runtime has ended. A callback that was handed in before, but
    /// not called by then, is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use roundel::{Handle, spawn, to_thread};
    ///
    /// roundel::run(async {
    ///     let handle = Handle::current();
    ///     to_thread(move || handle.call_soon(|| drop(spawn(async { println!("spawned") }))))
    ///         .await
    ///         .unwrap()
    ///         .unwrap();
    /// });
    /// ```
    ///
    /// Source: `loop.call_soon_threadsafe`.
    pub fn call_soon(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let outcome = self.inbox.push(Letter::Call(Box::new(callback)));
        outcome.map_err(|_refused| Error::Closed)
    }

    /// Starts a task in the runtime.
    ///
    /// If the runtime has ended, or ends before the task does, the task gives [`Error::Closed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::thread;
    /// use roundel::{Handle, to_thread};
    ///
    /// roundel::run(async {
    ///     let (handle, home) = (Handle::current(), thread::current().id());
    ///     let remote = to_thread(move || handle.spawn(async { thread::current().id() }));
    ///     assert_eq!(remote.await.unwrap().await.unwrap(), home);
    /// });
    /// ```
    ///
    /// Source: `asyncio.run_coroutine_threadsafe`.
    pub fn spawn<F>(&self, future: F) -> RemoteTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_with(move || future)
    }

    /// Starts a task in the runtime, whose future is made there and never leaves it.
    ///
    /// So it need not be [`Send`]: only `make` and the result have to be. As [`spawn`](Self::spawn)
    /// otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use roundel::{Handle, to_thread, yield_now};
    ///
    /// roundel::run(async {
    ///     let handle = Handle::current();
    ///     let remote = to_thread(move || {
    ///         handle.spawn_with(|| async {
    ///             let local = Rc::new(7);
    ///             yield_now().await;
    ///             *local
    ///         })
    ///     });
    ///     assert_eq!(remote.await.unwrap().await.unwrap(), 7);
    /// });
    /// ```
    pub fn spawn_with<M, F>(&self, make: M) -> RemoteTask<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (promise, promised) = promise();
        let task = Arc::new(Mutex::new(None));
        let started = Arc::clone(&task);
        let start = move || {
            let handle = spawn(async move { make().await });
            *started.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.travelling());
            drop(spawn(async move { promise.keep(handle.await) }));
        };
        // If that is refused, the promise has been dropped, and the result says so.
        drop(self.call_soon(start));
        RemoteTask {
            handle: self.clone(),
            task,
            promised,
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// A task that a [`Handle`] has started: what it comes to can be had in any thread.
///
/// It is a future for other runtimes, this one's tasks included, and [`join`](Self::join) is for
/// threads without one. To drop it is to let the task go on by itself.
///
/// # Errors
///
/// Awaiting it gives [`Error::Cancelled`] and [`Error::Panicked`] as a
/// [`JoinHandle`](crate::JoinHandle) does, and [`Error::Closed`] if the runtime has ended before
/// the task.
///
/// # Examples
///
/// ```
/// use roundel::{Clock, Error, Order, Runner};
///
/// let runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
/// let remote = runner.handle().spawn(async { 6 * 7 });
/// drop(runner);
/// assert!(matches!(remote.join(), Err(Error::Closed)), "it has never been run");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct RemoteTask<T> {
    handle: Handle,
    task: Arc<Mutex<Option<Arc<Travelling>>>>,
    promised: Promised<T>,
}

impl<T> RemoteTask<T> {
    /// Blocks this thread until the task has ended.
    ///
    /// # Errors
    ///
    /// As awaiting it.
    ///
    /// # Panics
    ///
    /// Panics in the thread of the runtime itself, which would wait for good.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, Handle, to_thread};
    ///
    /// roundel::run(async {
    ///     let remote = Handle::current().spawn(async { panic!("no way") });
    ///     let outcome: Result<(), Error> = to_thread(|| remote.join()).await.unwrap();
    ///     assert!(matches!(outcome, Err(Error::Panicked(_))));
    /// });
    /// ```
    pub fn join(self) -> Result<T, Error> {
        let is_home =
            Core::try_current().is_some_and(|core| Arc::ptr_eq(&core.inbox, &self.handle.inbox));
        assert!(
            !is_home || self.is_finished(),
            "to join a task blocks the runtime that is to run it: await it instead"
        );
        self.promised.wait()
    }

    /// Has the task end without being polled again, as soon as its runtime gets to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, Handle};
    ///
    /// roundel::run(async {
    ///     let remote = Handle::current().spawn(std::future::pending::<()>());
    ///     remote.cancel();
    ///     assert!(matches!(remote.await, Err(Error::Cancelled)));
    /// });
    /// ```
    pub fn cancel(&self) {
        let task = Arc::clone(&self.task);
        // If the runtime has ended, so has the task.
        drop(self.handle.call_soon(move || {
            let known = task.lock().unwrap_or_else(PoisonError::into_inner).take();
            let task = known.and_then(|known| known.task(&*Core::try_current()?));
            if let Some(task) = task {
                task.cancel();
            }
        }));
    }

    /// Returns whether the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Handle, yield_now};
    ///
    /// roundel::run(async {
    ///     let remote = Handle::current().spawn(async { 6 * 7 });
    ///     while !remote.is_finished() {
    ///         yield_now().await;
    ///     }
    ///     assert_eq!(remote.join().unwrap(), 42, "this blocks nobody any more");
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.promised.is_kept()
    }
}

impl<T> Future for RemoteTask<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = self.promised.poll(cx);
        if poll.is_pending() {
            super::deadlock::note(|| "RemoteTask".to_owned());
        }
        poll
    }
}
