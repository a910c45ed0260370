//! What can go wrong with what a program awaits.

use std::any::Any;
use std::fmt;
use std::io;

use super::deadlock::Deadlock;

/// Why something that was awaited has not come to its end, or why something was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The task has been cancelled.
    Cancelled,
    /// The task has panicked; this is what it panicked with.
    Panicked(Box<dyn Any + Send>),
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
    /// The operating system has refused something.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the task has been cancelled"),
            Self::Panicked(payload) => match message(&**payload) {
                Some(message) => write!(f, "the task has panicked: {message}"),
                None => f.write_str("the task has panicked"),
            },
            Self::Timeout => f.write_str("the time was up"),
            Self::QueueEmpty => f.write_str("the queue is empty"),
            Self::QueueFull => f.write_str("the queue is full"),
            Self::QueueShutDown => f.write_str("the queue has been shut down"),
            Self::Deadlock(deadlock) => deadlock.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Returns the words of a panic, if it was one of words.
fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
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
