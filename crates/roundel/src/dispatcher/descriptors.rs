//! Which job hears of which descriptor: each time, or once.

use std::io;
use std::os::fd::RawFd;

use super::Dispatcher;
use super::job::Job;
use crate::reactor::Direction;

impl<J: Job> Dispatcher<J> {
    /// Makes a job ready whenever `fd` can be read, has been hung up or has failed, and returns
    /// the job it replaces.
    ///
    /// As long as the descriptor is readable, the job gets ready again and again.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error: for a descriptor that isn't open or can't be waited
    /// for, as regular files can't. Nothing has been replaced then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{io::Write, os::fd::AsRawFd};
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (reader, mut writer) = std::io::pipe()?;
    /// dispatcher.add_reader(reader.as_raw_fd(), Note(1))?;
    /// writer.write_all(b"one")?;
    /// for _ in 0..2 {
    ///     dispatcher.run_once(&mut notes, true)?;
    /// }
    /// assert_eq!(notes, [1, 1], "nobody has read what can be read");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn add_reader(&self, fd: RawFd, job: J) -> io::Result<Option<J>> {
        self.reactor.add(fd, Direction::Read, job)
    }

    /// Makes a job ready whenever `fd` can be written, has been hung up or has failed, and returns
    /// the job it replaces.
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Self::add_reader).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (_reader, writer) = std::io::pipe()?;
    /// dispatcher.add_writer(writer.as_raw_fd(), Note(1))?;
    /// dispatcher.run_once(&mut notes, true)?;
    /// assert_eq!(notes, [1]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn add_writer(&self, fd: RawFd, job: J) -> io::Result<Option<J>> {
        self.reactor.add(fd, Direction::Write, job)
    }

    /// Does what [`add_reader`](Self::add_reader) does, for a socket that may soon be closed or
    /// paused: who removes the job again before long has made no system call.
    ///
    /// What the operating system won't watch is not refused here: each turn looks at it, and none
    /// waits; one that is closed counts as readable.
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Self::add_reader), for a negative descriptor and after
    /// [`close`](Self::close) only.
    ///
    /// # Cost
    ///
    /// The next time that the operating system is asked for events, one call more for all such
    /// sockets, and one for each at the time after that, or before a wait that lasts.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{io::Write, os::{fd::AsRawFd, unix::net::UnixStream}};
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (socket, mut peer) = UnixStream::pair()?;
    /// dispatcher.add_reader_lazily(socket.as_raw_fd(), Note(1))?;
    /// peer.write_all(b"one")?;
    /// while notes.is_empty() {
    ///     dispatcher.run_once(&mut notes, true)?;
    /// }
    /// assert_eq!(notes, [1]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn add_reader_lazily(&self, fd: RawFd, job: J) -> io::Result<Option<J>> {
        self.reactor.add_fresh(fd, job)
    }

    /// Makes a job ready the next time that `fd` can be read, has been hung up or has failed, and
    /// returns the job it replaces.
    ///
    /// For who is going to wait for the same descriptor again and again. The job stays there, to be
    /// removed or to be added again, though it hears no more; of a descriptor that is watched for
    /// writing as well, it may hear more than once.
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Self::add_reader).
    ///
    /// # Cost
    ///
    /// One system call; to remove a job that has heard takes none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{io::Write, os::fd::AsRawFd};
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (reader, mut writer) = std::io::pipe()?;
    /// dispatcher.add_reader_once(reader.as_raw_fd(), Note(1))?;
    /// writer.write_all(b"one")?;
    /// dispatcher.run_once(&mut notes, true)?;
    /// dispatcher.run_once(&mut notes, false)?;
    /// assert_eq!(notes, [1], "it can still be read, but the job hears no more");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn add_reader_once(&self, fd: RawFd, job: J) -> io::Result<Option<J>> {
        self.reactor.add_once(fd, Direction::Read, job)
    }

    /// Makes a job ready the next time that `fd` can be written, has been hung up or has failed:
    /// as [`add_reader_once`](Self::add_reader_once) otherwise.
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Self::add_reader).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (_reader, writer) = std::io::pipe()?;
    /// dispatcher.add_writer_once(writer.as_raw_fd(), Note(1))?;
    /// dispatcher.run_once(&mut notes, true)?;
    /// dispatcher.run_once(&mut notes, false)?;
    /// assert_eq!(notes, [1]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn add_writer_once(&self, fd: RawFd, job: J) -> io::Result<Option<J>> {
        self.reactor.add_once(fd, Direction::Write, job)
    }

    /// Ends what [`add_reader`](Self::add_reader) began, and returns the job if there was one.
    ///
    /// The descriptor may be closed already, though it is better form to remove it before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (reader, _writer) = std::io::pipe()?;
    /// dispatcher.add_reader(reader.as_raw_fd(), Note(1))?;
    /// assert!(dispatcher.remove_reader(reader.as_raw_fd()).is_some());
    /// assert!(dispatcher.remove_reader(reader.as_raw_fd()).is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn remove_reader(&self, fd: RawFd) -> Option<J> {
        self.reactor.remove(fd, Direction::Read)
    }

    /// Ends what [`add_writer`](Self::add_writer) began, and returns the job if there was one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (_reader, writer) = std::io::pipe()?;
    /// dispatcher.add_writer(writer.as_raw_fd(), Note(1))?;
    /// assert!(dispatcher.remove_writer(writer.as_raw_fd()).is_some());
    /// assert!(dispatcher.remove_writer(writer.as_raw_fd()).is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn remove_writer(&self, fd: RawFd) -> Option<J> {
        self.reactor.remove(fd, Direction::Write)
    }

    /// Returns the job that hears when `fd` can be read.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (reader, _writer) = std::io::pipe()?;
    /// dispatcher.add_reader(reader.as_raw_fd(), Note(1))?;
    /// assert_eq!(dispatcher.reader(reader.as_raw_fd()).map(|job| job.0), Some(1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reader(&self, fd: RawFd) -> Option<J> {
        self.reactor.job(fd, Direction::Read)
    }

    /// Returns the job that hears when `fd` can be written.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (_reader, writer) = std::io::pipe()?;
    /// dispatcher.add_writer(writer.as_raw_fd(), Note(1))?;
    /// assert_eq!(dispatcher.writer(writer.as_raw_fd()).map(|job| job.0), Some(1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writer(&self, fd: RawFd) -> Option<J> {
        self.reactor.job(fd, Direction::Write)
    }

    /// Says that `fd` is the face's own, as a pipe for signals is: watching it does not count as
    /// awaiting something. Holds until the descriptor's reader and writer are removed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{ops::ControlFlow::{self, Break, Continue}, os::fd::AsRawFd};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # struct UntilIdle;
    /// impl Host<Note> for UntilIdle {
    /// #   fn run(&mut self, _job: Note) -> ControlFlow<()> { Continue(()) }
    ///     fn idle(&mut self) -> ControlFlow<()> {
    ///         Break(())
    ///     }
    /// }
    ///
    /// let dispatcher = Dispatcher::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (signals, _writer) = std::io::pipe()?;
    /// dispatcher.add_reader(signals.as_raw_fd(), Note(1))?;
    /// dispatcher.mark_internal(signals.as_raw_fd());
    /// // It would wait for the pipe else.
    /// assert!(dispatcher.run_once(&mut UntilIdle, true)?.is_break());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn mark_internal(&self, fd: RawFd) {
        self.reactor.mark_internal(fd);
    }
}
