//! Which job wants to hear of which descriptor.
//!
//! The table is indexed by descriptor, since descriptors are small and dense by definition. No
//! borrow of it is held during a wait or while a job is dropped, so that whatever runs then may
//! come back here.

mod fresh;
mod streams;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use self::fresh::Fresh;
pub use self::streams::StreamAccess;
use self::streams::Streams;
pub(crate) use self::streams::{Inbound, Outbound};
use crate::sys::{Event, Events, Interest, Notifier, Poller};

/// The longest single wait; who wants to wait longer does so again.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// What a job wants to be told about a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A job that is told about a descriptor.
pub(crate) trait Told: Clone {
    /// Says whether it can't bear to wait while others run.
    fn is_impatient(&self) -> bool;
}

/// The descriptors that are watched, and the poller that watches them.
pub(crate) struct Reactor<J> {
    poller: RefCell<Option<Rc<Poller>>>,
    slots: RefCell<Vec<Slot<J>>>,
    events: RefCell<Events>,
    fresh: Fresh,
    streams: Streams<J>,
    counts: Cell<Counts>,
    /// How often the operating system has been asked.
    waits: Cell<u64>,
    /// How much may be run before the operating system is asked, if nobody is impatient.
    full_patience: usize,
    patience: Cell<usize>,
}

impl<J: Told> Reactor<J> {
    pub(crate) fn new(notifier: Arc<Notifier>, patience: usize) -> io::Result<Self> {
        Ok(Self {
            poller: RefCell::new(Some(Rc::new(Poller::new(notifier)?))),
            slots: RefCell::default(),
            events: RefCell::default(),
            fresh: Fresh::default(),
            streams: Streams::default(),
            counts: Cell::default(),
            waits: Cell::new(0),
            full_patience: patience,
            patience: Cell::new(patience),
        })
    }

    /// Has `job` told about `fd`, and returns the job that was told before.
    pub(crate) fn add(&self, fd: RawFd, direction: Direction, job: J) -> io::Result<Option<J>> {
        let (old, arming) = self.registration(fd);
        let poller = self.poller()?;
        let lasting = match arming {
            Arming::Lasting => old,
            Arming::Once => {
                // What was told to end by itself is told anew, not changed.
                poller.watch(fd, old, Interest::default()).ok();
                Interest::default()
            }
            Arming::Spent | Arming::Fresh | Arming::Seen => Interest::default(),
        };
        poller.watch(fd, lasting, old.with(direction, true))?;
        Ok(self.replace(fd, direction, Some(job), Arming::Lasting))
    }

    /// Has `job` told about `fd` the next time, and returns the job that was told before.
    ///
    /// Where the other direction is watched as well, this is [`add`](Self::add).
    pub(crate) fn add_once(
        &self,
        fd: RawFd,
        direction: Direction,
        job: J,
    ) -> io::Result<Option<J>> {
        let (old, arming) = self.registration(fd);
        if !old.with(direction, false).is_none() {
            return self.add(fd, direction, job);
        }
        let is_known = !old.is_none() || arming != Arming::Lasting;
        let wanted = Interest::default().with(direction, true);
        self.poller()?.watch_once(fd, is_known, wanted)?;
        Ok(self.replace(fd, direction, Some(job), Arming::Once))
    }

    /// Stops telling about `fd`, and returns the job that was told, if there was one.
    ///
    /// The descriptor may have been closed, which the kernel has noticed by itself.
    pub(crate) fn remove(&self, fd: RawFd, direction: Direction) -> Option<J> {
        let (old, arming) = self.registration(fd);
        if !old.has(direction) {
            return None;
        }
        match arming {
            Arming::Spent => return self.replace(fd, direction, None, Arming::Spent),
            Arming::Fresh | Arming::Seen => {
                return self.replace(fd, direction, None, Arming::Lasting);
            }
            Arming::Lasting | Arming::Once => {}
        }
        if let Ok(poller) = self.poller() {
            poller.watch(fd, old, old.with(direction, false)).ok();
        }
        self.replace(fd, direction, None, Arming::Lasting)
    }

    /// Returns the job that is told about `fd`.
    pub(crate) fn job(&self, fd: RawFd, direction: Direction) -> Option<J> {
        self.slots.borrow().get(index(fd)?)?.job(direction).cloned()
    }

    /// Says that `fd` serves the face itself: to watch it is not to await anything.
    pub(crate) fn mark_internal(&self, fd: RawFd) {
        self.update(fd, |slot| slot.internal = true);
    }

    /// Returns how often the operating system has been asked.
    #[inline]
    pub(crate) fn waits(&self) -> u64 {
        self.waits.get()
    }

    /// Returns how many descriptors are watched at all.
    pub(crate) fn watched(&self) -> usize {
        self.counts.get().watched + self.streams.under_way()
    }

    /// Returns how many descriptors are watched for the program's sake.
    pub(crate) fn awaited(&self) -> usize {
        let counts = self.counts.get();
        counts.watched - counts.internal + self.streams.awaited()
    }

    /// Returns whether the kernel is to be told of something, or may have done it already.
    #[inline]
    pub(crate) fn is_stirring(&self) -> bool {
        self.streams.is_stirring()
    }

    /// Returns how much may be run before the operating system is asked: next to nothing while a
    /// job that is told about a descriptor [can't bear to wait](Told::is_impatient).
    #[inline]
    pub(crate) fn patience(&self) -> usize {
        self.patience.get()
    }

    fn count(&self, counts: Counts) {
        self.counts.set(counts);
        self.patience.set(if counts.impatient > 0 {
            1
        } else {
            self.full_patience
        });
    }

    /// Begins a wait of at most `timeout`, which is over when [`Wait::run`] returns.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<Wait<'_, J>> {
        let timeout = timeout.map(|timeout| timeout.min(LONGEST_WAIT));
        Ok(Wait {
            reactor: self,
            poller: self.poller()?,
            timeout,
        })
    }

    /// Returns whether the last wait has left events to collect.
    pub(crate) fn has_events(&self) -> bool {
        self.fresh.has_ready() || self.streams.has_heard() || !self.events.borrow().is_empty()
    }

    /// Takes the events of the last wait and hands `ready` the jobs that are to be told.
    pub(crate) fn collect(&self, mut ready: impl FnMut(J)) {
        if !self.has_events() {
            return;
        }
        let mut events = self.events.take();
        for Event {
            fd,
            ready: directions,
        } in events.iter()
        {
            let slots = self.slots.borrow();
            let Some(slot) = index(fd).and_then(|index| slots.get(index)) else {
                continue;
            };
            if slot.arming.get() == Arming::Once {
                slot.arming.set(Arming::Spent);
            }
            slot.reader
                .iter()
                .filter(|_| directions.readable)
                .cloned()
                .for_each(&mut ready);
            slot.writer
                .iter()
                .filter(|_| directions.writable)
                .cloned()
                .for_each(&mut ready);
        }
        events.clear();
        self.events.replace(events);
        self.collect_fresh(&mut ready);
        self.streams.collect(&mut ready);
    }

    /// Shows `visit` every job that waits for a descriptor.
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(&J)) {
        for slot in self.slots.borrow().iter() {
            slot.reader.iter().chain(&slot.writer).for_each(&mut *visit);
        }
        self.streams.visit(visit);
    }

    /// Lets go of the poller and of all jobs, which are returned.
    pub(crate) fn close(&self) -> Vec<J> {
        drop(self.poller.take());
        self.fresh.clear();
        let slots = self.slots.take().into_iter();
        self.count(Counts::default());
        slots
            .flat_map(|slot| slot.reader.into_iter().chain(slot.writer))
            .chain(self.streams.close())
            .collect()
    }

    /// Returns the poller; in a forked child one of its own, which watches the same descriptors.
    fn poller(&self) -> io::Result<Rc<Poller>> {
        let poller = self.poller.borrow().clone().ok_or(Errno::BADF)?;
        let Some(renewed) = poller.renew()? else {
            return Ok(poller);
        };
        for (fd, slot) in (0..).zip(&*self.slots.borrow()) {
            let interest = slot.interest();
            // A descriptor that has been closed since can't be watched, and needn't be.
            match slot.arming.get() {
                _ if interest.is_none() => {}
                Arming::Lasting => drop(renewed.watch(fd, Interest::default(), interest)),
                Arming::Once => drop(renewed.watch_once(fd, false, interest)),
                Arming::Spent | Arming::Fresh | Arming::Seen => {}
            }
        }
        let renewed = Rc::new(renewed);
        self.poller.replace(Some(Rc::clone(&renewed)));
        Ok(renewed)
    }

    /// Returns what `fd` is watched for, and in which way.
    fn registration(&self, fd: RawFd) -> (Interest, Arming) {
        let slots = self.slots.borrow();
        index(fd)
            .and_then(|index| slots.get(index))
            .map(|slot| (slot.interest(), slot.arming.get()))
            .unwrap_or_default()
    }

    fn replace(
        &self,
        fd: RawFd,
        direction: Direction,
        job: Option<J>,
        arming: Arming,
    ) -> Option<J> {
        let change = |slot: &mut Slot<J>| {
            let before = slot.arming.replace(arming);
            (before, std::mem::replace(slot.job_mut(direction), job))
        };
        let (before, replaced) = self.update(fd, change)?;
        if matches!(before, Arming::Fresh | Arming::Seen) {
            self.fresh.forget(fd);
        }
        replaced
    }

    /// Changes a slot and keeps the counts; a negative descriptor has no slot.
    fn update<T>(&self, fd: RawFd, change: impl FnOnce(&mut Slot<J>) -> T) -> Option<T> {
        let index = index(fd)?;
        let mut slots = self.slots.borrow_mut();
        if slots.len() <= index {
            slots.resize_with(index + 1, Slot::default);
        }
        let slot = &mut slots[index];
        let before = slot.counts();
        let result = change(slot);
        if before.watched == 1 && slot.interest().is_none() {
            // The number may soon be somebody else's.
            slot.internal = false;
        }
        let after = slot.counts();
        self.count(self.counts.get().exchange(before, after));
        Some(result)
    }
}

/// A wait that has been prepared, so that a face may make its own preparations round it.
pub(crate) struct Wait<'r, J> {
    reactor: &'r Reactor<J>,
    poller: Rc<Poller>,
    timeout: Option<Duration>,
}

impl<J: Told> Wait<'_, J> {
    /// Enters the kernel; the events are left for [`Reactor::collect`].
    pub(crate) fn run(&self) -> io::Result<()> {
        let Reactor {
            streams,
            events,
            waits,
            ..
        } = self.reactor;
        waits.set(waits.get() + 1);
        streams.leave_to_parent();
        let is_long = self.timeout != Some(Duration::ZERO);
        let timeout = if self.reactor.see_fresh(&self.poller, is_long) || streams.has_heard() {
            Some(Duration::ZERO)
        } else {
            self.timeout
        };
        let mut found = events.take();
        let outcome = match streams.wait(&self.poller, &mut found, timeout) {
            Some(outcome) => outcome,
            None => self.poller.wait(&mut found, timeout),
        };
        events.replace(found);
        outcome
    }
}

/// What the kernel tells about a descriptor that somebody watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Arming {
    /// All, for as long as it is watched.
    #[default]
    Lasting,
    /// The next time only: there is one direction, and nothing has happened yet.
    Once,
    /// It has told, and tells no more. It may still remember the descriptor, which does no harm
    /// even if the number is another's by now, and saves to tell it anew.
    Spent,
    /// Nothing yet: there is a reader, and no wait has been since.
    Fresh,
    /// Nothing yet: a wait has seen what it has, and the next one has it watched.
    Seen,
}

/// How many descriptors are watched.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// At all.
    watched: usize,
    /// For the face's own sake.
    internal: usize,
    /// For the program's sake, by a job that can't bear to wait.
    impatient: usize,
}

impl Counts {
    /// Returns the counts with what one slot adds to them in the place of what it added before.
    fn exchange(self, before: Self, after: Self) -> Self {
        Self {
            watched: self.watched + after.watched - before.watched,
            internal: self.internal + after.internal - before.internal,
            impatient: self.impatient + after.impatient - before.impatient,
        }
    }
}

/// Who is to be told about one descriptor.
struct Slot<J> {
    reader: Option<J>,
    writer: Option<J>,
    internal: bool,
    arming: Cell<Arming>,
}

impl<J> Slot<J> {
    fn interest(&self) -> Interest {
        Interest {
            readable: self.reader.is_some(),
            writable: self.writer.is_some(),
        }
    }

    fn job(&self, direction: Direction) -> Option<&J> {
        match direction {
            Direction::Read => self.reader.as_ref(),
            Direction::Write => self.writer.as_ref(),
        }
    }

    fn job_mut(&mut self, direction: Direction) -> &mut Option<J> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    /// Returns what this slot adds to the counts.
    fn counts(&self) -> Counts
    where
        J: Told,
    {
        let watched = usize::from(!self.interest().is_none());
        let jobs = [&self.reader, &self.writer];
        let is_impatient = jobs.into_iter().flatten().any(Told::is_impatient);
        Counts {
            watched,
            internal: if self.internal { watched } else { 0 },
            impatient: usize::from(is_impatient && !self.internal),
        }
    }
}

impl<J> Default for Slot<J> {
    fn default() -> Self {
        Self {
            reader: None,
            writer: None,
            internal: false,
            arming: Cell::default(),
        }
    }
}

impl Interest {
    fn has(self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.readable,
            Direction::Write => self.writable,
        }
    }

    fn with(mut self, direction: Direction, wanted: bool) -> Self {
        match direction {
            Direction::Read => self.readable = wanted,
            Direction::Write => self.writable = wanted,
        }
        self
    }
}

fn index(fd: RawFd) -> Option<usize> {
    usize::try_from(fd).ok()
}
