//! Descriptors that are known by number only.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// `EBADF`.
const BAD_DESCRIPTOR: i32 = 9;

/// Lends `f` a descriptor for one system call.
///
/// # Errors
/// `EBADF` for a negative number, as the operating system says of any other that is not open.
#[inline]
pub(crate) fn with_descriptor<R>(
    fd: RawFd,
    f: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
) -> io::Result<R> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(BAD_DESCRIPTOR));
    }
    // SAFETY: it is not -1, and one call gets to see it, which answers EBADF if nothing open is behind it. That the
    // file behind it is the one that is meant is the affair of whoever keeps the number.
    f(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Gives a descriptor away to Python, if `f` takes the number; closes it if not.
pub(crate) fn give_away<R>(
    fd: OwnedFd,
    f: impl FnOnce(RawFd) -> super::Result<R>,
) -> super::Result<R> {
    let number = fd.into_raw_fd();
    let given = f(number);
    if given.is_err() {
        // SAFETY: the number that we had; nobody has taken it.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
    given
}
