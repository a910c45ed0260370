//! What can go wrong with what a program awaits.

use std::fmt;
use std::io;

use super::deadlock::Deadlock;
use super::panic::Panic;

/// Why something that was awaited has not come to its end, or why something was refused.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Error, Queue, timeout};
///
/// /// Fails if there is nothing in time, and if there will never be anything.
/// async fn next(queue: &Queue<u32>) -> Result<u32, Error> {
///     timeout(Duration::ZERO, queue.get()).await?
/// }
///
/// roundel::run(async {
///     let queue = Queue::unbounded();
///     assert!(matches!(next(&queue).await, Err(Error::Timeout)));
///     queue.shutdown();
///     assert!(matches!(next(&queue).await, Err(Error::QueueShutDown)));
/// });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The task has been cancelled.
    Cancelled,
    /// The task has panicked.
    Panicked(Panic),
    /// The time was up.
    Timeout,
    /// The queue has no item to give at once.
    QueueEmpty,
    /// The queue has no room at once.
    QueueFull,
    /// The queue has been shut down.
    QueueShutDown,
    /// Every task waits, and there is nothing left that could wake one.
    Deadlock(Deadlock),
    /// The other end is gone: the runtime, the sender, the receiver.
    Closed,
    /// The barrier has been aborted.
    BrokenBarrier,
    /// The operating system has refused something.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task has been cancelled"),
            Self::Panicked(panic) => panic.fmt(f),
            Self::Timeout => f.write_str("the time was up"),
            Self::QueueEmpty => f.write_str("the queue is empty"),
            Self::QueueFull => f.write_str("the queue is full"),
            Self::QueueShutDown => f.write_str("the queue has been shut down"),
            Self::Deadlock(deadlock) => deadlock.fmt(f),
            Self::BrokenBarrier => f.write_str("the barrier is broken"),
            Self::Closed => f.write_str("the other end is gone"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its own words are this error's, so that its cause is the next in line.
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
