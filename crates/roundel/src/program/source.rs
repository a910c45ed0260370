//! A descriptor, and the tasks that wait until it can be read or written.
//!
//! Whoever wants to read tries that first, and waits only if there is nothing. Who has found nothing, or
//! less than there was room for, does not try again before the next event. The descriptor is
//! watched from then on: as long as somebody waits again by the time of the next event, as a server
//! does for its next request, nothing has to be told to the operating system. An event for which
//! nobody waits ends it.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::deadlock::note;
use super::runtime::{Core, Entry};
use super::task::TaskWaker;

/// What a task waits for with a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Readable,
    Writable,
}

/// A descriptor as the runtime knows it. Its owner keeps it open until this is closed.
pub(crate) struct Source {
    pub(super) core: Rc<Core>,
    pub(super) fd: RawFd,
    reader: Side,
    writer: Side,
}

#[derive(Default)]
struct Side {
    is_watched: Cell<bool>,
    /// Nothing is to be had before the next event, if the descriptor is watched.
    is_drained: Cell<bool>,
    /// How many events there have been.
    events: Cell<u64>,
    waiting: RefCell<Vec<TaskWaker>>,
}

impl Source {
    /// Takes up a descriptor in the runtime of this thread.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    #[track_caller]
    pub(crate) fn new(fd: RawFd) -> Rc<Self> {
        Rc::new(Self {
            core: Core::current(),
            fd,
            reader: Side::default(),
            writer: Side::default(),
        })
    }

    /// Calls `attempt` until it does not say that it would block, waiting for events between.
    ///
    /// A task that never has to wait lets the others go first every now and then.
    pub(crate) fn poll<T>(
        self: &Rc<Self>,
        readiness: Readiness,
        cx: &Context<'_>,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if !self.may_go_on(cx) {
            return Poll::Pending;
        }
        match self.attempt(readiness, attempt) {
            Some(outcome) => Poll::Ready(outcome),
            None => self.wait(readiness, cx),
        }
    }

    /// Counts a use, and returns whether the task may go on; otherwise it will be woken.
    #[inline]
    pub(super) fn may_go_on(&self, cx: &Context<'_>) -> bool {
        let may = self.core.spend();
        if !may {
            cx.waker().wake_by_ref();
        }
        may
    }

    /// Calls `attempt`, unless that is known to be in vain, and returns nothing if it would block.
    pub(super) fn attempt<T>(
        &self,
        readiness: Readiness,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let side = self.side(readiness);
        if side.is_drained.get() && side.is_watched.get() {
            return None;
        }
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    side.is_drained.set(true);
                    return None;
                }
                outcome => return Some(outcome),
            }
        }
    }

    /// Reads as [`attempt`](Self::attempt) does, into a buffer with room for `room` bytes.
    pub(super) fn attempt_read(
        &self,
        room: usize,
        read: impl FnMut() -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        let outcome = self.attempt(Readiness::Readable, read);
        if let Some(Ok(count)) = outcome {
            self.reader.is_drained.set(0 < count && count < room);
        }
        outcome
    }

    /// Reads as [`poll`](Self::poll) does, into a buffer with room for `room` bytes.
    pub(crate) fn poll_read(
        self: &Rc<Self>,
        room: usize,
        cx: &Context<'_>,
        read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if !self.may_go_on(cx) {
            return Poll::Pending;
        }
        match self.attempt_read(room, read) {
            Some(outcome) => Poll::Ready(outcome),
            None => self.wait(Readiness::Readable, cx),
        }
    }

    /// Has the task woken at the next event, for which the descriptor is watched.
    pub(super) fn wait<T>(
        self: &Rc<Self>,
        readiness: Readiness,
        cx: &Context<'_>,
    ) -> Poll<io::Result<T>> {
        match self.enlist(readiness, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Waits for the next event since the first call, which has nothing in `before`.
    pub(crate) fn poll_ready(
        self: &Rc<Self>,
        readiness: Readiness,
        before: &mut Option<u64>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let events = self.side(readiness).events.get();
        if before.is_some_and(|before| before != events) {
            return Poll::Ready(Ok(()));
        }
        *before = Some(events);
        self.wait(readiness, cx)
    }

    /// Has the task woken at the next event.
    fn enlist(self: &Rc<Self>, readiness: Readiness, cx: &Context<'_>) -> io::Result<()> {
        let side = self.side(readiness);
        if !side.is_watched.get() {
            let dispatcher = &self.core.dispatcher;
            let replaced = match readiness {
                Readiness::Readable => {
                    dispatcher.add_reader(self.fd, Entry::Readable(self.clone()))
                }
                Readiness::Writable => {
                    dispatcher.add_writer(self.fd, Entry::Writable(self.clone()))
                }
            };
            drop(replaced?);
            side.is_watched.set(true);
        }
        self.list(readiness, cx);
        Ok(())
    }

    /// Has the task woken at the next event, which somebody else sees to.
    pub(super) fn list(&self, readiness: Readiness, cx: &Context<'_>) {
        let waker = TaskWaker::of(cx);
        let mut waiting = self.side(readiness).waiting.borrow_mut();
        if !waiting.iter().any(|known| known.will_wake(&waker)) {
            waiting.push(waker);
        }
        drop(waiting);
        note(|| format!("descriptor {} to become {readiness:?}", self.fd).to_lowercase());
    }

    /// Returns whether the poller watches the descriptor.
    #[inline]
    pub(super) fn is_watched(&self, readiness: Readiness) -> bool {
        self.side(readiness).is_watched.get()
    }

    /// Wakes whoever waits; if nobody does, the descriptor is not watched any more.
    pub(crate) fn fire(&self, readiness: Readiness) {
        let side = self.side(readiness);
        side.events.set(side.events.get() + 1);
        side.is_drained.set(false);
        let mut waiting = mem::take(&mut *side.waiting.borrow_mut());
        if waiting.is_empty() {
            return self.unwatch(readiness);
        }
        waiting.drain(..).for_each(TaskWaker::wake);
        let mut room = side.waiting.borrow_mut();
        if room.capacity() == 0 {
            *room = waiting;
        }
    }

    /// Hears that the runtime has ended: no event comes any more.
    pub(super) fn outlive_runtime(&self) {
        for side in [&self.reader, &self.writer] {
            side.is_watched.set(false);
            side.is_drained.set(false);
        }
    }

    /// Lets go of the descriptor, which may be closed then, and wakes nobody.
    pub(crate) fn close(&self) {
        self.unwatch(Readiness::Readable);
        self.unwatch(Readiness::Writable);
        let waiting = [&self.reader, &self.writer].map(|side| side.waiting.take());
        drop(waiting);
    }

    /// Returns whether somebody waits for the next event.
    pub(super) fn is_awaited(&self, readiness: Readiness) -> bool {
        !self.side(readiness).waiting.borrow().is_empty()
    }

    /// Has the poller forget the descriptor.
    pub(super) fn unwatch(&self, readiness: Readiness) {
        if !self.side(readiness).is_watched.replace(false) {
            return;
        }
        let dispatcher = &self.core.dispatcher;
        drop(match readiness {
            Readiness::Readable => dispatcher.remove_reader(self.fd),
            Readiness::Writable => dispatcher.remove_writer(self.fd),
        });
    }

    fn side(&self, readiness: Readiness) -> &Side {
        match readiness {
            Readiness::Readable => &self.reader,
            Readiness::Writable => &self.writer,
        }
    }
}
