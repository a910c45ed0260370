//! Work outside the runtime that will come back to it.

use std::fmt;
use std::rc::Rc;

use super::runtime::Core;

/// Says that another thread is at work and will wake a task, until the result is dropped.
///
/// A virtual clock does not jump meanwhile, as nobody can tell how long such work takes, and a
/// runtime in which every task waits is not taken for deadlocked.
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::sync::{Arc, Mutex};
/// use std::task::Poll;
/// use std::thread;
/// use roundel::{Clock, Order, Runner, external_work};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let sum = runner.run(async {
///     let _work = external_work();
///     let sum = Arc::new(Mutex::new(None));
///     let mut adder = Some(Arc::clone(&sum));
///     poll_fn(move |cx| {
///         if let Some(result) = adder.take() {
///             let waker = cx.waker().clone();
///             thread::spawn(move || {
///                 *result.lock().unwrap() = Some(1 + 1);
///                 waker.wake();
///             });
///         }
///         sum.lock().unwrap().map_or(Poll::Pending, Poll::Ready)
///     })
///     .await
/// })?;
/// assert_eq!(sum, 2);
/// # Ok::<(), roundel::Error>(())
/// ```
#[track_caller]
pub fn external_work() -> ExternalWork {
    let core = Core::current();
    core.dispatcher.external_begin();
    ExternalWork { core }
}

/// Work in another thread, which ends when this is dropped: see [`external_work`].
///
/// # Examples
///
/// ```
/// use std::{future::poll_fn, mem, task::Poll, thread, time::Duration};
/// use roundel::{Clock, Order, Runner, external_work, sleep};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let work = external_work();
///     let mut is_first = true;
///     poll_fn(|cx| {
///         if !mem::take(&mut is_first) {
///             return Poll::Ready(());
///         }
///         let waker = cx.waker().clone();
///         thread::spawn(move || waker.wake());
///         Poll::Pending
///     })
///     .await;
///     drop(work);
///     sleep(Duration::from_secs(3600)).await; // Now the clock jumps again.
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[must_use = "the work counts as ended when this is dropped"]
pub struct ExternalWork {
    core: Rc<Core>,
}

impl Drop for ExternalWork {
    fn drop(&mut self) {
        self.core.dispatcher.external_end();
    }
}

impl fmt::Debug for ExternalWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalWork").finish_non_exhaustive()
    }
}
