//! A connection, and the tasks that receive from it and send to it.
//!
//! Small messages go through the dispatcher's ring, if it has one: the kernel receives whatever comes, and what the
//! tasks of a turn send is handed to it by one call. Who moves much at a time is better off without, since each
//! byte is copied once more there; then, and where there is no ring, a [`Source`] is all there is to it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::runtime::Entry;
use super::source::{Readiness, Source};
use crate::reactor::{Inbound, Outbound};
use crate::sys::PIECE;

/// What is as long as that goes without the ring.
const TOO_LONG: usize = PIECE;

/// After so many small messages a connection that was received from without the ring goes back to it.
const CALM_AFTER: u32 = 16;

/// What is shorter than that is small.
const SMALL: usize = PIECE / 2;

/// A connection as the runtime knows it. Its owner keeps the descriptor open until this is closed.
pub(crate) struct Flow {
    source: Rc<Source>,
    inbound: Rc<Inbound>,
    /// The piece that was sent last.
    outbound: RefCell<Rc<Outbound>>,
    /// Much is coming at a time. The poller watches the connection.
    is_bulky: Cell<bool>,
    /// How many messages since then were small.
    calm: Cell<u32>,
    /// When a piece was last known to have gone. Who sends more at once need not wait for the end of a turn with each.
    sent_last: Cell<u64>,
}

/// What a task has had sent, and waits for.
pub(crate) type Ticket = Option<Rc<Outbound>>;

impl Flow {
    /// Takes up a connection.
    pub(crate) fn new(source: Rc<Source>) -> Self {
        Self {
            source,
            inbound: Rc::default(),
            outbound: RefCell::default(),
            is_bulky: Cell::new(false),
            calm: Cell::new(0),
            sent_last: Cell::new(u64::MAX),
        }
    }

    /// Takes what the ring has received, as far as `put` has room for it, or waits for it. Returns nothing if it is
    /// for the caller to [`fetch`](Self::fetch) it.
    #[inline]
    pub(crate) fn take(
        &self,
        cx: &Context<'_>,
        put: impl FnOnce(&[u8]) -> usize,
    ) -> Option<Poll<io::Result<usize>>> {
        if !self.source.may_go_on(cx) {
            return Some(Poll::Pending);
        }
        if let Some(outcome) = self.inbound.take(put) {
            return Some(Poll::Ready(outcome));
        }
        self.inbound.is_open().then(|| self.wait_for_ring(cx))
    }

    /// Reads into a buffer with room for `room` bytes, or waits, after [`take`](Self::take) has returned nothing.
    pub(crate) fn fetch(
        &self,
        room: usize,
        cx: &Context<'_>,
        read: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let Some(outcome) = self.source.attempt_read(room, read) else {
            return self.wait_for_more(cx);
        };
        if self.is_bulky.get()
            && let Ok(count) = outcome
        {
            self.calm_down(count);
        }
        Poll::Ready(outcome)
    }

    /// Goes back to the ring when messages have been small for a while, and nobody waits for the poller.
    fn calm_down(&self, count: usize) {
        let calm = if count < SMALL {
            self.calm.get() + 1
        } else {
            0
        };
        self.calm.set(calm);
        if calm >= CALM_AFTER && !self.source.is_awaited(Readiness::Readable) {
            self.is_bulky.set(false);
            self.source.unwatch(Readiness::Readable);
        }
    }

    fn wait_for_ring<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.source.core.dispatcher.await_inbound(&self.inbound);
        self.source.list(Readiness::Readable, cx);
        Poll::Pending
    }

    fn wait_for_more(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbound.take_bulk() {
            self.is_bulky.set(true);
            self.calm.set(0);
        }
        if self.is_bulky.get() || self.source.is_watched(Readiness::Readable) || !self.receive() {
            return self.source.wait(Readiness::Readable, cx);
        }
        self.source.list(Readiness::Readable, cx);
        Poll::Pending
    }

    fn receive(&self) -> bool {
        let Source { core, fd, .. } = &*self.source;
        let job = || Entry::Readable(Rc::clone(&self.source));
        core.dispatcher.receive(*fd, &self.inbound, job)
    }

    /// Waits until there may be something to read.
    pub(crate) fn poll_readable(
        &self,
        before: &mut Option<u64>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.inbound.has_news() {
            return Poll::Ready(Ok(()));
        }
        if self.inbound.is_open() {
            return self.wait_for_ring(cx);
        }
        self.source.poll_ready(Readiness::Readable, before, cx)
    }

    /// Calls `write` until it does not say that it would block, after all that is under way.
    pub(crate) fn poll_write<T>(
        &self,
        cx: &Context<'_>,
        write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if self.outbound.borrow().is_busy() {
            return self.wait_for_outbound(cx);
        }
        self.source.poll(Readiness::Writable, cx, write)
    }

    /// Sends `bytes`, or some of them, and gives how many when they have gone; by `write` if not by the ring.
    ///
    /// Who has waited has a ticket, and comes again with it.
    pub(crate) fn poll_send(
        &self,
        bytes: &[u8],
        ticket: &mut Ticket,
        cx: &Context<'_>,
        write: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if let Some(outcome) = ticket.as_ref().and_then(|outbound| outbound.take()) {
            *ticket = None;
            self.sent_last.set(self.source.core.dispatcher.waits());
            return Poll::Ready(outcome);
        }
        if self.outbound.borrow().is_busy() {
            return self.wait_for_outbound(cx);
        }
        let is_for_ring = (1..TOO_LONG).contains(&bytes.len())
            && !self.is_bulky.get()
            && self.sent_last.get() != self.source.core.dispatcher.waits();
        if is_for_ring && self.send(bytes, ticket) {
            return self.wait_for_outbound(cx);
        }
        self.source.poll(Readiness::Writable, cx, write)
    }

    fn send(&self, bytes: &[u8], ticket: &mut Ticket) -> bool {
        let mut outbound = self.outbound.borrow_mut();
        if Rc::strong_count(&outbound) > 1 {
            // Somebody will still ask it what became of the last piece.
            *outbound = Rc::default();
        }
        let Source { core, fd, .. } = &*self.source;
        let job = || Entry::Writable(Rc::clone(&self.source));
        let is_under_way = core.dispatcher.send(*fd, &outbound, bytes, job);
        if is_under_way {
            *ticket = Some(Rc::clone(&outbound));
        }
        is_under_way
    }

    fn wait_for_outbound<T>(&self, cx: &Context<'_>) -> Poll<T> {
        self.source.list(Readiness::Writable, cx);
        Poll::Pending
    }

    /// Lets go of the descriptor, which may be closed then.
    pub(crate) fn close(&self) {
        let outbound = Rc::clone(&self.outbound.borrow());
        self.source.core.dispatcher.shut(&self.inbound, &outbound);
    }
}
