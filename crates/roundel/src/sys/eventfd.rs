//! Ends the wait of a [`Poller`](super::Poller) from any thread, by an eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// A descriptor whose only use is to become readable.
#[derive(Debug)]
pub(crate) struct Notifier {
    fd: OwnedFd,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { fd })
    }

    /// Makes the poller's present wait return, or else its next one.
    pub(crate) fn notify(&self) {
        let one = 1_u64.to_ne_bytes();
        // The only error a living eventfd knows is a full counter, which is as readable as one
        // can be; an interrupted write is tried again.
        while let Err(Errno::INTR) = rustix::io::write(&self.fd, &one) {}
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
