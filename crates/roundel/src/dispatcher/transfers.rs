//! Reading and writing files: at once, or as a transfer whose end is a job.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::rc::Rc;

use super::Dispatcher;
use super::job::Job;
use crate::files::{Attempt, FileAccess, Started};
use crate::sys::Transfer;

impl<J: Job> Dispatcher<J> {
    /// Reads from a file what can be had without waiting, as what is in the page cache can.
    ///
    /// Without an offset the descriptor's own position counts. No bytes mean the end of the file.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error.
    pub fn read_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> io::Result<Attempt> {
        self.files.read_now(fd, offset, buffer)
    }

    /// Reads into memory that has something in it already: otherwise as [`read_now`](Self::read_now).
    ///
    /// # Errors
    ///
    /// As [`read_now`](Self::read_now).
    pub fn fill_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        buffer: &mut [u8],
    ) -> io::Result<Attempt> {
        self.files.fill_now(fd, offset, buffer)
    }

    /// Writes to a file what can be written without waiting.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error.
    pub fn write_now(&self, fd: RawFd, offset: Option<u64>, data: &[u8]) -> io::Result<Attempt> {
        self.files.write_now(fd, offset, data)
    }

    /// Has the kernel or a thread read or write, and makes `job` ready when that is done.
    ///
    /// The descriptor has to stay open until then: it is for the job to see to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, os::fd::AsRawFd};
    /// use roundel::Transfer;
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let file = File::open("Cargo.toml")?;
    /// let transfer = Transfer::read(file.as_raw_fd(), Some(0), 9);
    /// let started = dispatcher.start_transfer(transfer, Note(1));
    /// while notes.is_empty() {
    ///     dispatcher.run_once(&mut notes, true)?;
    /// }
    /// let (length, transfer) = started.take().expect("its job has been run");
    /// assert_eq!((length?, &*transfer.into_buffer()), (9, &b"[package]"[..]));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start_transfer(&self, transfer: Transfer, job: J) -> Rc<Started> {
        self.files.start(transfer, job)
    }

    /// Asks for the end of a transfer. Its job becomes ready all the same, when the transfer is done or
    /// has been given up.
    pub fn cancel_transfer(&self, started: &Rc<Started>) {
        self.files.cancel(started);
    }

    /// Says which way files are read and written from now on.
    ///
    /// # Errors
    ///
    /// Returns an error while transfers are under way, and if there is no such way.
    pub fn set_file_access(&self, access: FileAccess) -> io::Result<()> {
        self.files.set_access(access)
    }
}
