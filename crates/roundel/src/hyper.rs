//! What [hyper](https://hyper.rs) 1.x wants of a runtime (feature `hyper`).
//!
//! [`Io`] makes a connection readable and writable for it, [`Executor`] runs its tasks, [`Timer`] keeps
//! its time, on a virtual clock, too. `examples/http.rs` is a server and a client.
//!
//! ```
//! use std::convert::Infallible;
//! use hyper::{Request, Response, body::Incoming, server, service::service_fn};
//! use roundel::hyper::Io;
//! use roundel::net::UnixStream;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! roundel::run(async {
//!     let (client, server) = UnixStream::pair()?;
//!     let answer = |_request: Request<Incoming>| async {
//!         Ok::<_, Infallible>(Response::new("hello".to_owned()))
//!     };
//!     let serve = server::conn::http1::Builder::new().serve_connection(Io::new(server), service_fn(answer));
//!     let task = roundel::spawn(serve);
//!     client.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await?;
//!     let mut text = String::new();
//!     client.read_to_string(&mut text).await?;
//!     assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("hello"));
//!     Ok(task.await??)
//! })
//! # }
//! ```

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{self, ReadBufCursor};

use crate::program::{Handle, RemoteTask, now, sleep, spawn};

/// How much is read at a time, at most.
const PIECE: usize = 8 * 1024;

/// A connection as hyper reads and writes it.
///
/// # Examples
///
/// ```
/// use futures_util::AsyncWriteExt;
/// use hyper::{Method, Request, client::conn::http1::handshake};
/// use roundel::hyper::Io;
/// use roundel::net::{UnixStream, lines};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// roundel::run(async {
///     let (client, mut server) = UnixStream::pair()?;
///     let (mut sender, connection) = handshake(Io::new(client)).await?;
///     roundel::spawn(connection);
///     let request = Request::head("/").body(String::new())?;
///     let task = roundel::spawn(sender.send_request(request));
///     let line = lines(&server, 80).next_line().await?;
///     assert_eq!(line.as_deref(), Some("HEAD / HTTP/1.1"));
///     server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
///     assert_eq!(task.await??.status(), 204);
///     Ok(())
/// })
/// # }
/// ```
pub struct Io<S> {
    stream: S,
    buffer: Box<[u8]>,
}

impl<S> Io<S> {
    /// Takes a connection, TLS or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use hyper::client::conn::http1::handshake;
    /// use roundel::hyper::Io;
    /// use roundel::net::UnixStream;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// roundel::run(async {
    ///     let (client, _server) = UnixStream::pair()?;
    ///     let (sender, _connection) = handshake::<_, String>(Io::new(client)).await?;
    ///     assert!(!sender.is_closed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; PIECE].into_boxed_slice(),
        }
    }

    /// Returns the connection, as after an upgrade.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::hyper::Io;
    /// use roundel::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     let stream = Io::new(one).into_inner();
    ///     stream.write_all(b"hello").await?;
    ///     assert_eq!(other.read(&mut [0; 16]).await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> rt::Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let room = buffer.remaining().min(PIECE);
        let own = &mut this.buffer[..room];
        let count = ready!(Pin::new(&mut this.stream).poll_read(cx, own))?;
        buffer.put_slice(&own[..count]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> rt::Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl<S: fmt::Debug> fmt::Debug for Io<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Io").field(&self.stream).finish()
    }
}

/// Runs hyper's tasks, which need not be [`Send`].
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use hyper::rt::Executor as _;
/// use roundel::{hyper::Executor, oneshot};
///
/// # fn main() -> Result<(), roundel::Error> {
/// roundel::run(async {
///     let (sender, receiver) = oneshot::channel();
///     Executor.execute(async move { sender.send(Rc::new(7)) });
///     assert_eq!(*receiver.await?, 7);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        drop(spawn(future));
    }
}

/// Keeps hyper's time by the clock of the runtime that it has been made in.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use hyper::rt::Timer as _;
/// use roundel::{Clock, Order, Runner, hyper::Timer, now};
///
/// // The virtual clock jumps to the end of the sleep.
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let waited = runner.run(async {
///     let began = now();
///     Timer::new().sleep(Duration::from_secs(30)).await;
///     now() - began
/// })?;
/// assert_eq!(waited.as_secs(), 30);
/// # Ok::<(), roundel::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    /// The same moment by the standard library's clock, which hyper goes by, and by ours.
    base: Instant,
    own_base: crate::program::Instant,
}

impl Timer {
    /// Makes a timer.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs no runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    /// use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
    /// use roundel::hyper::{Io, Timer};
    /// use roundel::{Clock, Order, Runner, net::UnixStream};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// let served = runner.run(async {
    ///     // The client says nothing.
    ///     let (_client, server) = UnixStream::pair().expect("two ends");
    ///     let answer = |_: Request<Incoming>| async {
    ///         Ok::<_, Infallible>(Response::new(String::new()))
    ///     };
    ///     let mut builder = http1::Builder::new();
    ///     builder.timer(Timer::new()).header_read_timeout(Duration::from_secs(30));
    ///     builder.serve_connection(Io::new(server), service_fn(answer)).await
    /// })?;
    /// assert!(served.unwrap_err().is_timeout());
    /// # Ok::<(), roundel::Error>(())
    /// ```
    #[track_caller]
    #[expect(
        clippy::disallowed_methods,
        reason = "only a moment to count from, whichever it is"
    )]
    #[expect(clippy::new_without_default, reason = "it can panic")]
    pub fn new() -> Self {
        Self {
            base: Instant::now(),
            own_base: now(),
        }
    }
}

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        let task = Handle::current().spawn_with(move || sleep(duration));
        Box::pin(Sleep { task })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }

    fn now(&self) -> Instant {
        self.base + (now() - self.own_base)
    }
}

/// A sleep that may be sent to other threads, as hyper wants it: a task that this knows from afar.
struct Sleep {
    task: RemoteTask<()>,
}

impl rt::Sleep for Sleep {}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.task).poll(cx).map(drop)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if !self.task.is_finished() {
            self.task.cancel();
        }
    }
}
