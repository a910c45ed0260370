//! Memory by the page, straight from the operating system.
//!
//! It is all zeros, costs nothing until it is used, and goes back for good.

use std::io;
use std::ptr::{NonNull, null_mut};
use std::slice;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// So many bytes, which begin with a page.
#[derive(Debug)]
pub(super) struct Pages {
    start: NonNull<u8>,
    length: usize,
}

impl Pages {
    /// Takes memory.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if there is no more.
    pub(super) fn new(length: usize) -> io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the system chooses where, so that it is nobody else's.
        let start = unsafe { mmap_anonymous(null_mut(), length, access, MapFlags::PRIVATE) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// Returns where it begins.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Returns `length` of the bytes, from `offset` on.
    ///
    /// # Safety
    ///
    /// Nobody, the kernel included, writes to these while the slice is there.
    pub(super) unsafe fn slice(&self, offset: usize, length: usize) -> &[u8] {
        assert!(offset + length <= self.length, "beyond the end");
        // SAFETY: it is within what was taken.
        let start = unsafe { self.start.add(offset) };
        // SAFETY: all of it can be read, and the caller sees to it that nobody writes.
        unsafe { slice::from_raw_parts(start.as_ptr(), length) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: it was taken so, and nobody has a slice of it any more. There is nobody to tell if that fails.
        unsafe { munmap(self.start.as_ptr().cast(), self.length) }.ok();
    }
}
