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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, mem::MaybeUninit, os::fd::AsRawFd};
    /// use roundel::Attempt;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let file = File::open("Cargo.toml")?;
    /// let mut buffer = [MaybeUninit::uninit(); 9];
    /// match dispatcher.read_now(file.as_raw_fd(), Some(0), &mut buffer)? {
    ///     Attempt::Done(length) => assert!((1..=9).contains(&length)),
    ///     Attempt::Blocks | Attempt::NotInThisTurn => {} // Not yet, and not in this way.
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, os::fd::AsRawFd};
    /// use roundel::Attempt;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let file = File::open("Cargo.toml")?;
    /// let mut buffer = [0; 9];
    /// match dispatcher.fill_now(file.as_raw_fd(), Some(0), &mut buffer)? {
    ///     Attempt::Done(length) => assert!(b"[package]".starts_with(&buffer[..length])),
    ///     Attempt::Blocks | Attempt::NotInThisTurn => {} // Not yet, and not in this way.
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fs::File, os::fd::AsRawFd};
    /// use roundel::Attempt;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let file = File::options().write(true).open("/dev/null")?;
    /// match dispatcher.write_now(file.as_raw_fd(), None, b"one")? {
    ///     Attempt::Done(length) => assert_eq!(length, 3),
    ///     Attempt::Blocks | Attempt::NotInThisTurn => {} // Not yet, and not in this way.
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
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
    /// dispatcher.cancel_transfer(&started);
    /// while notes.is_empty() {
    ///     dispatcher.run_once(&mut notes, true)?;
    /// }
    /// let (outcome, _transfer) = started.take().expect("its job has been run");
    /// assert!(outcome.is_err() || outcome.is_ok_and(|length| length == 9), "it was too late");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel_transfer(&self, started: &Rc<Started>) {
        self.files.cancel(started);
    }

    /// Says which way files are read and written from now on.
    ///
    /// # Errors
    ///
    /// Returns an error while transfers are under way, and if there is no such way.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::FileAccess;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// assert!(dispatcher.set_file_access(FileAccess::Threads).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_file_access(&self, access: FileAccess) -> io::Result<()> {
        self.files.set_access(access)
    }
}
