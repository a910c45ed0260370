//! Waiting no longer than so long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::error::Error;
use super::instant::Instant;
use super::sleep::{Sleep, sleep, sleep_until};

/// Awaits `future`, but only for so long, counted from when this is first polled.
///
/// The future is polled before the clock is read, so that what is ready at once is never late, not
/// even with no time at all. What was too late is dropped together with the result of this
/// function.
///
/// # Errors
///
/// Gives [`Error::Timeout`] if the time was up before the future was ready.
///
/// # Cancel safety
///
/// That of `future`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Error, Event, Order, Runner, timeout};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let never = Event::new();
///     let outcome = timeout(Duration::from_secs(60), never.wait()).await;
///     assert!(matches!(outcome, Err(Error::Timeout)));
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// Source: `asyncio.wait_for`.
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep(duration),
    }
}

/// Awaits `future`, but only until `deadline`: otherwise as [`timeout`].
///
/// # Errors
///
/// Gives [`Error::Timeout`] if the time was up before the future was ready.
///
/// # Cancel safety
///
/// That of `future`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Error, Order, Runner, now, sleep, timeout_at};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let deadline = now() + Duration::from_secs(3);
///     let second = Duration::from_secs(1);
///     let mut count = 0;
///     while timeout_at(deadline, sleep(second)).await.is_ok() {
///         count += 1;
///     }
///     assert_eq!((now(), count), (deadline, 3));
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// Source: `asyncio.timeout_at`.
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep_until(deadline),
    }
}

pin_project! {
    /// A future that is ready when another one is, or when its time is up: see [`timeout`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Sleep, Timeout, sleep, timeout};
    ///
    /// /// A type that has a name, for a field of a struct.
    /// fn nap() -> Timeout<Sleep> {
    ///     timeout(Duration::ZERO, sleep(Duration::from_secs(3600)))
    /// }
    ///
    /// assert!(roundel::run(nap()).is_err());
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Error>;

    #[expect(
        clippy::inline_always,
        reason = "a result that is returned in memory costs 10 ns"
    )]
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(this.sleep).poll(cx).map(|()| Err(Error::Timeout))
    }
}
