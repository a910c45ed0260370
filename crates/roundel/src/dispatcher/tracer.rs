//! Who watches the dispatcher work.

use std::time::Duration;

/// Hears what a [`Dispatcher`](crate::Dispatcher) does, while it does it.
///
/// Each method does nothing unless implemented. They may call the dispatcher. Without a tracer
/// the dispatcher pays a predictable branch for each.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use roundel::{Clock, Order, Runner, Tracer, gather};
///
/// /// Knows how many jobs the busiest turn has had.
/// #[derive(Default)]
/// struct Busiest(Cell<usize>);
///
/// impl Tracer for Busiest {
///     fn turn_began(&self, jobs: usize) {
///         self.0.set(self.0.get().max(jobs));
///     }
/// }
///
/// let busiest = Rc::new(Busiest::default());
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.set_tracer(Some(busiest.clone()));
/// runner.run(async { gather((0..5).map(|_| async {})).await })?;
/// assert_eq!(busiest.0.get(), 5);
/// # Ok::<(), roundel::Error>(())
/// ```
pub trait Tracer {
    /// The dispatcher is about to wait, for so long or, without a limit, until something happens.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    /// use roundel::{Clock, Order, Runner, Tracer, sleep};
    ///
    /// #[derive(Default)]
    /// struct LastWait(Cell<Option<Duration>>);
    ///
    /// impl Tracer for LastWait {
    ///     fn wait_began(&self, limit: Option<Duration>) {
    ///         self.0.set(limit);
    ///     }
    /// }
    ///
    /// let (last, nap) = (Rc::new(LastWait::default()), Duration::from_millis(5));
    /// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
    /// runner.set_tracer(Some(last.clone()));
    /// runner.run(sleep(nap))?;
    /// assert!(last.0.get().is_some_and(|limit| limit <= nap));
    /// # Ok::<(), roundel::Error>(())
    /// ```
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
