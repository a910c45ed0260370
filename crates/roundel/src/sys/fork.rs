//! Whether this process is a fork of the one that made something.
//!
//! A poller's other end is shared by both processes: what one of them changed there the other
//! would suffer from, and an event that one of them takes the other misses. Asking for the process
//! id before each use would cost a system call; the C library tells of forks for nothing.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks this process is away from the one that first asked.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// The process that something was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u32);

impl Generation {
    /// Returns that of this process.
    pub(crate) fn present() -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // SAFETY: the function does nothing but what is safe in a signal handler, and stays
            // where it is as long as this library does. If there is no memory for it, forks go
            // unnoticed, as they would without it.
            unsafe { libc::pthread_atfork(None, None, Some(count)) };
        });
        Self::of_process()
    }

    /// Returns whether this process is a fork of the one that this was.
    #[inline]
    pub(crate) fn is_past(self) -> bool {
        self != Self::of_process()
    }

    fn of_process() -> Self {
        // Relaxed: it changes only in a fork, which has a single thread then.
        Self(FORKS.load(Ordering::Relaxed))
    }
}

unsafe extern "C" fn count() {
    // Relaxed: as above.
    FORKS.fetch_add(1, Ordering::Relaxed);
}
