//! Who watches the dispatcher work.

use std::time::Duration;

/// Hears what a [`Dispatcher`](crate::Dispatcher) does, while it does it.
///
/// Each method does nothing unless implemented. They may call the dispatcher. Without a tracer
/// the dispatcher pays a predictable branch for each.
pub trait Tracer {
    /// The dispatcher is about to wait, for so long or, without a limit, until something happens.
    fn wait_began(&self, limit: Option<Duration>) {
        let _ = limit;
    }

    /// The wait is over.
    fn wait_ended(&self) {}

    /// A turn is about to run so many jobs.
    fn turn_began(&self, jobs: usize) {
        let _ = jobs;
    }

    /// The turn has run its jobs, or has been ended before it had run all of them.
    fn turn_ended(&self) {}
}
