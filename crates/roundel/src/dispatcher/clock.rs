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
    pub fn virtual_time() -> Self {
        Self {
            kind: Kind::Virtual(Cell::new(0)),
        }
    }

    /// Returns the time since some fixed moment.
    #[inline]
    pub fn now(&self) -> u64 {
        match &self.kind {
            Kind::Monotonic => sys::monotonic(),
            Kind::Virtual(now) => now.get(),
        }
    }

    /// Returns whether this clock jumps.
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
