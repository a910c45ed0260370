//! Ends the wait of a [`Poller`](super::Poller) from any thread, by a pipe to itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::pipe::pipe;

/// A pipe whose only use is to become readable.
#[derive(Debug)]
pub(crate) struct Notifier {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Notifier {
    pub(crate) fn new() -> io::Result<Self> {
        // macOS has no pipe2: the flags come one by one.
        let (reader, writer) = pipe()?;
        for end in [&reader, &writer] {
            fcntl_setfd(end, FdFlags::CLOEXEC)?;
            ioctl_fionbio(end, true)?;
        }
        Ok(Self { reader, writer })
    }

    /// Makes the poller's present wait return, or else its next one.
    pub(crate) fn notify(&self) {
        // A full pipe is as readable as one can be; an interrupted write is tried again.
        while let Err(Errno::INTR) = rustix::io::write(&self.writer, &[1]) {}
    }

    /// Empties the pipe, so that it can become readable again.
    pub(crate) fn clear(&self) {
        let mut buffer = [0; 64];
        while rustix::io::read(&self.reader, &mut buffer).is_ok_and(|count| count == buffer.len()) {
        }
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
