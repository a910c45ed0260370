//! What streams of every kind have in common.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

/// Makes a type of stream of the standard library's: what it can do, and how it is read and written.
macro_rules! stream {
    ($(#[$doc:meta])* $name:ident of $inner:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            io: Connected<$inner>,
        }

        impl $name {
            /// Receives what has come, at most what fits into the buffer, waiting until there is
            /// something; nothing if the other side sends no more.
            ///
            /// # Errors
            ///
            /// Gives the operating system's error.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost: either the future is ready, or nothing has been received.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     one.write_all(b"hello").await?;
            ///     let mut buffer = [0; 16];
            ///     let count = other.read(&mut buffer).await?;
            ///     assert_eq!(&buffer[..count], b"hello");
            ///     drop(one);
            ///     assert_eq!(other.read(&mut buffer).await?, 0);
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                std::future::poll_fn(|cx| self.io.poll_read(cx, buffer)).await
            }

            /// Receives until the buffer is full.
            ///
            /// # Errors
            ///
            /// Gives [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the other side ends
            /// before, and the operating system's error.
            ///
            /// # Cancel safety
            ///
            /// What has been received by then is in the buffer, but nobody knows how much.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     one.write_all(b"\x05hello").await?;
            ///     let mut length = [0];
            ///     other.read_exact(&mut length).await?;
            ///     let mut text = vec![0; length[0].into()];
            ///     other.read_exact(&mut text).await?;
            ///     assert_eq!(text, b"hello");
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn read_exact(&self, buffer: &mut [u8]) -> std::io::Result<()> {
                let mut filled = 0;
                while filled < buffer.len() {
                    match self.read(&mut buffer[filled..]).await? {
                        0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                        count => filled += count,
                    }
                }
                Ok(())
            }

            /// Receives to the end, appends it to `bytes` and gives how much that was.
            ///
            /// # Errors
            ///
            /// Gives the operating system's error.
            ///
            /// # Cancel safety
            ///
            /// What has been received by then has been appended.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     one.write_all(b"hello").await?;
            ///     one.shutdown_write()?;
            ///     let mut bytes = Vec::new();
            ///     assert_eq!(other.read_to_end(&mut bytes).await?, 5);
            ///     assert_eq!(bytes, b"hello");
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn read_to_end(&self, bytes: &mut Vec<u8>) -> std::io::Result<usize> {
                crate::net::stream::read_to_end(&mut &*self, bytes).await
            }

            /// Receives a text to its end, and appends it to `text`.
            ///
            /// # Errors
            ///
            /// Gives [`InvalidData`](std::io::ErrorKind::InvalidData) if it is not UTF-8, and the
            /// operating system's error.
            ///
            /// # Cancel safety
            ///
            /// What has been received by then is lost.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     one.write_all("größer".as_bytes()).await?;
            ///     one.shutdown_write()?;
            ///     let mut text = String::from("> ");
            ///     other.read_to_string(&mut text).await?;
            ///     assert_eq!(text, "> größer");
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn read_to_string(&self, text: &mut String) -> std::io::Result<usize> {
                let mut bytes = Vec::new();
                let count = self.read_to_end(&mut bytes).await?;
                let received = String::from_utf8(bytes)
                    .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
                text.push_str(&received);
                Ok(count)
            }

            /// Sends as much as the operating system takes, waiting until it takes something.
            ///
            /// # Errors
            ///
            /// Gives the operating system's error.
            ///
            /// # Cancel safety
            ///
            /// If it is dropped before it is ready, some of it may have been sent or not: nobody knows. To be
            /// sure that nothing has, wait for [`writable`](Self::writable), or use
            /// [`AsyncWrite`](futures_io::AsyncWrite), which sends nothing before it is ready.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     let mut rest = &b"hello"[..];
            ///     while !rest.is_empty() {
            ///         rest = &rest[one.write(rest).await?..];
            ///     }
            ///     let mut buffer = [0; 5];
            ///     other.read_exact(&mut buffer).await?;
            ///     assert_eq!(&buffer, b"hello");
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn write(&self, bytes: &[u8]) -> std::io::Result<usize> {
                self.io.write(bytes).await
            }

            /// Sends all of it.
            ///
            /// # Errors
            ///
            /// Gives the operating system's error.
            ///
            /// # Cancel safety
            ///
            /// Some of it may have been sent, but nobody knows how much.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            /// use roundel::spawn;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     // That much does not go at once: it waits for the other end to read.
            ///     spawn(async move { one.write_all(&vec![7; 1 << 20]).await });
            ///     let mut bytes = Vec::new();
            ///     assert_eq!(other.read_to_end(&mut bytes).await?, 1 << 20);
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn write_all(&self, mut bytes: &[u8]) -> std::io::Result<()> {
                while !bytes.is_empty() {
                    match self.write(bytes).await? {
                        0 => return Err(std::io::ErrorKind::WriteZero.into()),
                        count => bytes = &bytes[count..],
                    }
                }
                Ok(())
            }

            /// Returns two halves, for a task that reads and another one that writes.
            ///
            /// # Examples
            ///
            /// ```
            /// use futures_util::{AsyncReadExt, AsyncWriteExt};
            /// use roundel::net::{UnixStream, copy};
            /// use roundel::spawn;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     spawn(async move { copy(&other, &other).await });
            ///     let (mut reader, mut writer) = one.into_split();
            ///     spawn(async move {
            ///         writer.write_all(b"hello").await?;
            ///         writer.close().await
            ///     });
            ///     let mut echo = String::new();
            ///     reader.read_to_string(&mut echo).await?;
            ///     assert_eq!(echo, "hello");
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub fn into_split(
                self,
            ) -> (crate::net::ReadHalf<Self>, crate::net::WriteHalf<Self>) {
                crate::net::stream::split(self)
            }

            /// Waits until there is something to read, the end or an error among it.
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
            /// use futures_lite::future::poll_once;
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     assert!(poll_once(other.readable()).await.is_none());
            ///     one.write_all(b"hello").await?;
            ///     other.readable().await?;
            ///     // No buffer was needed until now.
            ///     let mut buffer = vec![0; 16];
            ///     assert_eq!(other.read(&mut buffer).await?, 5);
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub async fn readable(&self) -> std::io::Result<()> {
                self.io.readable().await
            }

            /// Waits until there is room for something to be sent, or sending fails at once.
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
            /// use std::io::Write;
            /// use futures_lite::future::poll_once;
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, other) = UnixStream::pair()?;
            ///     let mut sent = 0;
            ///     while let Ok(count) = one.get_ref().write(&[0; 4096]) {
            ///         sent += count;
            ///     }
            ///     assert!(poll_once(one.writable()).await.is_none());
            ///     other.read_exact(&mut vec![0; sent]).await?;
            ///     one.writable().await
            /// })
            /// # }
            /// ```
            pub async fn writable(&self) -> std::io::Result<()> {
                self.io.writable().await
            }

            /// Returns the socket, for its options. What has come may be here already, and not there.
            ///
            /// # Examples
            ///
            /// ```
            /// use roundel::net::UnixStream;
            ///
            /// # fn main() -> std::io::Result<()> {
            /// roundel::run(async {
            ///     let (one, _other) = UnixStream::pair()?;
            ///     assert!(one.get_ref().peer_addr()?.is_unnamed());
            ///     Ok(())
            /// })
            /// # }
            /// ```
            pub fn get_ref(&self) -> &$inner {
                self.io.get_ref()
            }
        }

        crate::net::stream::asynchronous!($name, &$name);
        crate::net::stream::asynchronous!($name, $name);
    };
}
pub(super) use stream;

/// Implements the traits of `futures::io`, of which closing is the end of sending.
macro_rules! asynchronous {
    ($name:ident, $type:ty) => {
        impl futures_io::AsyncRead for $type {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.io.poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.io.poll_read_vectored(cx, buffers)
            }
        }

        impl futures_io::AsyncWrite for $type {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.io.poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                pieces: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.io.poll_write_vectored(cx, pieces)
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(match self.shutdown_write() {
                    // The other side was quicker.
                    Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
                    outcome => outcome,
                })
            }
        }
    };
}
pub(super) use asynchronous;

/// Reads to the end, in pieces that grow with what has come.
pub(super) async fn read_to_end(
    reader: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> io::Result<usize> {
    let before = bytes.len();
    let mut filling = Filling {
        filled: before,
        bytes,
    };
    loop {
        let room = filling.room();
        match poll_fn(|cx| Pin::new(&mut *reader).poll_read(cx, room)).await? {
            0 => return Ok(filling.filled - before),
            count => filling.filled += count,
        }
    }
}

/// Bytes with room behind them, which is gone with this.
struct Filling<'b> {
    bytes: &'b mut Vec<u8>,
    filled: usize,
}

impl Filling<'_> {
    fn room(&mut self) -> &mut [u8] {
        let length = self.bytes.len();
        if length - self.filled < 1024 {
            self.bytes
                .resize((2 * length).max(self.filled + 8 * 1024), 0);
        }
        &mut self.bytes[self.filled..]
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.filled);
    }
}

pub(super) fn split<S>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Rc::new(stream);
    (ReadHalf(Rc::clone(&stream)), WriteHalf(stream))
}

/// The half of a stream that reads.
///
/// # Examples
///
/// ```
/// use futures_lite::future::poll_once;
/// use roundel::net::{UnixStream, lines};
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let (one, other) = UnixStream::pair()?;
///     let (reader, _writer) = one.into_split();
///     let mut lines = lines(reader, 80);
///     assert!(poll_once(lines.next_line()).await.is_none());
///     other.write_all(b"hello\n").await?;
///     assert_eq!(lines.next_line().await?.as_deref(), Some("hello"));
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct ReadHalf<S>(Rc<S>);

/// The half of a stream that writes. To say that no more will come, close it; dropping it does not.
///
/// # Examples
///
/// ```
/// use futures_lite::future::poll_once;
/// use futures_util::AsyncWriteExt;
/// use roundel::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let (one, other) = UnixStream::pair()?;
///     let (_reader, mut writer) = one.into_split();
///     writer.write_all(b"hello").await?;
///     assert_eq!(other.read(&mut [0; 16]).await?, 5);
///     assert!(poll_once(other.readable()).await.is_none());
///     writer.close().await?;
///     assert_eq!(other.read(&mut [0; 16]).await?, 0);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct WriteHalf<S>(Rc<S>);

impl<S> AsyncRead for ReadHalf<S>
where
    for<'a> &'a S: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_read(cx, buffer)
    }
}

impl<S> AsyncWrite for WriteHalf<S>
where
    for<'a> &'a S: AsyncWrite,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self.0).poll_close(cx)
    }
}
