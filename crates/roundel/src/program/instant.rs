//! Moments of the runtime's clock.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use super::runtime::Core;

/// A moment of the runtime's clock, to the nanosecond.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, now};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let (began, minute) = (now(), Duration::from_secs(60));
///     let deadline = began + minute;
///     assert!(deadline > began);
///     assert_eq!(deadline - began, minute);
///     assert_eq!(began - deadline, Duration::ZERO, "never less than no time");
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    nanoseconds: u64,
}

/// Returns the present moment by the clock of the runtime, which may be virtual.
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, now, sleep};
///
/// let hour = Duration::from_secs(3600);
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async move {
///     let began = now();
///     sleep(hour).await;
///     assert_eq!(now() - began, hour);
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
///
/// Source: `loop.time()`.
#[track_caller]
pub fn now() -> Instant {
    Instant::from_nanoseconds(Core::current().dispatcher.now())
}

/// Returns the present moment, if this thread runs a runtime.
#[cfg(feature = "sim")]
pub(crate) fn try_now() -> Option<Instant> {
    let core = Core::try_current()?;
    Some(Instant::from_nanoseconds(core.dispatcher.now()))
}

impl Instant {
    /// When a virtual clock begins.
    #[cfg(feature = "sim")]
    pub(crate) const ZERO: Self = Self { nanoseconds: 0 };

    pub(crate) fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self { nanoseconds }
    }

    /// Returns the first moment after `now` that is a multiple of `period` away from this one.
    pub(crate) fn next_multiple(self, period: Duration, now: Self) -> Self {
        let periods = (now - self).as_nanos() / period.as_nanos() + 1;
        let nanoseconds = u64::try_from(periods * period.as_nanos()).unwrap_or(u64::MAX);
        self + Duration::from_nanos(nanoseconds)
    }

    pub(crate) fn as_nanoseconds(self) -> u64 {
        self.nanoseconds
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Returns a later moment: the last one there is, if that would be beyond it.
    fn add(self, duration: Duration) -> Self {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self {
            nanoseconds: self.nanoseconds.saturating_add(nanoseconds),
        }
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Returns the time from `earlier` to this moment: none, if that is in fact the later one.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanoseconds.saturating_sub(earlier.nanoseconds))
    }
}
