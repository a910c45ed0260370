//! What streams of every kind have in common.

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
            pub async fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let mut io = &self.io;
                std::future::poll_fn(|cx| {
                    futures_io::AsyncRead::poll_read(std::pin::Pin::new(&mut io), cx, buffer)
                })
                .await
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
            pub async fn writable(&self) -> std::io::Result<()> {
                self.io.writable().await
            }

            /// Returns the socket, for its options. What has come may be here already, and not there.
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
                std::pin::Pin::new(&mut &self.io).poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &self.io).poll_read_vectored(cx, buffers)
            }
        }

        impl futures_io::AsyncWrite for $type {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &self.io).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                pieces: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &self.io).poll_write_vectored(cx, pieces)
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
    let mut filled = before;
    loop {
        if bytes.len() - filled < 1024 {
            bytes.resize((2 * bytes.len()).max(filled + 8 * 1024), 0);
        }
        let outcome =
            std::future::poll_fn(|cx| Pin::new(&mut *reader).poll_read(cx, &mut bytes[filled..]));
        let outcome = outcome.await;
        if !matches!(outcome, Ok(1..)) {
            bytes.truncate(filled);
        }
        match outcome? {
            0 => return Ok(filled - before),
            count => filled += count,
        }
    }
}

pub(super) fn split<S>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Rc::new(stream);
    (ReadHalf(Rc::clone(&stream)), WriteHalf(stream))
}

/// The half of a stream that reads.
#[derive(Debug)]
pub struct ReadHalf<S>(Rc<S>);

/// The half of a stream that writes. To say that no more will come, close it; dropping it does not.
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
