//! Connections for which the kernel receives and sends, by a ring.
//!
//! To wait for a connection, and then to receive, are two system calls for each message; here a connection is
//! received from until further notice, and what comes lies in its [`Inbound`] by the time that its job is told. A
//! connection whose reader falls behind is received from no more, so that its peer has to wait as it would without this.
//!
//! Where there is no ring, everything here says so, and readiness does it.

mod ends;

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use slab::Slab;

use self::ends::Receiving;
pub(crate) use self::ends::{Inbound, Outbound};
use super::{Reactor, Told};
use crate::sys::{Events, Poller, Report, StreamRing};

/// Which way connections are received from and sent to: see [`Runner::set_stream_access`](crate::Runner::set_stream_access).
///
/// By a ring (Linux' `io_uring`, of 6.1 or later) the kernel receives small messages as they come, and sends what all tasks of a turn
/// have written, by a single call. A program can't tell, but by its speed.
///
/// # Examples
///
/// ```
/// use roundel::net::UnixStream;
/// use roundel::{Clock, Order, Runner, StreamAccess};
///
/// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
/// runner.set_stream_access(StreamAccess::Poller)?;
/// let count = runner.run(async {
///     let (one, other) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     other.read(&mut [0; 16]).await
/// })?;
/// assert_eq!(count?, 5);
/// # Ok::<(), roundel::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamAccess {
    /// By a ring what is small, where there is a ring; all else when the poller says that a connection is ready.
    #[default]
    Best,
    /// As with `Best`, but there has to be a ring.
    Ring,
    /// When the poller says that a connection is ready.
    Poller,
}

/// What is under way, and the jobs that are told.
pub(super) struct Streams<J> {
    /// Made when it is first needed, and taken away while it is waited for.
    ring: RefCell<Option<Box<StreamRing>>>,
    /// There is no ring to be had, or none is wanted.
    goes_without: Cell<bool>,
    /// By the ring's keys.
    receives: RefCell<Slab<Incoming<J>>>,
    /// By the ring's keys.
    sends: RefCell<Slab<Outgoing<J>>>,
    /// The jobs that are to be told.
    heard: RefCell<Vec<J>>,
    /// Something is to be handed over, or may be done.
    is_stirring: Cell<bool>,
    /// How many receives somebody waits for.
    heeded: Cell<usize>,
}

struct Incoming<J> {
    fd: RawFd,
    /// Nobody, if the connection has been closed meanwhile.
    owner: Option<(J, Rc<Inbound>)>,
}

/// The keys of receives that want something done.
#[derive(Default)]
struct Unsettled {
    /// What has ended for want of memory.
    starved: Vec<usize>,
    /// What comes faster than it is taken.
    flooded: Vec<usize>,
}

struct Outgoing<J> {
    job: J,
    outbound: Rc<Outbound>,
}

impl<J> Default for Streams<J> {
    fn default() -> Self {
        Self {
            ring: RefCell::default(),
            goes_without: Cell::new(false),
            receives: RefCell::default(),
            sends: RefCell::default(),
            heard: RefCell::default(),
            is_stirring: Cell::new(false),
            heeded: Cell::new(0),
        }
    }
}

impl<J> Streams<J> {
    /// Returns whether something is to be handed over, or may be done.
    #[inline]
    pub(super) fn is_stirring(&self) -> bool {
        self.is_stirring.get()
    }

    /// Returns how many receives and sends are under way.
    pub(super) fn under_way(&self) -> usize {
        let ring = self.ring.borrow();
        ring.as_ref().map_or(0, |ring| ring.under_way())
    }

    /// Returns how many of them somebody waits for.
    pub(super) fn awaited(&self) -> usize {
        self.heeded.get() + self.sends.borrow().len()
    }

    /// Returns whether jobs are to be told.
    pub(super) fn has_heard(&self) -> bool {
        !self.heard.borrow().is_empty()
    }

    /// Hands `tell` the jobs that are to be told.
    pub(super) fn collect(&self, tell: &mut impl FnMut(J)) {
        let mut heard = self.heard.take();
        heard.drain(..).for_each(tell);
        self.heard.replace(heard);
    }

    /// Shows `visit` every job that waits for a connection, or is to be told.
    pub(super) fn visit(&self, visit: &mut dyn FnMut(&J)) {
        let receives = self.receives.borrow();
        let owners = receives.iter().filter_map(|(_, each)| each.owner.as_ref());
        owners.for_each(|(job, _)| visit(job));
        let sends = self.sends.borrow();
        sends.iter().for_each(|(_, send)| visit(&send.job));
        self.heard.borrow().iter().for_each(visit);
    }

    fn heed(&self, inbound: &Inbound) {
        if !inbound.is_heeded.replace(true) {
            self.heeded.set(self.heeded.get() + 1);
        }
    }

    fn unheed(&self, inbound: &Inbound) {
        if inbound.is_heeded.replace(false) {
            self.heeded.set(self.heeded.get() - 1);
        }
    }
}

impl<J: Clone> Streams<J> {
    /// Returns the ring, which is made when it is first needed, if there can be one.
    fn find_ring(&self) -> Option<RefMut<'_, StreamRing>> {
        self.leave_to_parent();
        if !self.goes_without.get() && self.ring.borrow().is_none() {
            match StreamRing::new() {
                Ok(ring) => drop(self.ring.replace(Some(Box::new(ring)))),
                Err(_) => self.goes_without.set(true),
            }
        }
        RefMut::filter_map(self.ring.borrow_mut(), Option::as_deref_mut).ok()
    }

    /// Gives up, in a forked child, what the parent has under way.
    pub(super) fn leave_to_parent(&self) {
        let ring = self.ring.borrow();
        if ring.as_ref().is_some_and(|ring| ring.is_past()) {
            drop(ring);
            let jobs = self.give_up(libc::ECANCELED);
            self.heard.replace(jobs);
        }
    }

    /// Goes without the ring from now on, and returns the jobs that will not be told.
    fn give_up(&self, reason: i32) -> Vec<J> {
        self.goes_without.set(true);
        // It waits for the kernel, so that nobody uses the connections' descriptors any more, and keeps what has come.
        let ring = self.ring.take().filter(|ring| !ring.is_past());
        if let Some(mut ring) = ring {
            let mut unsettled = Unsettled::default();
            // What goes wrong there goes wrong again when the ring is dropped, which knows what to do.
            ring.settle(|report| self.hear(report, &mut unsettled)).ok();
        }
        self.heeded.set(0);
        self.is_stirring.set(false);
        let mut jobs = self.heard.take();
        for (job, inbound) in self
            .receives
            .take()
            .into_iter()
            .filter_map(|(_, it)| it.owner)
        {
            inbound.state.set(Receiving::Not);
            inbound.is_heeded.set(false);
            jobs.push(job);
        }
        for (_, Outgoing { job, outbound }) in self.sends.take() {
            outbound.end(Err(io::Error::from_raw_os_error(reason)));
            jobs.push(job);
        }
        jobs
    }

    pub(super) fn close(&self) -> Vec<J> {
        self.give_up(libc::ENOTCONN)
    }

    /// Waits in the ring, and leaves with `events` what the poller has by then. Does nothing if nothing is under way
    /// in the ring.
    pub(super) fn wait(
        &self,
        poller: &Poller,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> Option<io::Result<()>> {
        if !self.is_stirring.get() && self.under_way() == 0 {
            return None;
        }
        let mut ring = self.ring.take()?;
        self.is_stirring.set(false);
        let mut outcome = ring.wait(poller, timeout);
        self.reap(&mut ring);
        if ring.take_poller_news() && outcome.is_ok() {
            outcome = poller.wait(events, Some(Duration::ZERO));
        }
        self.ring.replace(Some(ring));
        Some(outcome)
    }

    fn reap(&self, ring: &mut StreamRing) {
        let mut unsettled = Unsettled::default();
        ring.reap(|report| self.hear(report, &mut unsettled));
        if !unsettled.starved.is_empty() {
            ring.provide_more();
        }
        for key in unsettled.starved {
            self.receive_again(ring, key);
        }
        for key in unsettled.flooded {
            self.cancel(ring, key);
        }
    }

    fn hear(&self, report: Report<'_>, unsettled: &mut Unsettled) {
        match report {
            Report::Sent { key, outcome } => {
                let Outgoing { job, outbound } = self.sends.borrow_mut().remove(key);
                outbound.end(outcome);
                self.heard.borrow_mut().push(job);
            }
            Report::Received {
                key,
                outcome: Err(error),
                is_last: true,
            } if error.raw_os_error() == Some(libc::ENOBUFS) => unsettled.starved.push(key),
            Report::Received {
                key,
                outcome,
                is_last: true,
            } => self.ended(key, Some(outcome)),
            Report::Received { key, outcome, .. } => {
                if !self.received(key, outcome) {
                    unsettled.flooded.push(key);
                }
            }
        }
    }

    /// Hands over what has come, and returns whether more may come.
    fn received(&self, key: usize, outcome: io::Result<&[u8]>) -> bool {
        let receives = self.receives.borrow();
        let Some((job, inbound)) = &receives[key].owner else {
            return true;
        };
        self.unheed(inbound);
        self.heard.borrow_mut().push(job.clone());
        inbound.put(outcome)
    }

    /// Hands over what has come, if that was more than a refusal, after which nothing does.
    fn ended(&self, key: usize, outcome: Option<io::Result<&[u8]>>) {
        let receive = self.receives.borrow_mut().remove(key);
        if let Some((job, inbound)) = receive.owner {
            self.unheed(&inbound);
            if let Some(outcome) = outcome {
                inbound.put(outcome);
            }
            inbound.state.set(Receiving::Not);
            self.heard.borrow_mut().push(job);
        }
    }

    fn receive_again(&self, ring: &mut StreamRing, key: usize) {
        let receives = self.receives.borrow();
        let receive = &receives[key];
        if let Some((_, inbound)) = &receive.owner
            && matches!(inbound.state.get(), Receiving::Until { .. })
            && inbound.has_room()
        {
            ring.receive(key, receive.fd);
            self.is_stirring.set(true);
            return;
        }
        drop(receives);
        self.ended(key, None);
    }

    fn cancel(&self, ring: &mut StreamRing, key: usize) {
        let receives = self.receives.borrow();
        // What has ended meanwhile needs no end, and its key may be another's.
        if let Some((_, inbound)) = receives.get(key).and_then(|each| each.owner.as_ref())
            && matches!(inbound.state.get(), Receiving::Until { .. })
        {
            ring.cancel_receive(key);
            inbound.state.set(Receiving::Ending { key });
            self.is_stirring.set(true);
        }
    }
}

impl<J: Told> Reactor<J> {
    /// Says which way connections are received from and sent to from now on.
    ///
    /// # Errors
    ///
    /// Returns [`io::ErrorKind::ResourceBusy`] while a ring is at work, and the operating system's error if a ring is
    /// wanted and can't be had.
    pub(crate) fn set_stream_access(&self, access: StreamAccess) -> io::Result<()> {
        let streams = &self.streams;
        streams.leave_to_parent();
        if streams.under_way() > 0 {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let ring = match access {
            StreamAccess::Ring => Some(Box::new(StreamRing::new()?)),
            StreamAccess::Best | StreamAccess::Poller => None,
        };
        drop(streams.ring.replace(ring));
        streams.goes_without.set(access == StreamAccess::Poller);
        Ok(())
    }

    /// Receives from `fd` into `inbound`, which is not open, and has `job` told whenever something has come. Returns
    /// whether that can be had.
    ///
    /// The descriptor has to stay open until [`shut`](Self::shut).
    pub(crate) fn receive(
        &self,
        fd: RawFd,
        inbound: &Rc<Inbound>,
        job: impl FnOnce() -> J,
    ) -> bool {
        let streams = &self.streams;
        let Some(mut ring) = streams.find_ring() else {
            return false;
        };
        let owner = Some((job(), Rc::clone(inbound)));
        let key = streams.receives.borrow_mut().insert(Incoming { fd, owner });
        ring.receive(key, fd);
        inbound.state.set(Receiving::Until { key });
        streams.heed(inbound);
        streams.is_stirring.set(true);
        true
    }

    /// Hears that somebody waits for what comes into `inbound`, which is open.
    #[inline]
    pub(crate) fn heed(&self, inbound: &Inbound) {
        self.streams.heed(inbound);
    }

    /// Sends `bytes` to `fd`, and has `job` told when `outbound`, which is not busy, says how many have gone. Returns
    /// whether that can be had.
    ///
    /// The descriptor has to stay open until [`shut`](Self::shut).
    pub(crate) fn send(
        &self,
        fd: RawFd,
        outbound: &Rc<Outbound>,
        bytes: &[u8],
        job: impl FnOnce() -> J,
    ) -> bool {
        let streams = &self.streams;
        let Some(mut ring) = streams.find_ring() else {
            return false;
        };
        let mut sends = streams.sends.borrow_mut();
        let entry = sends.vacant_entry();
        ring.send(entry.key(), fd, bytes);
        outbound.begin(entry.key());
        entry.insert(Outgoing {
            job: job(),
            outbound: Rc::clone(outbound),
        });
        streams.is_stirring.set(true);
        true
    }

    /// Lets go of a connection, whose descriptor may be closed then. Of what is being sent goes what there is room for.
    pub(crate) fn shut(&self, inbound: &Inbound, outbound: &Outbound) {
        if !inbound.is_open() && !outbound.is_busy() {
            return;
        }
        let streams = &self.streams;
        streams.leave_to_parent();
        let mut owner = None;
        if let Receiving::Until { key } | Receiving::Ending { key } = inbound.state.get() {
            streams.unheed(inbound);
            owner = streams.receives.borrow_mut()[key].owner.take();
        }
        if let Some(ring) = &mut *streams.ring.borrow_mut() {
            if let Receiving::Until { key } = inbound.state.get() {
                ring.cancel_receive(key);
            }
            // It would keep the connection open for as long as the peer does not read.
            if let Some(key) = outbound.key.get() {
                ring.cancel_send(key);
            }
            // The kernel has to know the connection before its number can be another's, and must not keep it
            // open until the next turn, which may never be.
            ring.hand_over();
            streams.is_stirring.set(true);
        }
        // Whoever it belongs to may be called by its end.
        drop(owner);
    }
}
