//! A result that is on its way from one thread to another. Checked by loom in `tests/loom.rs`.

use std::fmt;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::error::Error;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Makes the two ends of a promise.
pub(crate) fn promise<T>() -> (Promise<T>, Promised<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::Pending(None)),
        kept: Condvar::new(),
    });
    (
        Promise {
            shared: Arc::clone(&shared),
        },
        Promised { shared },
    )
}

struct Shared<T> {
    state: Mutex<State<T>>,
    kept: Condvar,
}

enum State<T> {
    Pending(Option<Waker>),
    Kept(Result<T, Error>),
    Taken,
}

impl<T> Shared<T> {
    /// Locks the state, which no panic can leave half-changed.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, result: Result<T, Error>) {
        let mut state = self.lock();
        let State::Pending(waker) = &mut *state else {
            return;
        };
        let waker = waker.take();
        *state = State::Kept(result);
        drop(state);
        self.kept.notify_all();
        // Somebody else's code, perhaps: nothing is locked any more.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The end that promises. If it is dropped, the result is [`Error::Closed`].
pub(crate) struct Promise<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, result: Result<T, Error>) {
        self.shared.keep(result);
    }

    /// Returns whether anybody still waits for the result.
    pub(crate) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.shared.keep(Err(Error::Closed));
    }
}

/// The end that has been promised something.
pub(crate) struct Promised<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Promised<T> {
    pub(crate) fn is_kept(&self) -> bool {
        !matches!(*self.shared.lock(), State::Pending(_))
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, Error>> {
        // Cloning it may be somebody else's code: before anything is locked.
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        if let State::Pending(known) = &mut *state {
            let replaced = known.replace(waker);
            drop(state);
            drop(replaced);
            return Poll::Pending;
        }
        Poll::Ready(take(&mut state))
    }

    /// Blocks this thread until the promise is kept.
    pub(crate) fn wait(&self) -> Result<T, Error> {
        let mut state = self.shared.lock();
        while matches!(*state, State::Pending(_)) {
            let woken = self.shared.kept.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        take(&mut state)
    }
}

fn take<T>(state: &mut State<T>) -> Result<T, Error> {
    match mem::replace(state, State::Taken) {
        State::Kept(result) => result,
        State::Pending(_) | State::Taken => panic!("a result was asked for after its end"),
    }
}

impl<T> fmt::Debug for Promised<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promised")
            .field("is_kept", &self.is_kept())
            .finish_non_exhaustive()
    }
}
