//! The heart: what runs next.
//!
//! ```text
//!   jobs ──push──▶ ready queue ◀──────────── inbox ◀──push── other threads
//!                     │   ▲   ▲                 │
//!           run_once  │   │   └─ timers due     │ notifier
//!                     ▼   │                     ▼
//!                  Host::run          reactor: readers, writers ◀──▶ the operating system
//! ```
//!
//! A [`Dispatcher`] belongs to one thread; only its [`Inbox`] is for others. It is generic over the
//! [`Job`] in its queue, so that each face (Rust tasks, Python's callbacks and tasks) has jobs of
//! its own kind without an allocation for each. Start reading at [`Dispatcher::run_once`] in
//! `turn.rs`.
//!
//! Jobs call the dispatcher they are run by, and so does the code that runs when a job is dropped.
//! Therefore everything takes `&self`, and nothing is borrowed while a [`Host`] is called or a job
//! is dropped.

mod buckets;
mod clock;
mod connections;
mod descriptors;
mod heap;
mod inbox;
mod job;
mod order;
mod ready;
mod timers;
mod tracer;
mod transfers;
mod turn;

pub use clock::Clock;
pub use inbox::Inbox;
pub use job::{Host, Job};
pub use order::Order;
#[cfg(feature = "sim")]
pub(crate) use order::Random;
pub use tracer::Tracer;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;

use crate::files::Files;
use crate::reactor::Reactor;
use crate::sync::Arc;
use crate::sys::Notifier;
use ready::Ready;
use timers::Timers;

/// Runs jobs one after the other, in one thread: what is ready, what is due, what is readable or
/// writable, what other threads send.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow::{self, Continue};
/// use roundel::{Clock, Dispatcher, Host, Job, Order};
///
/// #[derive(Clone)]
/// struct Note(u32);
///
/// impl Job for Note {
///     type Remote = u32;
///
///     fn from_remote(note: u32) -> Self {
///         Self(note)
///     }
/// }
///
/// impl Host<Note> for Vec<u32> {
///     fn run(&mut self, job: Note) -> ControlFlow<()> {
///         self.push(job.0);
///         Continue(())
///     }
/// }
///
/// let dispatcher = Dispatcher::new(Clock::virtual_time(), Order::Fifo)?;
/// dispatcher.push_at(1_000, Note(3));
/// dispatcher.push(Note(1));
/// dispatcher.push(Note(2));
/// let mut notes = Vec::new();
/// while notes.len() < 3 {
///     dispatcher.run_once(&mut notes, true)?;
/// }
/// assert_eq!(notes, [1, 2, 3]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Dispatcher<J: Job> {
    ready: Ready<J>,
    timers: Timers<J>,
    reactor: Reactor<J>,
    files: Files<J>,
    inbox: Arc<Inbox<J::Remote>>,
    /// The list that is swapped for the inbox's, to be used again and again.
    letters: Cell<Vec<J::Remote>>,
    clock: Clock,
    /// How much work is outstanding in threads.
    external: Cell<usize>,
    /// How much has been run since the operating system was last asked for events.
    unpolled: Cell<usize>,
    /// Descriptors were heard of when the operating system was asked last.
    has_heard: Cell<bool>,
    tracer: RefCell<Option<Rc<dyn Tracer>>>,
    /// There is a tracer.
    is_traced: Cell<bool>,
}

impl<J: Job> Dispatcher<J> {
    /// Makes a dispatcher that goes by `clock` and runs what is ready in the given order.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if there are no more descriptors to be had.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Seeded(7))?;
    /// assert_eq!((dispatcher.now(), dispatcher.ready_len(), dispatcher.timer_count()), (0, 0, 0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(clock: Clock, order: Order) -> io::Result<Self> {
        let notifier = Arc::new(Notifier::new()?);
        Ok(Self {
            ready: Ready::new(order),
            timers: Timers::new(),
            reactor: Reactor::new(Arc::clone(&notifier), turn::JOBS_PER_POLL)?,
            files: Files::new(Arc::clone(&notifier)),
            inbox: Arc::new(Inbox::new(notifier)),
            letters: Cell::default(),
            clock,
            external: Cell::new(0),
            unpolled: Cell::new(0),
            has_heard: Cell::new(false),
            tracer: RefCell::default(),
            is_traced: Cell::new(false),
        })
    }

    /// Puts a job at the back of the ready queue.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// dispatcher.push(Note(1));
    /// dispatcher.push(Note(2));
    /// dispatcher.run_once(&mut notes, false)?;
    /// assert_eq!(notes, [1, 2]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn push(&self, job: J) {
        self.ready.push(job);
    }

    /// Returns how many jobs are ready.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push(Note(1));
    /// assert_eq!(dispatcher.ready_len(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// Returns the jobs that are ready, the next one first.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push(Note(1));
    /// dispatcher.push(Note(2));
    /// assert_eq!(dispatcher.ready_jobs()[0].0, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ready_jobs(&self) -> Vec<J> {
        let mut jobs = Vec::with_capacity(self.ready.len());
        self.ready.visit(&mut |job| jobs.push(job.clone()));
        jobs
    }

    /// Returns the time of the dispatcher's clock, in nanoseconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// dispatcher.push_at(1_000, Note(1));
    /// dispatcher.run_once(&mut notes, true)?;
    /// assert_eq!(dispatcher.now(), 1_000);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Makes a job ready at the time `deadline`, never earlier.
    ///
    /// Jobs with the same deadline become ready in the order in which they were handed in.
    ///
    /// # Cost
    ///
    /// Logarithmic in the number of timers, constant if the deadline is the latest of all.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// dispatcher.push_at(2_000, Note(2));
    /// dispatcher.push_at(1_000, Note(1));
    /// while notes.len() < 2 {
    ///     dispatcher.run_once(&mut notes, true)?;
    /// }
    /// assert_eq!((notes, dispatcher.now()), (vec![1, 2], 2_000));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn push_at(&self, deadline: u64, job: J) {
        self.timers.push(deadline, job);
    }

    /// Hears that a job handed to [`push_at`](Self::push_at), which still waits for its time,
    /// [is cancelled](Job::is_cancelled) from now on.
    ///
    /// Drops it at once if no other has been set since, as a rule, and all cancelled timers
    /// once there are a hundred and more of them than of others. To
    /// call it for a timer that has fired is no harm, except that this may happen earlier.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// # use roundel::{Clock, Dispatcher, Job, Order};
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
    /// let timer = Timer::default();
    /// dispatcher.push_at(1_000, timer.clone());
    /// timer.0.set(true);
    /// dispatcher.timer_cancelled();
    /// assert_eq!(dispatcher.timer_count(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timer_cancelled(&self) {
        self.timers.count_cancelled();
    }

    /// Returns how many timers there are, counting those cancelled but not yet dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push_at(1_000, Note(1));
    /// assert_eq!(dispatcher.timer_count(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timer_count(&self) -> usize {
        self.timers.len()
    }

    /// Returns the jobs that wait for their time, in no particular order.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push_at(1_000, Note(1));
    /// assert_eq!(dispatcher.timer_jobs()[0].0, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn timer_jobs(&self) -> Vec<J> {
        let mut jobs = Vec::with_capacity(self.timers.len());
        self.timers.visit(&mut |job| jobs.push(job.clone()));
        jobs
    }

    /// Says that work has begun in another thread whose end the inbox will hear of.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// dispatcher.push_at(1_000, Note(2));
    /// dispatcher.external_begin();
    /// let inbox = dispatcher.inbox();
    /// std::thread::spawn(move || inbox.push(1));
    /// while notes.is_empty() {
    ///     dispatcher.run_once(&mut notes, true)?;
    /// }
    /// assert_eq!((notes, dispatcher.now()), (vec![1], 0), "the clock has not jumped");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn external_begin(&self) {
        self.external.set(self.external.get() + 1);
    }

    /// Says that a piece of such work has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// dispatcher.push_at(1_000, Note(1));
    /// dispatcher.external_begin();
    /// dispatcher.external_end();
    /// dispatcher.run_once(&mut notes, true)?;
    /// assert_eq!((notes, dispatcher.now()), (vec![1], 1_000), "the clock jumps again");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn external_end(&self) {
        self.external.set(self.external.get().saturating_sub(1));
    }

    /// Has the next turn ask the operating system for events, however much is ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{io::Write, os::fd::AsRawFd};
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (reader, mut writer) = std::io::pipe()?;
    /// dispatcher.add_reader(reader.as_raw_fd(), Note(2))?;
    /// writer.write_all(b"two")?;
    /// dispatcher.push(Note(1));
    /// dispatcher.poll_soon();
    /// dispatcher.run_once(&mut notes, false)?;
    /// assert_eq!(notes, [1, 2]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll_soon(&self) {
        self.unpolled.set(turn::JOBS_PER_POLL);
    }

    /// Returns the way into this dispatcher for other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let inbox = dispatcher.inbox();
    /// let thread = std::thread::spawn(move || inbox.push(1));
    /// assert!(thread.join().expect("it does not panic").is_ok());
    /// dispatcher.run_once(&mut notes, true)?;
    /// assert_eq!(notes, [1]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn inbox(&self) -> Arc<Inbox<J::Remote>> {
        Arc::clone(&self.inbox)
    }

    /// Has `tracer` watch, or nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use roundel::Tracer;
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// #[derive(Default)]
    /// struct Turns(Cell<usize>);
    ///
    /// impl Tracer for Turns {
    ///     fn turn_ended(&self) {
    ///         self.0.set(self.0.get() + 1);
    ///     }
    /// }
    ///
    /// let turns = Rc::new(Turns::default());
    /// dispatcher.set_tracer(Some(turns.clone()));
    /// dispatcher.push(Note(1));
    /// dispatcher.run_once(&mut notes, false)?;
    /// assert_eq!(turns.0.get(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_tracer(&self, tracer: Option<Rc<dyn Tracer>>) {
        self.is_traced.set(tracer.is_some());
        let replaced = self.tracer.replace(tracer);
        // Dropping it may run code that calls this dispatcher, which is not borrowed any more.
        drop(replaced);
    }

    /// Shows `visit` every job there is: ready, waiting for its time, for a descriptor or for a file.
    ///
    /// What `visit` does must not call the dispatcher.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push(Note(1));
    /// dispatcher.push_at(1_000, Note(2));
    /// let mut sum = 0;
    /// dispatcher.visit_jobs(&mut |job| sum += job.0);
    /// assert_eq!(sum, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn visit_jobs(&self, visit: &mut dyn FnMut(&J)) {
        self.ready.visit(visit);
        self.timers.visit(visit);
        self.reactor.visit(visit);
        self.files.visit(visit);
    }

    /// Closes the inbox and what the operating system has lent, and returns all jobs there are.
    ///
    /// They are the caller's to drop. A closed dispatcher still accepts jobs and timers and still
    /// tells the time, but it neither watches descriptors nor waits. To close it again is no harm.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// dispatcher.push(Note(1));
    /// dispatcher.push_at(1_000, Note(2));
    /// assert_eq!(dispatcher.close().len(), 2);
    /// assert!(dispatcher.inbox().push(3).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use = "these jobs will not be run"]
    pub fn close(&self) -> Vec<J> {
        let letters = self.inbox.close();
        let mut jobs = self.ready.take();
        jobs.extend(letters.into_iter().map(J::from_remote));
        jobs.extend(self.timers.take());
        jobs.extend(self.reactor.close());
        jobs.extend(self.files.close());
        jobs
    }
}

impl<J: Job> Drop for Dispatcher<J> {
    fn drop(&mut self) {
        drop(self.close());
    }
}

impl<J: Job> fmt::Debug for Dispatcher<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("ready", &self.ready.len())
            .field("timers", &self.timers.len())
            .field("watched", &self.reactor.watched())
            .field("transfers", &self.files.under_way())
            .field("external", &self.external.get())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
