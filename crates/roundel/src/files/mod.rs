//! Files: always ready for the poller, and yet they take their time.
//!
//! Most of what is read is in the kernel's page cache, and to fetch it there costs less than any way of
//! having it fetched. So a face first [tries](Files::read_now) what can be done without waiting, up to
//! a bound per turn, and starts a [`Transfer`] only if that fails. A ring does it, where the kernel has
//! one, or else threads do.
//!
//! Whoever waits for a transfer may lose interest; the transfer keeps its memory, and its job what
//! the job owns, until it is done.

mod workers;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

use crate::sys::{self, Notifier, Ring, Transfer};
use workers::Workers;

/// How many bytes may be moved within one turn by those who do not wait.
const BYTES_PER_TURN: usize = 1 << 20;

/// What each of them counts at least: there may be sixty-four of them.
const LEAST_PER_TRY: usize = BYTES_PER_TURN / 64;

/// Which way files are read and written.
///
/// # Examples
///
/// ```
/// use roundel::fs::File;
/// use roundel::{Clock, FileAccess, Order, Runner};
///
/// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
/// runner.set_file_access(FileAccess::Threads)?;
/// let count = runner.run(async {
///     File::open("Cargo.toml").await?.read_at(&mut [0; 9], 0).await
/// })?;
/// assert_eq!(count?, 9);
/// # Ok::<(), roundel::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileAccess {
    /// At once if that needs no waiting, else by a ring, or by threads where there is no ring.
    #[default]
    Best,
    /// By a ring, also what needs no waiting.
    Ring,
    /// By threads, also what needs no waiting.
    Threads,
}

/// What became of a try to read or write without waiting.
///
/// # Examples
///
/// ```
/// use std::os::fd::AsRawFd;
/// use roundel::{Attempt, Clock, Dispatcher, Order};
///
/// # #[derive(Clone)]
/// # struct Job;
/// # impl roundel::Job for Job {
/// #     type Remote = ();
/// #     fn from_remote((): ()) -> Self { Self }
/// # }
/// let dispatcher = Dispatcher::<Job>::new(Clock::monotonic(), Order::Fifo)?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// let mut buffer = [0; 9];
/// match dispatcher.fill_now(file.as_raw_fd(), Some(0), &mut buffer)? {
///     Attempt::Done(count) => assert_eq!(&buffer[..count], &b"[package]"[..count]),
///     // Here one would start a transfer.
///     Attempt::Blocks => {}
///     Attempt::NotInThisTurn => unreachable!("it is the first try"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// So many bytes went over.
    Done(usize),
    /// One has to wait: start a [`Transfer`].
    Blocks,
    /// Others shall have their turn before it is tried again.
    NotInThisTurn,
}

/// A transfer that was started, and its result once there is one.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow;
/// use std::os::fd::AsRawFd;
/// use roundel::{Clock, Dispatcher, Host, Job, Order, Transfer};
///
/// #[derive(Clone)]
/// struct Done;
///
/// impl Job for Done {
///     type Remote = ();
///     fn from_remote((): ()) -> Self { Self }
/// }
///
/// struct Face;
///
/// impl Host<Done> for Face {
///     fn run(&mut self, _: Done) -> ControlFlow<()> { ControlFlow::Break(()) }
/// }
///
/// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// let started = dispatcher.start_transfer(Transfer::read(file.as_raw_fd(), Some(0), 9), Done);
/// while dispatcher.run_once(&mut Face, true)?.is_continue() {}
/// let (outcome, transfer) = started.take().expect("its job has been run");
/// assert_eq!(outcome?, 9);
/// assert_eq!(transfer.into_buffer(), b"[package]");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Started {
    key: usize,
    result: Cell<Option<(io::Result<usize>, Transfer)>>,
}

impl Started {
    /// Takes the result, how many bytes went over, with the transfer; `None` if it is not done or was
    /// taken before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use roundel::{Clock, Dispatcher, Order, Transfer};
    ///
    /// # use std::ops::ControlFlow;
    /// # #[derive(Clone)]
    /// # struct Done;
    /// # impl roundel::Job for Done {
    /// #     type Remote = ();
    /// #     fn from_remote((): ()) -> Self { Self }
    /// # }
    /// # struct Face;
    /// # impl roundel::Host<Done> for Face {
    /// #     fn run(&mut self, _: Done) -> ControlFlow<()> { ControlFlow::Break(()) }
    /// # }
    /// // `Done` is a job, and `Face` the host that runs it.
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// let started = dispatcher.start_transfer(Transfer::read(file.as_raw_fd(), Some(0), 9), Done);
    /// assert!(started.take().is_none());
    /// while dispatcher.run_once(&mut Face, true)?.is_continue() {}
    /// assert_eq!(started.take().expect("its job has been run").0?, 9);
    /// assert!(started.take().is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take(&self) -> Option<(io::Result<usize>, Transfer)> {
        self.result.take()
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

/// The transfers of a dispatcher, and the jobs that wait for them.
pub(crate) struct Files<J> {
    /// Gone once the dispatcher is closed.
    notifier: RefCell<Option<Arc<Notifier>>>,
    access: Cell<FileAccess>,
    /// Made when it is first needed.
    way: RefCell<Option<Way>>,
    /// By their keys.
    waiting: RefCell<Vec<Option<Waiting<J>>>>,
    free_keys: RefCell<Vec<usize>>,
    /// What the ring had no room for.
    backlog: RefCell<VecDeque<(usize, Transfer)>>,
    under_way: Cell<usize>,
    /// Who waits for what will not be done.
    given_up: RefCell<Vec<J>>,
    /// How many bytes may still be moved in this turn.
    allowance: Cell<usize>,
    /// A turn has to begin with a look at this.
    is_stirring: Cell<bool>,
}

/// A job that waits for a transfer.
struct Waiting<J> {
    job: J,
    started: Rc<Started>,
}

/// Who does it.
enum Way {
    Ring(Box<Ring>),
    Threads(Workers),
}

impl Way {
    fn ring(notifier: &Notifier) -> io::Result<Self> {
        Ok(Self::Ring(Box::new(Ring::new(notifier)?)))
    }

    fn threads(notifier: Arc<Notifier>) -> Self {
        Self::Threads(Workers::new(notifier))
    }
}

impl<J> Files<J> {
    pub(crate) fn new(notifier: Arc<Notifier>) -> Self {
        Self {
            notifier: RefCell::new(Some(notifier)),
            access: Cell::default(),
            way: RefCell::default(),
            waiting: RefCell::default(),
            free_keys: RefCell::default(),
            backlog: RefCell::default(),
            under_way: Cell::new(0),
            given_up: RefCell::default(),
            allowance: Cell::new(BYTES_PER_TURN),
            is_stirring: Cell::new(false),
        }
    }

    /// Goes another way from the next transfer on.
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::ResourceBusy`] while transfers are under way, and the operating
    /// system's error if a ring is wanted and can't be had.
    pub(crate) fn set_access(&self, access: FileAccess) -> io::Result<()> {
        if self.under_way.get() > 0 {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let way = match access {
            FileAccess::Best => None,
            FileAccess::Ring => Some(Way::ring(&*self.notifier()?)?),
            FileAccess::Threads => Some(Way::threads(self.notifier()?)),
        };
        self.way.replace(way);
        self.access.set(access);
        Ok(())
    }

    pub(crate) fn read_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> io::Result<Attempt> {
        self.attempt(buffer.len(), |length| {
            sys::read_now(fd, offset, &mut buffer[..length])
        })
    }

    pub(crate) fn fill_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        buffer: &mut [u8],
    ) -> io::Result<Attempt> {
        self.attempt(buffer.len(), |length| {
            sys::fill_now(fd, offset, &mut buffer[..length])
        })
    }

    pub(crate) fn write_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        data: &[u8],
    ) -> io::Result<Attempt> {
        self.attempt(data.len(), |length| {
            sys::write_now(fd, offset, &data[..length])
        })
    }

    /// Tries to move as many bytes as may be moved in this turn.
    fn attempt(
        &self,
        length: usize,
        go: impl FnOnce(usize) -> io::Result<Option<usize>>,
    ) -> io::Result<Attempt> {
        if self.access.get() != FileAccess::Best {
            return Ok(Attempt::Blocks);
        }
        self.is_stirring.set(true);
        let allowance = self.allowance.get();
        if allowance == 0 {
            return Ok(Attempt::NotInThisTurn);
        }
        let moved = go(length.min(allowance.max(LEAST_PER_TRY)))?;
        let cost = moved.unwrap_or(0).max(LEAST_PER_TRY);
        self.allowance.set(allowance.saturating_sub(cost));
        Ok(moved.map_or(Attempt::Blocks, Attempt::Done))
    }

    /// Has `transfer` done, and `job` handed back by [`collect`](Self::collect) when it is.
    pub(crate) fn start(&self, transfer: Transfer, job: J) -> Rc<Started> {
        self.leave_to_parent();
        let mut waiting = self.waiting.borrow_mut();
        let key = self.free_keys.borrow_mut().pop().unwrap_or_else(|| {
            waiting.push(None);
            waiting.len() - 1
        });
        let started = Rc::new(Started {
            key,
            result: Cell::default(),
        });
        waiting[key] = Some(Waiting {
            job,
            started: Rc::clone(&started),
        });
        self.under_way.set(self.under_way.get() + 1);
        self.is_stirring.set(true);
        self.find_way();
        match &mut *self.way.borrow_mut() {
            Some(Way::Ring(ring)) if ring.has_room() => ring.start(key, transfer),
            Some(Way::Threads(workers)) => workers.start(key, transfer),
            // It waits for room; for good, if the dispatcher is closed.
            Some(Way::Ring(_)) | None => self.backlog.borrow_mut().push_back((key, transfer)),
        }
        started
    }

    fn find_way(&self) {
        let mut way = self.way.borrow_mut();
        if let Some(notifier) = self.notifier.borrow().as_ref().filter(|_| way.is_none()) {
            let found = Way::ring(notifier).unwrap_or_else(|_| Way::threads(Arc::clone(notifier)));
            *way = Some(found);
        }
    }

    fn notifier(&self) -> io::Result<Arc<Notifier>> {
        let notifier = self.notifier.borrow().clone();
        notifier.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Asks for the end of a transfer that nobody is interested in any more.
    pub(crate) fn cancel(&self, started: &Rc<Started>) {
        let is_waiting = matches!(self.waiting.borrow().get(started.key),
            Some(Some(waiting)) if Rc::ptr_eq(&waiting.started, started));
        if !is_waiting || self.give_up_backlog(started.key) {
            return;
        }
        match &mut *self.way.borrow_mut() {
            Some(Way::Ring(ring)) => ring.cancel(started.key),
            Some(Way::Threads(workers)) => workers.cancel(started.key),
            None => {}
        }
    }

    /// Gives up a transfer that the ring has not had room for.
    fn give_up_backlog(&self, key: usize) -> bool {
        let mut backlog = self.backlog.borrow_mut();
        let place = backlog.iter().position(|&(other, _)| other == key);
        let Some((_, transfer)) = place.and_then(|place| backlog.remove(place)) else {
            return false;
        };
        if let Some(waiting) = self.waiting.borrow_mut()[key].take() {
            self.free_keys.borrow_mut().push(key);
            self.give_up(waiting, transfer);
        }
        true
    }

    fn give_up(&self, Waiting { job, started }: Waiting<J>, transfer: Transfer) {
        let error = io::Error::from_raw_os_error(libc::ECANCELED);
        started.result.set(Some((Err(error), transfer)));
        self.given_up.borrow_mut().push(job);
    }

    /// Returns how many transfers are under way.
    #[inline]
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.get()
    }

    /// Returns whether the next turn is to [`begin`](Self::begin_turn) here.
    #[inline]
    pub(crate) fn is_stirring(&self) -> bool {
        self.is_stirring.get()
    }

    /// Begins a turn: hands over to the kernel what has been started in the last one.
    #[inline]
    pub(crate) fn begin_turn(&self) {
        self.allowance.set(BYTES_PER_TURN);
        self.is_stirring.set(self.under_way.get() > 0);
        if self.under_way.get() > 0 {
            self.submit();
        }
    }

    fn submit(&self) {
        self.leave_to_parent();
        if let Some(Way::Ring(ring)) = &mut *self.way.borrow_mut() {
            ring.submit();
        }
    }

    /// Gives up, in a forked child, what the parent has started: it is the parent's.
    fn leave_to_parent(&self) {
        let is_past = match &*self.way.borrow() {
            Some(Way::Ring(ring)) => ring.is_past(),
            Some(Way::Threads(workers)) => workers.is_past(),
            None => false,
        };
        if is_past {
            drop(self.way.take());
            self.free_keys.take();
            self.backlog.take();
            for Waiting { job, started } in self.waiting.take().into_iter().flatten() {
                let error = io::Error::from_raw_os_error(libc::ECANCELED);
                started
                    .result
                    .set(Some((Err(error), Transfer::sync(-1, true))));
                self.given_up.borrow_mut().push(job);
            }
        }
    }

    /// Returns whether there is something to [`collect`](Self::collect).
    #[inline]
    pub(crate) fn has_news(&self) -> bool {
        self.under_way.get() > 0 && (self.way_has_news() || !self.given_up.borrow().is_empty())
    }

    fn way_has_news(&self) -> bool {
        match &mut *self.way.borrow_mut() {
            Some(Way::Ring(ring)) => ring.has_news(),
            Some(Way::Threads(workers)) => workers.has_news(),
            None => false,
        }
    }

    /// Hands `ready` the jobs whose transfers are done.
    #[inline]
    pub(crate) fn collect(&self, ready: impl FnMut(J)) {
        if self.has_news() {
            self.collect_news(ready);
        }
    }

    fn collect_news(&self, mut ready: impl FnMut(J)) {
        let mut ready = |job| {
            self.under_way.set(self.under_way.get() - 1);
            ready(job);
        };
        self.given_up.take().into_iter().for_each(&mut ready);
        let mut done = |key: usize, transfer, result| {
            if let Some(Waiting { job, started }) = self.waiting.borrow_mut()[key].take() {
                started.result.set(Some((result, transfer)));
                self.free_keys.borrow_mut().push(key);
                ready(job);
            }
        };
        match &mut *self.way.borrow_mut() {
            Some(Way::Ring(ring)) => {
                ring.reap(&mut done);
                self.refill(ring);
            }
            Some(Way::Threads(workers)) => workers.reap(&mut done),
            None => {}
        }
    }

    fn refill(&self, ring: &mut Ring) {
        let mut backlog = self.backlog.borrow_mut();
        while ring.has_room() {
            let Some((key, transfer)) = backlog.pop_front() else {
                break;
            };
            ring.start(key, transfer);
        }
    }

    /// Shows `visit` every job that waits for a transfer.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&J)) {
        let waiting = self.waiting.borrow();
        let waiting = waiting.iter().flatten().map(|waiting| &waiting.job);
        waiting.chain(&*self.given_up.borrow()).for_each(visit);
    }

    /// Has all that is under way given up or done, and returns the jobs that waited for it.
    pub(crate) fn close(&self) -> Vec<J> {
        // It waits for the kernel or the threads, so that nobody uses the jobs' descriptors any more.
        drop(self.way.take());
        drop(self.notifier.take());
        self.backlog.take();
        self.free_keys.take();
        self.under_way.set(0);
        let waiting = self.waiting.take().into_iter().flatten();
        let jobs = waiting.map(|waiting| waiting.job);
        jobs.chain(self.given_up.take()).collect()
    }
}
