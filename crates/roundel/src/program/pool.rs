//! The threads of a runtime that do what would block it. Checked by loom in `tests/loom.rs`.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, thread};

/// How many threads a runtime has at most.
const MOST_THREADS: usize = 32;

/// How long a thread waits for more to do before it ends.
const PATIENCE: Duration = Duration::from_secs(10);

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
    pub(crate) fn new() -> Self {
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
    pub(crate) fn push(&self, work: Work) -> io::Result<()> {
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
