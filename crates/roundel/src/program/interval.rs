//! Again and again, after so long.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::instant::{Instant, now};
use super::sleep::{Sleep, sleep_until};

/// Ticks at once when it is first polled, and then once in each `period`.
///
/// The ticks do not drift: each is due at a multiple of the period after the first one. Who comes
/// late for a tick gets it at once, and those that have been missed entirely are left out.
///
/// # Panics
///
/// Panics if `period` is no time at all. Polling it panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, interval, now, sleep};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let began = now();
///     let mut interval = interval(Duration::from_secs(2));
///     interval.tick().await;
///     sleep(Duration::from_secs(5)).await;
///     interval.tick().await;
///     assert_eq!(now() - began, Duration::from_secs(5), "late, and at once");
///     interval.tick().await;
///     assert_eq!(now() - began, Duration::from_secs(6), "in step again");
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval takes some time");
    Interval {
        period,
        next: None,
        sleep: None,
    }
}

/// A stream of moments: see [`interval`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use futures_lite::StreamExt;
/// use roundel::{Clock, Order, Runner, interval, now};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let began = now();
///     let ticks = interval(Duration::from_secs(2)).take(3);
///     let seconds = ticks.map(|due| (due - began).as_secs()).collect::<Vec<_>>().await;
///     assert_eq!(seconds, [0, 2, 4]);
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[must_use = "an interval does nothing unless it is waited for"]
pub struct Interval {
    period: Duration,
    /// When the next tick is due; not known before the first one.
    next: Option<Instant>,
    sleep: Option<Sleep>,
}

impl Interval {
    /// Waits for the next tick, and gives the moment when that was due.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Clock, Order, Runner, interval, now};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// runner.run(async {
    ///     let second = Duration::from_secs(1);
    ///     let mut interval = interval(second);
    ///     let first = interval.tick().await;
    ///     assert_eq!(first, now(), "the first one is at once");
    ///     assert_eq!(interval.tick().await, first + second);
    /// })?;
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub async fn tick(&mut self) -> Instant {
        std::future::poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Begins anew: the next tick is a period from now.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs no runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Clock, Order, Runner, interval, now, sleep};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// runner.run(async {
    ///     let mut interval = interval(Duration::from_secs(10));
    ///     let first = interval.tick().await;
    ///     sleep(Duration::from_secs(7)).await;
    ///     interval.reset();
    ///     interval.tick().await;
    ///     assert_eq!(now() - first, Duration::from_secs(17));
    /// })?;
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn reset(&mut self) {
        self.next = Some(now() + self.period);
        self.sleep = None;
    }

    /// Returns the time between two ticks.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let interval = roundel::interval(Duration::from_secs(2));
    /// assert_eq!(interval.period(), Duration::from_secs(2));
    /// ```
    pub fn period(&self) -> Duration {
        self.period
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let due = *self.next.get_or_insert_with(now);
        let sleep = self.sleep.get_or_insert_with(|| sleep_until(due));
        if due > now() {
            ready!(Pin::new(sleep).poll(cx));
        }
        self.sleep = None;
        self.next = Some(due.next_multiple(self.period, now()));
        Poll::Ready(due)
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("period", &self.period)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
