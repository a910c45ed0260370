//! Streams: bytes that arrive late, but in order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use super::{Host, Name, Network, arrival};
use crate::program::{Instant, Queue, Sleep, TaskWaker, now, sleep, sleep_until};

/// How many bytes may be under way in a direction, or wait to be read.
const WINDOW: usize = 64 * 1024;

/// Streams that wait to be accepted.
pub(super) type Backlog = Queue<(Stream, Rc<str>)>;

/// Who accepts streams at a port of a host: see [`Host::listen`].
///
/// # Examples
///
/// ```
/// use futures_util::{AsyncReadExt, AsyncWriteExt};
/// use roundel::net::copy;
/// use roundel::{sim, spawn};
///
/// sim::check(0..10, |network| async move {
///     let mut listener = network.host("server").listen(80).unwrap();
///     spawn(async move {
///         loop {
///             let (reader, writer) = listener.accept().await.0.split();
///             spawn(copy(reader, writer));
///         }
///     });
///
///     let mut stream = network.host("client").connect("server", 80).await.unwrap();
///     stream.write_all(b"hello").await.unwrap();
///     let mut echo = [0; 5];
///     stream.read_exact(&mut echo).await.unwrap();
///     assert_eq!(&echo, b"hello");
/// });
/// ```
#[derive(Debug)]
pub struct Listener {
    backlog: Rc<Backlog>,
}

impl Listener {
    pub(super) fn new() -> (Self, Weak<Backlog>) {
        let backlog = Rc::new(Queue::unbounded());
        let known = Rc::downgrade(&backlog);
        (Self { backlog }, known)
    }

    /// Waits for a stream, and gives it with the name of the host that it comes from.
    ///
    /// # Cancel safety
    ///
    /// No stream is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::sim;
    ///
    /// sim::check(0..10, |network| async move {
    ///     let mut listener = network.host("server").listen(80).unwrap();
    ///     let _client = network.host("client").connect("server", 80).await.unwrap();
    ///     let (_stream, from) = listener.accept().await;
    ///     assert_eq!(&*from, "client");
    /// });
    /// ```
    pub async fn accept(&mut self) -> (Stream, Rc<str>) {
        match self.backlog.get().await {
            Ok(accepted) => accepted,
            // Nobody shuts the backlog down.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Connects, and tells the listener when word of it arrives there.
pub(super) async fn connect(from: &Host, to: Name, port: u16) -> io::Result<Stream> {
    let network = &from.network;
    let own_port = network.port();
    network.note(|| format!("{}:{own_port} > {to}:{port} connects", from.name));
    sleep(network.delay()).await;
    whole(network, &from.name, &to).await;
    let backlog = network
        .shared
        .listeners
        .borrow()
        .get(&(to.clone(), port))
        .cloned();
    let backlog = backlog.and_then(|backlog| backlog.upgrade());
    let link = Rc::new(Link {
        network: network.clone(),
        names: [from.name.clone(), to],
        ports: [own_port, port],
        pipes: [Pipe::default(), Pipe::default()],
        is_reset: Cell::new(false),
    });
    let accepted = backlog.map(|backlog| {
        let mut links = network.shared.links.borrow_mut();
        links.retain(|link| link.strong_count() > 0);
        links.push(Rc::downgrade(&link));
        drop(links);
        let stream = Stream::new(&link, 1);
        backlog.try_put((stream, from.name.clone())).is_ok()
    });
    sleep(network.delay()).await;
    whole(network, &from.name, &link.names[1]).await;
    match accepted {
        Some(true) => Ok(Stream::new(&link, 0)),
        _ => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

/// Waits until two hosts are not torn apart.
async fn whole(network: &Network, one: &Name, other: &Name) {
    poll_fn(|cx| {
        if network.is_torn(one, other) {
            network.wait_for_healing(TaskWaker::of(cx));
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// Two hosts' ends of a stream, and a pipe to each of them.
pub(super) struct Link {
    network: Network,
    names: [Name; 2],
    ports: [u16; 2],
    /// What is under way to the end of the same number.
    pipes: [Pipe; 2],
    is_reset: Cell<bool>,
}

#[derive(Default)]
struct Pipe {
    pieces: RefCell<VecDeque<Piece>>,
    /// How many bytes are in the pieces.
    filled: Cell<usize>,
    last_arrival: Cell<Option<Instant>>,
    /// Whether no more is sent, and whether nobody reads.
    is_closed: Cell<bool>,
    is_abandoned: Cell<bool>,
    reader: Cell<Option<TaskWaker>>,
    writer: Cell<Option<TaskWaker>>,
}

/// Bytes that were sent together, or the end.
struct Piece {
    arrives: Instant,
    bytes: VecDeque<u8>,
}

impl Link {
    pub(super) fn is_between(&self, one: &str, other: &str) -> bool {
        let [first, last] = &self.names;
        (&**first, &**last) == (one, other) || (&**first, &**last) == (other, one)
    }

    pub(super) fn reset(&self) {
        self.is_reset.set(true);
        self.pipes.iter().for_each(Pipe::wake);
    }

    fn describe(&self, from: usize) -> String {
        let [one, other] =
            [from, 1 - from].map(|end| format!("{}:{}", self.names[end], self.ports[end]));
        format!("{one} > {other}")
    }

    /// Puts something under way to the other end; it arrives after what was sent before.
    fn send(&self, from: usize, bytes: &[u8]) {
        let pipe = &self.pipes[1 - from];
        let soonest = pipe.last_arrival.get();
        let arrives = arrival(self.network.delay());
        let arrives = soonest.map_or(arrives, |soonest| arrives.max(soonest));
        pipe.last_arrival.set(Some(arrives));
        pipe.filled.set(pipe.filled.get() + bytes.len());
        pipe.pieces.borrow_mut().push_back(Piece {
            arrives,
            bytes: bytes.iter().copied().collect(),
        });
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
    }
}

impl Pipe {
    fn wake(&self) {
        for waker in [self.reader.take(), self.writer.take()]
            .into_iter()
            .flatten()
        {
            waker.wake();
        }
    }
}

/// An end of a stream between two hosts. Dropping it ends it in both directions.
///
/// # Examples
///
/// ```
/// use futures_util::{AsyncReadExt, AsyncWriteExt};
/// use roundel::sim;
///
/// sim::check(0..10, |network| async move {
///     let mut listener = network.host("server").listen(80).unwrap();
///     let mut client = network.host("client").connect("server", 80).await.unwrap();
///     let (mut server, _) = listener.accept().await;
///     client.write_all(b"hello").await.unwrap();
///     drop(client);
///     let mut text = String::new();
///     server.read_to_string(&mut text).await.unwrap();
///     assert_eq!(text, "hello");
/// });
/// ```
pub struct Stream {
    link: Rc<Link>,
    end: usize,
    /// What wakes the reader when the next piece arrives.
    sleep: Option<Sleep>,
}

impl Stream {
    fn new(link: &Rc<Link>, end: usize) -> Self {
        Self {
            link: Rc::clone(link),
            end,
            sleep: None,
        }
    }

    /// Returns the name of the host at the other end.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::sim;
    ///
    /// sim::check(0..10, |network| async move {
    ///     let mut listener = network.host("server").listen(80).unwrap();
    ///     let client = network.host("client").connect("server", 80).await.unwrap();
    ///     assert_eq!(client.peer(), "server");
    ///     assert_eq!(listener.accept().await.0.peer(), "client");
    /// });
    /// ```
    pub fn peer(&self) -> &str {
        &self.link.names[1 - self.end]
    }

    fn incoming(&self) -> &Pipe {
        &self.link.pipes[self.end]
    }

    fn outgoing(&self) -> &Pipe {
        &self.link.pipes[1 - self.end]
    }

    /// Waits until the next piece has arrived.
    fn poll_arrival(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.link.is_reset.get() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if self
                .link
                .network
                .is_torn(&self.link.names[0], &self.link.names[1])
            {
                self.link.network.wait_for_healing(TaskWaker::of(cx));
            } else {
                let next = self
                    .incoming()
                    .pieces
                    .borrow()
                    .front()
                    .map(|piece| piece.arrives);
                match next {
                    Some(arrives) if arrives <= now() => return Poll::Ready(Ok(())),
                    Some(arrives) => {
                        let sleep = self.sleep.insert(sleep_until(arrives));
                        if Pin::new(sleep).poll(cx).is_ready() {
                            continue;
                        }
                    }
                    None => {}
                }
            }
            // In any case: the stream may be reset.
            drop(self.incoming().reader.replace(Some(TaskWaker::of(cx))));
            return Poll::Pending;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_arrival(cx))?;
        self.sleep = None;
        let pipe = self.incoming();
        let mut pieces = pipe.pieces.borrow_mut();
        let Some(piece) = pieces.front_mut() else {
            return Poll::Ready(Ok(0));
        };
        if piece.bytes.is_empty() {
            // The end stays where it is, for whoever asks again.
            return Poll::Ready(Ok(0));
        }
        let count = piece.bytes.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(piece.bytes.drain(..count)) {
            *place = byte;
        }
        if piece.bytes.is_empty() {
            pieces.pop_front();
        }
        drop(pieces);
        pipe.filled.set(pipe.filled.get() - count);
        if let Some(writer) = pipe.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Stream {
    /// Takes some of the bytes: how many is a matter of chance, as it is with real ones.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pipe = self.outgoing();
        if self.link.is_reset.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if pipe.is_closed.get() || pipe.is_abandoned.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = WINDOW.saturating_sub(pipe.filled.get()).min(bytes.len());
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if room == 0 {
            drop(pipe.writer.replace(Some(TaskWaker::of(cx))));
            return Poll::Pending;
        }
        let taken = &bytes[..self.link.network.some_of(room)];
        self.link.network.note(|| {
            let (way, text) = (self.link.describe(self.end), taken.escape_ascii());
            format!("{way} {text}")
        });
        self.link.send(self.end, taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.outgoing().is_closed.replace(true) {
            let way = self.link.describe(self.end);
            self.link.network.note(|| format!("{way} ends"));
            self.link.send(self.end, &[]);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let incoming = self.incoming();
        incoming.is_abandoned.set(true);
        drop(incoming.reader.take());
        if let Some(writer) = incoming.writer.take() {
            writer.wake();
        }
        // A program that is at its end has no clock any more, and nobody to tell.
        if !self.outgoing().is_closed.replace(true) && crate::program::try_now().is_some() {
            let way = self.link.describe(self.end);
            self.link.network.note(|| format!("{way} ends"));
            self.link.send(self.end, &[]);
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream")
            .field(&self.link.describe(self.end))
            .finish()
    }
}
