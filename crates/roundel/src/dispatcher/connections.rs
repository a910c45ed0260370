//! Connections that the reactor itself receives from and sends to.

use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use super::Dispatcher;
use super::job::Job;
use crate::reactor::{Inbound, Outbound, StreamAccess};

impl<J: Job> Dispatcher<J> {
    /// Says which way connections are received from and sent to from now on.
    ///
    /// # Errors
    ///
    /// Returns an error while any is being received from or sent to by a ring, and if there is no such way.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::StreamAccess;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// assert!(dispatcher.set_stream_access(StreamAccess::Poller).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_stream_access(&self, access: StreamAccess) -> io::Result<()> {
        self.reactor.set_stream_access(access)
    }

    /// Receives from a connection into `inbound`, and has `job` told whenever something has come; or returns that this
    /// can't be had.
    pub(crate) fn receive(
        &self,
        fd: RawFd,
        inbound: &Rc<Inbound>,
        job: impl FnOnce() -> J,
    ) -> bool {
        self.reactor.receive(fd, inbound, job)
    }

    /// Hears that somebody waits for what comes into `inbound`.
    #[inline]
    pub(crate) fn await_inbound(&self, inbound: &Inbound) {
        self.reactor.heed(inbound);
    }

    /// Sends to a connection, and has `job` told when `outbound` says how much has gone; or returns that this can't be
    /// had.
    pub(crate) fn send(
        &self,
        fd: RawFd,
        outbound: &Rc<Outbound>,
        bytes: &[u8],
        job: impl FnOnce() -> J,
    ) -> bool {
        self.reactor.send(fd, outbound, bytes, job)
    }

    /// Returns how often the operating system has been asked for events.
    #[inline]
    pub(crate) fn waits(&self) -> u64 {
        self.reactor.waits()
    }

    /// Lets go of a connection, whose descriptor may be closed then.
    pub(crate) fn shut(&self, inbound: &Inbound, outbound: &Outbound) {
        self.reactor.shut(inbound, outbound);
    }
}
