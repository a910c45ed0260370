//! Datagrams: they arrive in any order, or not at all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Poll;

use super::{Host, Name, arrival};
use crate::program::{Instant, TaskWaker, now, sleep_until};

/// What has been sent to a port.
#[derive(Default)]
pub(super) struct Mailbox {
    /// By when it arrives; of those that do so together, by when it was sent.
    letters: RefCell<BTreeMap<(Instant, u64), Letter>>,
    sent: Cell<u64>,
    reader: Cell<Option<TaskWaker>>,
}

struct Letter {
    bytes: Vec<u8>,
    from: (Name, u16),
}

/// A port for datagrams at a host: see [`Host::bind`].
///
/// # Examples
///
/// ```
/// use roundel::sim;
///
/// sim::check(0..10, |network| async move {
///     let client = network.host("client").bind(5000).unwrap();
///     let mut server = network.host("server").bind(53).unwrap();
///     client.send_to(b"hello", "server", 53);
///     let (bytes, host, port) = server.receive_from().await;
///     assert_eq!((&*bytes, &*host, port), (&b"hello"[..], "client", 5000));
/// });
/// ```
pub struct Socket {
    host: Host,
    port: u16,
    mailbox: Rc<Mailbox>,
}

impl Socket {
    pub(super) fn new(host: &Host, port: u16) -> (Self, Weak<Mailbox>) {
        let mailbox = Rc::<Mailbox>::default();
        let known = Rc::downgrade(&mailbox);
        let host = host.clone();
        let socket = Self {
            host,
            port,
            mailbox,
        };
        (socket, known)
    }

    /// Sends a datagram, of which nobody can say whether it arrives.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs no runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{sim, timeout};
    ///
    /// sim::check(0..10, |network| async move {
    ///     let mut socket = network.host("one").bind(1).unwrap();
    ///     socket.send_to(b"hello", "nobody", 1);
    ///     socket.send_to(b"hello", "one", 1);
    ///     assert_eq!(socket.receive_from().await.0, b"hello");
    ///     assert!(timeout(Duration::from_secs(9), socket.receive_from()).await.is_err());
    /// });
    /// ```
    pub fn send_to(&self, bytes: &[u8], host: &str, port: u16) {
        let network = &self.host.network;
        let (to, own): (Name, _) = (host.into(), &self.host.name);
        let is_lost = network.is_lost() || network.is_torn(own, &to);
        network.note(|| {
            let fate = if is_lost { " is lost" } else { "" };
            let text = bytes.escape_ascii();
            format!("{own}:{} ~ {host}:{port} {text}{fate}", self.port)
        });
        let mailbox = network.shared.mailboxes.borrow().get(&(to, port)).cloned();
        let Some(mailbox) = mailbox.and_then(|mailbox| mailbox.upgrade()) else {
            return;
        };
        if !is_lost {
            let letter = Letter {
                bytes: bytes.to_vec(),
                from: (own.clone(), self.port),
            };
            mailbox.put(arrival(network.draw_latency()), letter);
        }
    }

    /// Waits for a datagram, and gives it with the name and the port of who sent it.
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{sim, spawn};
    ///
    /// sim::check(0..10, |network| async move {
    ///     let mut client = network.host("client").bind(5000).unwrap();
    ///     let mut server = network.host("server").bind(7).unwrap();
    ///     spawn(async move {
    ///         let (bytes, host, port) = server.receive_from().await;
    ///         server.send_to(&bytes, &host, port);
    ///     });
    ///     client.send_to(b"hello", "server", 7);
    ///     assert_eq!(client.receive_from().await.0, b"hello");
    /// });
    /// ```
    pub async fn receive_from(&mut self) -> (Vec<u8>, Rc<str>, u16) {
        let mut sleep = None;
        poll_fn(|cx| {
            loop {
                drop(self.mailbox.reader.replace(Some(TaskWaker::of(cx))));
                let Some(arrives) = self.mailbox.next_arrival() else {
                    return Poll::Pending;
                };
                if arrives > now() {
                    let sleep = sleep.insert(sleep_until(arrives));
                    if Pin::new(sleep).poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                }
                if let Some(Letter { bytes, from }) = self.mailbox.take() {
                    return Poll::Ready((bytes, from.0, from.1));
                }
            }
        })
        .await
    }
}

impl Mailbox {
    fn put(&self, arrives: Instant, letter: Letter) {
        let number = self.sent.get();
        self.sent.set(number + 1);
        self.letters.borrow_mut().insert((arrives, number), letter);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn next_arrival(&self) -> Option<Instant> {
        let letters = self.letters.borrow();
        letters.first_key_value().map(|((arrives, _), _)| *arrives)
    }

    /// Takes the first one that has arrived.
    fn take(&self) -> Option<Letter> {
        let mut letters = self.letters.borrow_mut();
        let first = letters.first_entry()?;
        (first.key().0 <= now()).then(|| first.remove())
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("host", &self.host.name())
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
