//! Threads for what would block the dispatcher.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::Error;
use super::external::external_work;
use super::panic::Panic;
use super::pool::Pool;
use super::promise::promise;
use super::runtime::Core;

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
