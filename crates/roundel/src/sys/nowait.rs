//! What Linux can do to a file without waiting: mostly, what it has in its page cache.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::slice;

use super::transfer::{count, signed};

/// Reads what can be had without waiting into `buffer`; `None` if that is nothing, or if the kernel
/// can't tell.
///
/// # Errors
///
/// Returns the operating system's error, but for those which say that one has to wait.
pub(crate) fn read_now(
    fd: RawFd,
    offset: Option<u64>,
    buffer: &mut [MaybeUninit<u8>],
) -> io::Result<Option<usize>> {
    let part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: `part` is memory that the caller lends for writing.
    now(|| unsafe { libc::preadv2(fd, &raw const part, 1, place(offset), libc::RWF_NOWAIT) })
}

/// Reads into memory that has something in it already, otherwise as [`read_now`].
///
/// # Errors
///
/// As [`read_now`].
pub(crate) fn fill_now(
    fd: RawFd,
    offset: Option<u64>,
    buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    let (data, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: it is the same memory, borrowed for as long, and the kernel takes no values away.
    let buffer = unsafe { slice::from_raw_parts_mut(data, length) };
    read_now(fd, offset, buffer)
}

/// Writes what can be written without waiting; `None` if that is nothing, or if the kernel can't
/// tell.
///
/// # Errors
///
/// As [`read_now`].
pub(crate) fn write_now(fd: RawFd, offset: Option<u64>, data: &[u8]) -> io::Result<Option<usize>> {
    let part = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    // SAFETY: `part` is memory that the caller lends, and that is only read.
    now(|| unsafe { libc::pwritev2(fd, &raw const part, 1, place(offset), libc::RWF_NOWAIT) })
}

fn now(call: impl Fn() -> isize) -> io::Result<Option<usize>> {
    loop {
        let error = match count(call()) {
            Ok(length) => return Ok(Some(length)),
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // Not all kernels, file systems and sandboxes know of it.
            Some(libc::EAGAIN | libc::EOPNOTSUPP | libc::ENOSYS | libc::EPERM) => return Ok(None),
            _ => return Err(error),
        }
    }
}

/// Minus one is the descriptor's own position.
fn place(offset: Option<u64>) -> i64 {
    offset.map_or(-1, signed)
}
