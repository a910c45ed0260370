//! A file that is open.

use std::fmt;
use std::fs::{self, Metadata, OpenOptions};
use std::future::poll_fn;
use std::io::{self, SeekFrom};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::cursor::Cursor;
use crate::files::Attempt;
use crate::program::{Core, Operation, io_in_thread};
use crate::sys::Transfer;

/// How much is read or written by one transfer at most.
const MOST_AT_ONCE: usize = 1 << 20;

/// A file that is open, until this is dropped and nothing is under way any more.
///
/// It is read and written from where it stands by the traits of [`futures_io`], and anywhere by
/// [`read_at`](Self::read_at) and [`write_at`](Self::write_at). What is in the page cache is read
/// without a wait.
///
/// What is written by [`AsyncWrite`] has been taken over when the write returns, and is in the file
/// after `flush` or `close`, which also tell of what went wrong. So flush before the file is dropped.
///
/// For pipes and terminals [`Watched`](crate::net::Watched) is better: a thread that waits for somebody
/// to type can't be called back.
///
/// # Cancel safety
///
/// A read of a regular file that is dropped has not moved its place, and one of anything else is gone on
/// with by the next. A write that is dropped has written nothing, but `write_all` may have got
/// halfway.
///
/// # Panics
///
/// Everything that has to wait panics, when it is polled, if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::io::SeekFrom;
/// use futures_lite::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
/// use roundel::fs::{self, File};
///
/// # let path = std::env::temp_dir().join(format!("roundel-doc-file-{}", std::process::id()));
/// roundel::run(async move {
///     let mut file = File::create(&path).await?;
///     file.write_all(b"to be").await?;
///     file.sync_all().await?;
///
///     let mut file = File::open(&path).await?;
///     file.seek(SeekFrom::Start(3)).await?;
///     let mut text = String::new();
///     file.read_to_string(&mut text).await?;
///     assert_eq!(text, "be");
///     fs::remove_file(path).await
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct File {
    inner: Arc<fs::File>,
    cursor: Cursor,
    reading: Option<Operation>,
    /// What came by a read that nobody has waited for, from a file without places.
    left: Vec<u8>,
    writing: Option<Writing>,
}

/// A write whose data has been taken over.
struct Writing {
    operation: Operation,
    offset: Option<u64>,
}

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// If it has been opened by then, it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// let found = roundel::run(async { File::open("Cargo.toml").await?.metadata().await })?;
    /// assert!(found.is_file());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(OpenOptions::new().read(true), path).await
    }

    /// Opens a file to write it; it is made, or else loses what it has had.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open). The file may have been made.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-create-{}", std::process::id()));
    /// std::fs::write(&path, "what it has had")?;
    /// roundel::run(File::create(path.clone()))?;
    /// assert_eq!(std::fs::read(&path)?, b"");
    /// # std::fs::remove_file(path)?; Ok::<(), std::io::Error>(())
    /// ```
    pub async fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        Self::open_with(options.write(true).create(true).truncate(true), path).await
    }

    /// Opens a file as the standard library's [`OpenOptions`] say.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open). The file may have been made.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::fs::OpenOptions;
    /// use futures_lite::AsyncWriteExt;
    /// use roundel::fs::{self, File};
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-with-{}", std::process::id()));
    /// roundel::run(async move {
    ///     for line in ["one\n", "two\n"] {
    ///         let mut log = File::open_with(OpenOptions::new().append(true).create(true), &path).await?;
    ///         log.write_all(line.as_bytes()).await?;
    ///         log.flush().await?;
    ///     }
    ///     assert_eq!(fs::read_to_string(&path).await?, "one\ntwo\n");
    ///     fs::remove_file(path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn open_with(options: &OpenOptions, path: impl AsRef<Path>) -> io::Result<Self> {
        let (options, path) = (options.clone(), path.as_ref().to_owned());
        let (file, cursor) = io_in_thread(move || {
            let file = options.open(path)?;
            let cursor = Cursor::of(&file)?;
            Ok((file, cursor))
        })
        .await?;
        Ok(Self::at(cursor, file))
    }

    /// Takes over a file of the standard library, with its place.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// let file = File::from_std(std::fs::File::open("Cargo.toml")?)?;
    /// let count = roundel::run(async move { file.read_at(&mut [0; 9], 0).await })?;
    /// assert_eq!(count, 9);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_std(file: fs::File) -> io::Result<Self> {
        let cursor = Cursor::of(&file)?;
        Ok(Self::at(cursor, file))
    }

    fn at(cursor: Cursor, file: fs::File) -> Self {
        Self {
            inner: Arc::new(file),
            cursor,
            reading: None,
            left: Vec::new(),
            writing: None,
        }
    }

    /// Reads from a place, and returns how many bytes: none at the end of the file, and perhaps fewer
    /// than there are. The file's own place stays.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// Nothing has changed, but `buffer` may have.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::{self, File};
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-doc-at-{}", std::process::id()));
    /// roundel::run(async move {
    ///     fs::write(&path, "0123456789").await?;
    ///     let file = File::open(&path).await?;
    ///     let mut buffer = [0; 4];
    ///     assert_eq!(file.read_at(&mut buffer, 8).await?, 2);
    ///     assert_eq!(&buffer[..2], b"89");
    ///     fs::remove_file(path).await
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut reading = None;
        poll_fn(|cx| {
            let outcome =
                match ready!(self.poll_transfer_in(&mut reading, Some(offset), buffer, cx))? {
                    Read::Here(length) => length,
                    Read::Apart(data) => hand_over(&data, buffer),
                };
            Poll::Ready(Ok(outcome))
        })
        .await
    }

    /// Writes to a place, and returns how many bytes, which may be fewer than there are. The file's
    /// own place stays. In a file that is appended to, it may be put at the end all the same.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// All, some or none of it may be in the file, or come there yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-write-at-{}", std::process::id()));
    /// std::fs::write(&path, "0123456789")?;
    /// let file = File::from_std(std::fs::File::options().write(true).open(&path)?)?;
    /// roundel::run(async move { file.write_at(b"--", 4).await })?;
    /// assert_eq!(std::fs::read(&path)?, b"0123--6789");
    /// # std::fs::remove_file(path)?; Ok::<(), std::io::Error>(())
    /// ```
    pub async fn write_at(&self, data: &[u8], offset: u64) -> io::Result<usize> {
        let mut writing = None;
        poll_fn(|cx| {
            if writing.is_none() {
                match Core::current()
                    .dispatcher
                    .write_now(self.fd(), Some(offset), data)?
                {
                    Attempt::Done(length) => return Poll::Ready(Ok(length)),
                    Attempt::NotInThisTurn => return try_again(cx),
                    Attempt::Blocks => {}
                }
            }
            let operation = writing.get_or_insert_with(|| self.write(data, Some(offset)));
            operation.poll(cx).map(|(outcome, _)| outcome)
        })
        .await
    }

    /// Has all that was written reach the disk.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error, also that of a write before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::AsyncWriteExt;
    /// use roundel::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-sync-all-{}", std::process::id()));
    /// let mut file = File::from_std(std::fs::File::create(&path)?)?;
    /// roundel::run(async move {
    ///     file.write_all(b"for good").await?;
    ///     file.sync_all().await
    /// })?;
    /// assert_eq!(std::fs::read(&path)?, b"for good");
    /// # std::fs::remove_file(path)?; Ok::<(), std::io::Error>(())
    /// ```
    pub async fn sync_all(&mut self) -> io::Result<()> {
        self.sync(false).await
    }

    /// As [`sync_all`](Self::sync_all), but for what nobody needs to read the data, such as the time of
    /// the last change.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](Self::sync_all).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-sync-data-{}", std::process::id()));
    /// let mut log = File::from_std(std::fs::File::create(&path)?)?;
    /// roundel::run(async move { log.write_at(b"done", 0).await?; log.sync_data().await })?;
    /// assert_eq!(std::fs::read(&path)?, b"done");
    /// # std::fs::remove_file(path)?; Ok::<(), std::io::Error>(())
    /// ```
    pub async fn sync_data(&mut self) -> io::Result<()> {
        self.sync(true).await
    }

    async fn sync(&mut self, data_only: bool) -> io::Result<()> {
        self.written().await?;
        let operation = Operation::start(&self.inner, Transfer::sync(self.fd(), data_only));
        poll_fn(|cx| operation.poll(cx)).await.0.map(drop)
    }

    /// Cuts the file off at a length, or lengthens it by zeros.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error, also that of a write before.
    ///
    /// # Cancel safety
    ///
    /// It may be done yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// # let path = std::env::temp_dir().join(format!("roundel-set-len-{}", std::process::id()));
    /// let mut file = File::from_std(std::fs::File::create(&path)?)?;
    /// roundel::run(async move { file.set_len(3).await })?;
    /// assert_eq!(std::fs::read(&path)?, [0, 0, 0]);
    /// # std::fs::remove_file(path)?; Ok::<(), std::io::Error>(())
    /// ```
    pub async fn set_len(&mut self, length: u64) -> io::Result<()> {
        self.written().await?;
        self.forget_read();
        let file = Arc::clone(&self.inner);
        io_in_thread(move || file.set_len(length)).await
    }

    /// Asks how large the file is, how old, and so on.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error, also that of a write before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::fs::File;
    ///
    /// let found = roundel::run(async { File::open("Cargo.toml").await?.metadata().await })?;
    /// assert_eq!(found.len(), std::fs::metadata("Cargo.toml")?.len());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn metadata(&mut self) -> io::Result<Metadata> {
        self.written().await?;
        let file = Arc::clone(&self.inner);
        io_in_thread(move || file.metadata()).await
    }

    async fn written(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_written(cx)).await
    }

    fn fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    /// Reads into `buffer`, if that needs no waiting, or else by a transfer with memory of its own.
    fn poll_transfer_in(
        &self,
        reading: &mut Option<Operation>,
        offset: Option<u64>,
        buffer: &mut [u8],
        cx: &Context<'_>,
    ) -> Poll<io::Result<Read>> {
        if reading.is_none() {
            match Core::current()
                .dispatcher
                .fill_now(self.fd(), offset, buffer)?
            {
                Attempt::Done(length) => return Poll::Ready(Ok(Read::Here(length))),
                Attempt::NotInThisTurn => return try_again(cx),
                Attempt::Blocks => {}
            }
        }
        let operation = reading.get_or_insert_with(|| {
            let length = buffer.len().min(MOST_AT_ONCE);
            Operation::start(&self.inner, Transfer::read(self.fd(), offset, length))
        });
        let (outcome, data) = ready!(operation.poll(cx));
        *reading = None;
        Poll::Ready(outcome.map(|_| Read::Apart(data)))
    }

    fn write(&self, data: &[u8], offset: Option<u64>) -> Operation {
        let data = data[..data.len().min(MOST_AT_ONCE)].to_vec();
        Operation::start(&self.inner, Transfer::write(self.fd(), offset, data))
    }

    /// Waits for what has been taken over, and has what the system did not take at once written, too.
    fn poll_written(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        while let Some(writing) = &self.writing {
            let (outcome, mut data) = ready!(writing.operation.poll(cx));
            let offset = writing.offset;
            self.writing = None;
            let length = outcome?;
            if length == 0 && !data.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.cursor.wrote(&self.inner, length)?;
            data.drain(..length);
            if !data.is_empty() {
                let offset = offset.map(|at| at.saturating_add(length as u64));
                let operation = self.write(&data, offset);
                self.writing = Some(Writing { operation, offset });
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Forgets a read that nobody has waited for: it can be done again, unless what it brings can be had
    /// only once.
    fn forget_read(&mut self) {
        if self.cursor.has_places() {
            self.reading = None;
        }
    }
}

/// What was read.
enum Read {
    /// So many bytes, where they were wanted.
    Here(usize),
    /// These.
    Apart(Vec<u8>),
}

/// Lets others have their turn first.
fn try_again<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Copies what there is room for, and returns how much.
fn hand_over(data: &[u8], buffer: &mut [u8]) -> usize {
    let length = data.len().min(buffer.len());
    buffer[..length].copy_from_slice(&data[..length]);
    length
}

impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(this.poll_written(cx))?;
        let data = if this.left.is_empty() {
            let mut reading = this.reading.take();
            let poll = this.poll_transfer_in(&mut reading, this.cursor.to_read(), buffer, cx);
            this.reading = reading;
            match ready!(poll)? {
                Read::Apart(data) => data,
                Read::Here(length) => {
                    this.cursor.advance(length);
                    return Poll::Ready(Ok(length));
                }
            }
        } else {
            mem::take(&mut this.left)
        };
        let length = hand_over(&data, buffer);
        this.cursor.advance(length);
        if !this.cursor.has_places() {
            this.left = data[length..].to_vec();
        }
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        this.forget_read();
        let offset = this.cursor.to_write();
        match Core::current()
            .dispatcher
            .write_now(this.fd(), offset, data)?
        {
            Attempt::Done(length) => {
                this.cursor.wrote(&this.inner, length)?;
                Poll::Ready(Ok(length))
            }
            Attempt::NotInThisTurn => try_again(cx),
            Attempt::Blocks => {
                let operation = this.write(data, offset);
                this.writing = Some(Writing { operation, offset });
                Poll::Ready(Ok(data.len().min(MOST_AT_ONCE)))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_written(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_written(cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        ready!(this.poll_written(cx))?;
        this.forget_read();
        Poll::Ready(this.cursor.seek(&this.inner, to))
    }
}

impl Drop for File {
    /// What has been taken over is written all the same.
    fn drop(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.operation.leave_alone();
        }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
