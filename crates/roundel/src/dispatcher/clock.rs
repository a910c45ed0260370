//! What time it is: really, or as far as the program can tell.

use std::cell::Cell;

use crate::sys;

/// The time a [`Dispatcher`](crate::Dispatcher) goes by, in nanoseconds.
///
/// # Examples
///
/// ```
/// use roundel::{Clock, Dispatcher, Order};
/// # use roundel::Job;
/// # #[derive(Clone)] struct Nothing;
/// # impl Job for Nothing { type Remote = (); fn from_remote(_: ()) -> Self { Self } }
///
/// let dispatcher: Dispatcher<Nothing> = Dispatcher::new(Clock::virtual_time(), Order::Fifo)?;
/// assert_eq!(dispatcher.now(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Clock {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Monotonic,
    Virtual(Cell<u64>),
}

impl Clock {
    /// Returns the system's clock that never goes back.
    ///
    /// # Examples
    ///
    /// ```
    /// let clock = roundel::Clock::monotonic();
    /// let earlier = clock.now();
    /// assert!(clock.now() >= earlier);
    /// ```
    pub fn monotonic() -> Self {
        Self {
            kind: Kind::Monotonic,
        }
    }

    /// Returns a clock that stands still at 0 while there is something to do, and else jumps to
    /// the time of the next timer.
    ///
    /// It does not jump while work in threads is outstanding, and while descriptors are watched
    /// it first waits for them a little, in real time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Clock, Order, Runner, now, sleep, yield_now};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// runner.run(async {
    ///     let (began, hour) = (now(), Duration::from_secs(3600));
    ///     for _ in 0..1000 {
    ///         yield_now().await;
    ///     }
    ///     assert_eq!(now(), began, "there has been something to do");
    ///     sleep(hour).await;
    ///     assert_eq!(now(), began + hour);
    /// })?;
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn virtual_time() -> Self {
        Self {
            kind: Kind::Virtual(Cell::new(0)),
        }
    }

    /// Returns the time since some fixed moment.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(roundel::Clock::virtual_time().now(), 0);
    /// ```
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.kind {
            Kind::Monotonic => sys::monotonic(),
            Kind::Virtual(now) => now.get(),
        }
    }

    /// Returns whether this clock jumps.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::Clock;
    ///
    /// assert!(Clock::virtual_time().is_virtual());
    /// assert!(!Clock::monotonic().is_virtual());
    /// ```
    pub fn is_virtual(&self) -> bool {
        matches!(self.kind, Kind::Virtual(_))
    }

    /// Jumps to `time`, if this is a clock that jumps and `time` is not past.
    pub(super) fn jump_to(&self, time: u64) {
        if let Kind::Virtual(now) = &self.kind {
            now.set(now.get().max(time));
        }
    }
}
