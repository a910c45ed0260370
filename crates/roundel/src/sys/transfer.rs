//! Reading and writing files, which may take its time.

use std::io;
use std::os::fd::{AsFd, RawFd};

/// What is to be done to a file. It owns the memory that the kernel works on meanwhile.
///
/// The descriptor has to stay open until it is done. Without an offset the descriptor's own position
/// counts, as it does for pipes and for files that are appended to.
///
/// # Examples
///
/// ```
/// use std::os::fd::AsRawFd;
/// use roundel::{Clock, Dispatcher, Order, Transfer};
///
/// # use std::ops::ControlFlow;
/// # #[derive(Clone)]
/// # struct Done;
/// # impl roundel::Job for Done {
/// #     type Remote = ();
/// #     fn from_remote((): ()) -> Self { Self }
/// # }
/// # struct Face;
/// # impl roundel::Host<Done> for Face {
/// #     fn run(&mut self, _: Done) -> ControlFlow<()> { ControlFlow::Break(()) }
/// # }
/// // `Done` is a job, and `Face` the host that runs it.
/// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
/// let file = std::fs::File::open("Cargo.toml")?;
/// let read = Transfer::read(file.as_raw_fd(), Some(0), 9);
/// let started = dispatcher.start_transfer(read, Done);
/// while dispatcher.run_once(&mut Face, true)?.is_continue() {}
/// let (outcome, read) = started.take().expect("its job has been run");
/// assert_eq!(outcome?, 9);
/// assert_eq!(read.into_buffer(), b"[package]");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Transfer {
    pub(super) kind: Kind,
    pub(super) fd: RawFd,
    pub(super) offset: Option<u64>,
    pub(super) buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Sync { data_only: bool },
}

impl Transfer {
    /// Reads at most `length` bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use roundel::{Clock, Dispatcher, Order, Transfer};
    ///
    /// # use std::ops::ControlFlow;
    /// # #[derive(Clone)]
    /// # struct Done;
    /// # impl roundel::Job for Done {
    /// #     type Remote = ();
    /// #     fn from_remote((): ()) -> Self { Self }
    /// # }
    /// # struct Face;
    /// # impl roundel::Host<Done> for Face {
    /// #     fn run(&mut self, _: Done) -> ControlFlow<()> { ControlFlow::Break(()) }
    /// # }
    /// // `Done` is a job, and `Face` the host that runs it.
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// // There are fewer bytes than that.
    /// let read = Transfer::read(file.as_raw_fd(), Some(1), 1 << 20);
    /// let started = dispatcher.start_transfer(read, Done);
    /// while dispatcher.run_once(&mut Face, true)?.is_continue() {}
    /// let (outcome, read) = started.take().expect("its job has been run");
    /// assert_eq!(outcome? as u64, file.metadata()?.len() - 1);
    /// assert!(read.into_buffer().starts_with(b"package]"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read(fd: RawFd, offset: Option<u64>, length: usize) -> Self {
        let buffer = vec![0; length];
        Self::new(Kind::Read, fd, offset, buffer)
    }

    /// Writes `data`, or as much of it as the kernel takes at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use roundel::{Clock, Dispatcher, Order, Transfer};
    ///
    /// # use std::ops::ControlFlow;
    /// # #[derive(Clone)]
    /// # struct Done;
    /// # impl roundel::Job for Done {
    /// #     type Remote = ();
    /// #     fn from_remote((): ()) -> Self { Self }
    /// # }
    /// # struct Face;
    /// # impl roundel::Host<Done> for Face {
    /// #     fn run(&mut self, _: Done) -> ControlFlow<()> { ControlFlow::Break(()) }
    /// # }
    /// // `Done` is a job, and `Face` the host that runs it.
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
    /// # let name = format!("roundel-doc-transfer-write-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// let file = std::fs::File::create(&path)?;
    /// let write = Transfer::write(file.as_raw_fd(), Some(3), b"hello".to_vec());
    /// let started = dispatcher.start_transfer(write, Done);
    /// while dispatcher.run_once(&mut Face, true)?.is_continue() {}
    /// assert_eq!(started.take().expect("its job has been run").0?, 5);
    /// assert_eq!(std::fs::read(&path)?, b"\0\0\0hello");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn write(fd: RawFd, offset: Option<u64>, data: Vec<u8>) -> Self {
        Self::new(Kind::Write, fd, offset, data)
    }

    /// Has everything that was written reach the disk, but for what only `stat` would show if that
    /// is enough (`data_only`).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    /// use roundel::{Clock, Dispatcher, Order, Transfer};
    ///
    /// # use std::ops::ControlFlow;
    /// # #[derive(Clone)]
    /// # struct Done;
    /// # impl roundel::Job for Done {
    /// #     type Remote = ();
    /// #     fn from_remote((): ()) -> Self { Self }
    /// # }
    /// # struct Face;
    /// # impl roundel::Host<Done> for Face {
    /// #     fn run(&mut self, _: Done) -> ControlFlow<()> { ControlFlow::Break(()) }
    /// # }
    /// // `Done` is a job, and `Face` the host that runs it.
    /// let dispatcher = Dispatcher::new(Clock::monotonic(), Order::Fifo)?;
    /// # let name = format!("roundel-doc-transfer-sync-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// let file = std::fs::File::create(&path)?;
    /// let sync = Transfer::sync(file.as_raw_fd(), true);
    /// let started = dispatcher.start_transfer(sync, Done);
    /// while dispatcher.run_once(&mut Face, true)?.is_continue() {}
    /// assert_eq!(started.take().expect("its job has been run").0?, 0);
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn sync(fd: RawFd, data_only: bool) -> Self {
        Self::new(Kind::Sync { data_only }, fd, None, Vec::new())
    }

    fn new(kind: Kind, fd: RawFd, offset: Option<u64>, buffer: Vec<u8>) -> Self {
        Self {
            kind,
            fd,
            offset,
            buffer,
        }
    }

    /// Returns the memory: what was read, or what was to be written.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::Transfer;
    ///
    /// let write = Transfer::write(1, None, b"hello".to_vec());
    /// // Nobody has started it, so that there is nothing to wait for.
    /// assert_eq!(write.into_buffer(), b"hello");
    /// ```
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Does it here and now, and returns how many bytes went over.
    pub(crate) fn run(&mut self) -> io::Result<usize> {
        loop {
            let result = match self.kind {
                Kind::Read => self.read_here(),
                Kind::Write => self.write_here(),
                Kind::Sync { data_only } => sync(self.fd, data_only),
            };
            match count(result) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(length) => return Ok(self.ended(length)),
                outcome => return outcome,
            }
        }
    }

    /// Takes note of how many bytes went over.
    pub(super) fn ended(&mut self, length: usize) -> usize {
        if self.kind == Kind::Read {
            self.buffer.truncate(length);
        }
        length
    }

    fn read_here(&mut self) -> isize {
        let (fd, length) = (self.fd, self.buffer.len());
        let buffer = self.buffer.as_mut_ptr().cast();
        match self.offset {
            // SAFETY: `buffer` is `length` bytes of ours.
            Some(offset) => unsafe { libc::pread(fd, buffer, length, signed(offset)) },
            // SAFETY: as above.
            None => unsafe { libc::read(fd, buffer, length) },
        }
    }

    fn write_here(&self) -> isize {
        let (fd, length) = (self.fd, self.buffer.len());
        let data = self.buffer.as_ptr().cast();
        match self.offset {
            // SAFETY: `data` is `length` bytes of ours.
            Some(offset) => unsafe { libc::pwrite(fd, data, length, signed(offset)) },
            // SAFETY: as above.
            None => unsafe { libc::write(fd, data, length) },
        }
    }
}

/// Where there is no lesser way, everything is synchronized.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(unused_variables, reason = "there is one way only")
)]
fn sync(fd: RawFd, data_only: bool) -> isize {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if data_only {
        // SAFETY: takes a number and checks it.
        return unsafe { libc::fdatasync(fd) } as isize;
    }
    // SAFETY: as above.
    unsafe { libc::fsync(fd) as isize }
}

/// Returns whether what is written goes to the end of the file, wherever else it is told to go.
pub(crate) fn is_appended_to(file: impl AsFd) -> io::Result<bool> {
    Ok(rustix::fs::fcntl_getfl(file)?.contains(rustix::fs::OFlags::APPEND))
}

/// Offsets beyond what the kernel can count become the last that it can.
pub(super) fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

/// What a call that returns a count or -1 came to.
pub(super) fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
