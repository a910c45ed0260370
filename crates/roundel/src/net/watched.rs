//! Anything with a descriptor, made awaitable.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::program::{Readiness, Source};

/// Something with a descriptor that does not block, and that tasks can wait for.
///
/// The sockets of this module are made of it; it is public so that others can be: serial lines,
/// message queues, the sockets of a library in C. The descriptor must be in non-blocking mode, and be
/// one that the operating system can wait for, as those of regular files can't.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write, pipe};
/// use roundel::net::Watched;
///
/// roundel::run(async {
///     let (reader, mut writer) = pipe()?;
///     let reader = Watched::new(reader);
///     writer.write_all(b"hello")?;
///     reader.readable().await?;
///     let mut buffer = [0; 5];
///     let count = reader.read_with(|mut pipe| pipe.read(&mut buffer)).await?;
///     assert_eq!(&buffer[..count], b"hello");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: `loop.add_reader` and `loop.add_writer`.
pub struct Watched<T: AsFd> {
    source: Rc<Source>,
    /// Dropped after this has let go of the descriptor, whose number may be another's right after.
    io: T,
}

impl<T: AsFd> Watched<T> {
    /// Takes up something with a descriptor.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs no runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use roundel::net::Watched;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixDatagram::pair()?;
    ///     one.set_nonblocking(true)?;
    ///     let one = Watched::new(one);
    ///     other.send(b"hello")?;
    ///     assert_eq!(one.read_with(|socket| socket.recv(&mut [0; 16])).await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn new(io: T) -> Self {
        Self {
            source: Source::new(io.as_fd().as_raw_fd()),
            io,
        }
    }

    /// Returns how it is waited for.
    pub(super) fn source(&self) -> &Rc<Source> {
        &self.source
    }

    /// Returns what is inside.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use roundel::net::Watched;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let watched = Watched::new(UnixDatagram::unbound()?);
    ///     watched.get_ref().set_nonblocking(true)?;
    ///     assert!(watched.get_ref().local_addr()?.is_unnamed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// Waits until it can be read, has been hung up or has failed.
    ///
    /// That it can is known for this moment only: who reads may find nothing all the same.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error if the descriptor can't be waited for.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use futures_lite::future::poll_once;
    /// use roundel::net::Watched;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixDatagram::pair()?;
    ///     one.set_nonblocking(true)?;
    ///     let one = Watched::new(one);
    ///     assert!(poll_once(one.readable()).await.is_none());
    ///     other.send(b"hello")?;
    ///     one.readable().await?;
    ///     assert_eq!(one.get_ref().recv(&mut [0; 16])?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Readiness::Readable).await
    }

    /// Waits until it can be written, has been hung up or has failed: as [`readable`](Self::readable)
    /// otherwise.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use futures_lite::future::poll_once;
    /// use roundel::net::Watched;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixDatagram::pair()?;
    ///     one.set_nonblocking(true)?;
    ///     let one = Watched::new(one);
    ///     let mut sent = 0;
    ///     while one.get_ref().send(b"hello").is_ok() {
    ///         sent += 1;
    ///     }
    ///     assert!(poll_once(one.writable()).await.is_none());
    ///     for _ in 0..sent {
    ///         other.recv(&mut [0; 16])?;
    ///     }
    ///     one.writable().await?;
    ///     assert_eq!(one.get_ref().send(b"hello")?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Readiness::Writable).await
    }

    /// Calls `read`, and again each time it may find something, until it does not say that it
    /// [would block](io::ErrorKind::WouldBlock).
    ///
    /// # Errors
    ///
    /// Gives those of `read`, and the operating system's if the descriptor can't be waited for.
    ///
    /// # Cancel safety
    ///
    /// That of `read`: it is never interrupted, but may not be called again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use roundel::net::Watched;
    /// use roundel::spawn;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixDatagram::pair()?;
    ///     one.set_nonblocking(true)?;
    ///     let one = Watched::new(one);
    ///     spawn(async move { other.send(b"hello") });
    ///     let mut buffer = [0; 16];
    ///     let (count, from) = one.read_with(|socket| socket.recv_from(&mut buffer)).await?;
    ///     assert_eq!(&buffer[..count], b"hello");
    ///     assert!(from.is_unnamed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn read_with<R>(&self, mut read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        poll_fn(|cx| self.poll_with(Readiness::Readable, cx, &mut read)).await
    }

    /// Calls `write`, and again each time there may be room: as [`read_with`](Self::read_with)
    /// otherwise.
    ///
    /// # Errors
    ///
    /// As [`read_with`](Self::read_with).
    ///
    /// # Cancel safety
    ///
    /// As [`read_with`](Self::read_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use roundel::net::Watched;
    /// use roundel::spawn;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixDatagram::pair()?;
    ///     one.set_nonblocking(true)?;
    ///     let one = Watched::new(one);
    ///     let mut sent = 0;
    ///     while one.get_ref().send(b"filler").is_ok() {
    ///         sent += 1;
    ///     }
    ///     let _receiver = spawn(async move {
    ///         (0..sent).for_each(|_| drop(other.recv(&mut [0; 16])));
    ///         other
    ///     });
    ///     assert_eq!(one.write_with(|socket| socket.send(b"hello")).await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn write_with<R>(&self, mut write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        poll_fn(|cx| self.poll_with(Readiness::Writable, cx, &mut write)).await
    }

    pub(super) fn poll_with<R>(
        &self,
        readiness: Readiness,
        cx: &Context<'_>,
        mut attempt: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.source.poll(readiness, cx, || attempt(&self.io))
    }

    fn poll_read_with(
        &self,
        room: usize,
        cx: &Context<'_>,
        mut read: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.source.poll_read(room, cx, || read(&self.io))
    }

    async fn ready(&self, readiness: Readiness) -> io::Result<()> {
        let mut before = None;
        poll_fn(|cx| self.source.poll_ready(readiness, &mut before, cx)).await
    }
}

impl<T: AsFd> Drop for Watched<T> {
    fn drop(&mut self) {
        self.source.close();
    }
}

impl<T: AsFd> AsFd for Watched<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(self.get_ref()).finish()
    }
}

impl<T: AsFd> AsyncRead for &Watched<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_with(buffer.len(), cx, |mut io| io.read(buffer))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        self.poll_read_with(room, cx, |mut io| io.read_vectored(buffers))
    }
}

impl<T: AsFd> AsyncWrite for &Watched<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Readiness::Writable, cx, |mut io| io.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Readiness::Writable, cx, |mut io| io.write_vectored(pieces))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Readiness::Writable, cx, |mut io| io.flush())
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl<T: AsFd + Unpin> AsyncRead for Watched<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, buffers)
    }
}

impl<T: AsFd + Unpin> AsyncWrite for Watched<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, pieces)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}
