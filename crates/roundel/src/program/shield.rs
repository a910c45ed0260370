//! What goes on although nobody waits for it any more.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::error::Error;
use super::runtime::Core;
use super::task::JoinHandle;

/// Runs `future` as a task of its own, and gives what it comes to; it goes on if this is dropped.
///
/// # Cancel safety
///
/// The future comes to its end whether anybody waits or not, unless the runtime ends before.
///
/// # Panics
///
/// Panics if this thread runs no runtime. Awaiting it panics if `future` does.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, shield, sleep, timeout};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let saved = Rc::new(Cell::new(false));
///     let save = {
///         let saved = Rc::clone(&saved);
///         async move {
///             sleep(Duration::from_secs(2)).await;
///             saved.set(true);
///         }
///     };
///     assert!(timeout(Duration::from_secs(1), shield(save)).await.is_err());
///     sleep(Duration::from_secs(2)).await;
///     assert!(saved.get());
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
///
/// Source: `asyncio.shield`.
#[track_caller]
pub fn shield<F>(future: F) -> Shield<F::Output>
where
    F: Future + 'static,
{
    Shield {
        task: Core::current().spawn(future, Location::caller()),
    }
}

/// A future of what a task comes to that goes on without it: see [`shield`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, Shield, shield, sleep, timeout};
///
/// fn save(seconds: u64) -> Shield<&'static str> {
///     shield(async move {
///         sleep(Duration::from_secs(seconds)).await;
///         "saved"
///     })
/// }
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let mut saving = save(60);
///     assert!(timeout(Duration::from_secs(1), &mut saving).await.is_err());
///     assert_eq!(saving.await, "saved");
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Shield<T> {
    task: JoinHandle<T>,
}

impl<T> Future for Shield<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.task).poll(cx)) {
            Ok(output) => Poll::Ready(output),
            Err(Error::Panicked(panic)) => panic.resume(),
            // The task can be cancelled by itself and by the end of the runtime; both are such
            // that nobody is to go on.
            Err(_) => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield")
            .field("task", &self.task.task())
            .finish_non_exhaustive()
    }
}
