//! What a face tells the dispatcher about its jobs and about itself.

use std::ops::ControlFlow;

use crate::reactor::Told;

/// An entry of the ready queue: what a face has the dispatcher run.
///
/// The dispatcher clones jobs (a reader's, each time its descriptor is ready) and asks them
/// questions in the middle of its work. So `clone`, [`is_cancelled`](Job::is_cancelled) and
/// [`is_reorderable`](Job::is_reorderable) must be quick and must not call the dispatcher, nor
/// run code that might. Dropping a job may do both: the dispatcher does it only where it can bear
/// to be called.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, ops::ControlFlow, rc::Rc};
/// use roundel::{Clock, Dispatcher, Host, Job, Order};
///
/// /// Something to call, as other threads can have a plain function called.
/// #[derive(Clone)]
/// struct Callback(Rc<dyn Fn()>);
///
/// impl Job for Callback {
///     type Remote = fn();
///
///     fn from_remote(function: fn()) -> Self {
///         Self(Rc::new(function))
///     }
/// }
/// # struct Caller;
/// # impl Host<Callback> for Caller {
/// #     fn run(&mut self, job: Callback) -> ControlFlow<()> { job.0(); ControlFlow::Continue(()) }
/// # }
///
/// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
/// let called = Rc::new(Cell::new(false));
/// let flag = Rc::clone(&called);
/// dispatcher.push(Callback(Rc::new(move || flag.set(true))));
/// dispatcher.run_once(&mut Caller, false)?;
/// assert!(called.get());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Job: Clone + 'static {
    /// What another thread sends to have a job run here.
    type Remote: Send + 'static;

    /// Makes a job of what another thread has sent.
    fn from_remote(remote: Self::Remote) -> Self;

    /// Says whether a timer need not fire any more.
    ///
    /// A cancelled timer is dropped when it is the first one in a turn that has nothing to run and
    /// may wait, or when [`Dispatcher::timer_cancelled`](crate::Dispatcher::timer_cancelled) finds
    /// that there are too many of its kind. One that any other turn finds to be due is made ready,
    /// and a job that is ready is run all the same: it is its own affair then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # impl Host<Timer> for u32 {
    /// #     fn run(&mut self, _job: Timer) -> ControlFlow<()> { *self += 1; Continue(()) }
    /// # }
    ///
    /// #[derive(Clone, Default)]
    /// struct Timer(Rc<Cell<bool>>);
    ///
    /// impl Job for Timer {
    /// #   type Remote = ();
    /// #   fn from_remote(_: ()) -> Self { Self::default() }
    ///     fn is_cancelled(&self) -> bool {
    ///         self.0.get()
    ///     }
    /// }
    ///
    /// let dispatcher = Dispatcher::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (first, second, mut runs) = (Timer::default(), Timer::default(), 0);
    /// dispatcher.push_at(1_000, first.clone());
    /// dispatcher.push_at(2_000, second);
    /// first.0.set(true);
    /// dispatcher.run_once(&mut runs, true)?;
    /// assert_eq!((runs, dispatcher.now()), (1, 2_000), "the first one is left out");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Says whether a seeded [`Order`](crate::Order) may move the job among its neighbours.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # impl Host<Steady> for Vec<u32> {
    /// #     fn run(&mut self, job: Steady) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// #[derive(Clone)]
    /// struct Steady(u32);
    ///
    /// impl Job for Steady {
    /// #   type Remote = u32;
    /// #   fn from_remote(number: u32) -> Self { Self(number) }
    ///     fn is_reorderable(&self) -> bool {
    ///         false
    ///     }
    /// }
    ///
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Seeded(7))?;
    /// (0..10).for_each(|number| dispatcher.push(Steady(number)));
    /// let mut numbers = Vec::new();
    /// dispatcher.run_once(&mut numbers, false)?;
    /// assert!(numbers.is_sorted());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn is_reorderable(&self) -> bool {
        true
    }

    /// Says whether a job that is told about a descriptor can't bear to wait while others run: while
    /// there is one, the operating system is asked in each turn, but for one that follows events.
    fn is_impatient(&self) -> bool {
        false
    }
}

impl<J: Job> Told for J {
    fn is_impatient(&self) -> bool {
        Job::is_impatient(self)
    }
}

/// What a face lends the dispatcher for the length of a turn.
///
/// All of it may call the dispatcher, which holds nothing borrowed meanwhile.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow::{self, Break, Continue};
/// use roundel::{Clock, Dispatcher, Host, Job, Order};
/// # #[derive(Clone)] struct Note(u32);
/// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
///
/// /// Has all jobs run that there are, timers included.
/// struct UntilIdle(Vec<u32>);
///
/// impl Host<Note> for UntilIdle {
///     fn run(&mut self, job: Note) -> ControlFlow<()> {
///         self.0.push(job.0);
///         Continue(())
///     }
///
///     fn idle(&mut self) -> ControlFlow<()> {
///         Break(())
///     }
/// }
///
/// let dispatcher = Dispatcher::new(Clock::virtual_time(), Order::Fifo)?;
/// let mut host = UntilIdle(Vec::new());
/// dispatcher.push_at(1_000, Note(2));
/// dispatcher.push(Note(1));
/// while dispatcher.run_once(&mut host, true)?.is_continue() {}
/// assert_eq!(host.0, [1, 2]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Host<J: Job> {
    /// Says whether [`block`](Host::block) is dear enough to first look without it, for nothing
    /// more than events that have happened already.
    const LOOKS_BEFORE_BLOCKING: bool = true;

    /// Says whether a turn that has jobs to run looks for timers that are due all the same.
    ///
    /// To read the clock costs as much as several jobs. If not, timers are looked at as often as the
    /// operating system is asked for events, and whenever nothing else is ready; a virtual clock,
    /// which costs nothing to read, is looked at in each turn.
    const READS_CLOCK_EACH_TURN: bool = true;

    /// Runs a job. [`ControlFlow::Break`] ends the turn at once: what has not been run stays
    /// queued, in its order.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::ops::ControlFlow::{self, Break};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # struct OneByOne;
    /// impl Host<Note> for OneByOne {
    ///     fn run(&mut self, _job: Note) -> ControlFlow<()> {
    ///         Break(())
    ///     }
    /// }
    ///
    /// let dispatcher = Dispatcher::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push(Note(1));
    /// dispatcher.push(Note(2));
    /// assert!(dispatcher.run_once(&mut OneByOne, false)?.is_break());
    /// assert_eq!(dispatcher.ready_len(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn run(&mut self, job: J) -> ControlFlow<()>;

    /// Calls `wait`, which may block, exactly once, between what has to be done before and after.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// /// Knows how often it has waited.
    /// struct Sleeper(u32);
    ///
    /// impl Host<Note> for Sleeper {
    /// #   fn run(&mut self, _job: Note) -> ControlFlow<()> { Continue(()) }
    ///     fn block(&mut self, wait: &mut dyn FnMut()) {
    ///         self.0 += 1;
    ///         wait();
    ///     }
    /// }
    ///
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
    /// dispatcher.push_at(dispatcher.now() + 5_000_000, Note(1));
    /// let mut host = Sleeper(0);
    /// while dispatcher.timer_count() > 0 {
    ///     dispatcher.run_once(&mut host, true)?;
    /// }
    /// assert!(host.0 > 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn block(&mut self, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Returns what time it is to the host, in nanoseconds, if it goes by another clock than the
    /// dispatcher's monotonic one. A turn asks it for its timers. [`ControlFlow::Break`] ends the
    /// turn.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// struct ClockOfItsOwn(u64);
    ///
    /// impl Host<Note> for ClockOfItsOwn {
    /// #   fn run(&mut self, _job: Note) -> ControlFlow<()> { Continue(()) }
    ///     fn now(&mut self) -> ControlFlow<(), Option<u64>> {
    ///         Continue(Some(self.0))
    ///     }
    /// }
    ///
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
    /// dispatcher.push_at(10, Note(1));
    /// dispatcher.run_once(&mut ClockOfItsOwn(9), false)?;
    /// assert_eq!(dispatcher.timer_count(), 1, "it is not due");
    /// dispatcher.run_once(&mut ClockOfItsOwn(10), false)?;
    /// assert_eq!(dispatcher.timer_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn now(&mut self) -> ControlFlow<(), Option<u64>> {
        ControlFlow::Continue(None)
    }

    /// Hears that a signal has interrupted a wait. [`ControlFlow::Break`] ends the turn.
    fn interrupted(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Hears that nothing is ready and nothing is awaited: no timer, no descriptor, no work in
    /// threads. Only another thread could wake the dispatcher, which is about to block until one
    /// does. [`ControlFlow::Break`] ends the turn.
    fn idle(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
