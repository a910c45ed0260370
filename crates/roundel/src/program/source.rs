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
    core: Rc<Core>,
    fd: RawFd,
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

    /// Returns how many events there have been.
    pub(crate) fn events(&self, readiness: Readiness) -> u64 {
        self.side(readiness).events.get()
    }

    /// Calls `attempt` until it does not say that it would block, waiting for events between.
    ///
    /// A task that never has to wait lets the others go first every now and then.
    pub(crate) fn poll<T>(
        self: &Rc<Self>,
        readiness: Readiness,
        cx: &Context<'_>,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if !self.core.spend() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let side = self.side(readiness);
        if side.is_drained.get() && side.is_watched.get() {
            return self.wait(readiness, cx);
        }
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    side.is_drained.set(true);
                    return self.wait(readiness, cx);
                }
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn wait<T>(self: &Rc<Self>, readiness: Readiness, cx: &Context<'_>) -> Poll<io::Result<T>> {
        match self.enlist(readiness, cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Reads as [`poll`](Self::poll) does, into a buffer with room for `room` bytes.
    pub(crate) fn poll_read(
        self: &Rc<Self>,
        room: usize,
        cx: &Context<'_>,
        read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let outcome = self.poll(Readiness::Readable, cx, read);
        if let Poll::Ready(Ok(count)) = outcome {
            self.reader.is_drained.set(0 < count && count < room);
        }
        outcome
    }

    /// Has the task woken at the next event.
    pub(crate) fn enlist(
        self: &Rc<Self>,
        readiness: Readiness,
        cx: &Context<'_>,
    ) -> io::Result<()> {
        let side = self.side(readiness);
        let waker = TaskWaker::of(cx);
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
        let mut waiting = side.waiting.borrow_mut();
        if !waiting.iter().any(|known| known.will_wake(&waker)) {
            waiting.push(waker);
        }
        drop(waiting);
        note(|| format!("descriptor {} to become {readiness:?}", self.fd).to_lowercase());
        Ok(())
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

    /// Lets go of the descriptor, which may be closed then, and wakes nobody.
    pub(crate) fn close(&self) {
        self.unwatch(Readiness::Readable);
        self.unwatch(Readiness::Writable);
        let waiting = [&self.reader, &self.writer].map(|side| side.waiting.take());
        drop(waiting);
    }

    fn unwatch(&self, readiness: Readiness) {
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
