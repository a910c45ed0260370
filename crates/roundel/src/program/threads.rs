//! Threads for what would block the dispatcher.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::error::Error;
use super::external::external_work;
use super::panic::Panic;
use super::promise::promise;
use super::runtime::Core;

/// How many threads a runtime has at most.
const MOST_THREADS: usize = 32;

/// How long a thread waits for more to do before it ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls `function` in another thread, and gives what it returns.
///
/// For what would block the dispatcher: a long computation, or a library that knows no `.await`.
/// A runtime has up to 32 threads for that, which start when they are needed and end when they have
/// had nothing to do for ten seconds; further calls wait for one of them. A virtual clock does not
/// jump meanwhile.
///
/// # Errors
///
/// Gives [`Error::Panicked`] if the function panics, and [`Error::Io`] if the operating system
/// refuses the first thread.
///
/// # Cancel safety
///
/// A call that has not begun is never made. One that has begun goes on, but its result is dropped;
/// the runtime does not wait for it when it ends.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use roundel::to_thread;
///
/// roundel::run(async {
///     let sum = to_thread(|| (1..=1_000_u64).sum::<u64>()).await.unwrap();
///     assert_eq!(sum, 500_500);
/// });
/// ```
///
/// Source: `asyncio.to_thread`.
pub async fn to_thread<F, T>(function: F) -> Result<T, Error>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (promise, promised) = promise();
    let work = Box::new(move || {
        if promise.is_wanted() {
            let outcome = catch_unwind(AssertUnwindSafe(function));
            promise.keep(outcome.map_err(|payload| {
                let name = "a function in another thread".to_owned();
                Error::Panicked(Panic::new(name, payload))
            }));
        }
    });
    Core::current().pool.get_or_init(Pool::new).push(work)?;
    let _work = external_work();
    std::future::poll_fn(|cx| {
        let poll = promised.poll(cx);
        if poll.is_pending() {
            super::deadlock::note(|| "to_thread".to_owned());
        }
        poll
    })
    .await
}

/// Has another thread ask the operating system for something that may take its time.
pub(crate) async fn io_in_thread<T: Send + 'static>(
    ask: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match to_thread(ask).await {
        Ok(outcome) => outcome,
        Err(Error::Io(error)) => Err(error),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// The threads of a runtime.
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queue: VecDeque<Work>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    fn new() -> Self {
        let state = State {
            queue: VecDeque::new(),
            threads: 0,
            idle: 0,
            is_closed: false,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Condvar::new(),
            }),
        }
    }

    /// Has a thread do `work`: an idle one, a new one, or the first that has nothing else to do.
    fn push(&self, work: Work) -> io::Result<()> {
        let mut state = self.shared.lock();
        if state.is_closed {
            drop(state);
            return Err(io::Error::other("the runtime has ended"));
        }
        if state.idle <= state.queue.len() && state.threads < MOST_THREADS {
            let shared = Arc::clone(&self.shared);
            let started = thread::Builder::new()
                .name("roundel-worker".to_owned())
                .spawn(move || shared.work());
            match started {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => {
                    drop(state);
                    return Err(error);
                }
                // Those there are will get to it.
                Err(_) => {}
            }
        }
        state.queue.push_back(work);
        drop(state);
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Drops what no thread has begun; the threads end as soon as they have nothing to do.
    pub(crate) fn close(&self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.changed.notify_all();
        // Dropping it may run anybody's code.
        drop(queue);
    }
}

impl Shared {
    /// Locks the state, which no panic can leave half-changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does all its life.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // What panics is the drop of something that nobody wanted: the thread goes on.
                drop(catch_unwind(AssertUnwindSafe(work)));
                state = self.lock();
                continue;
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, PATIENCE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}
