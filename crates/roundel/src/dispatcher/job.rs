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
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Says whether a seeded [`Order`](crate::Order) may move the job among its neighbours.
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
    fn run(&mut self, job: J) -> ControlFlow<()>;

    /// Calls `wait`, which may block, exactly once, between what has to be done before and after.
    fn block(&mut self, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Returns what time it is to the host, in nanoseconds, if it goes by another clock than the
    /// dispatcher's monotonic one. A turn asks it for its timers. [`ControlFlow::Break`] ends the
    /// turn.
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
