//! A network in memory, under the virtual clock and a seeded order (feature `sim`).
//!
//! A client and a server are run in one program, by hosts of a [`Network`] that is as slow, as
//! unreliable and as torn apart as one wants it to be. All that happens by chance is drawn from one
//! seed: a program that fails with a seed fails with it again, in the same way, to the byte.
//!
//! ```
//! use std::time::Duration;
//! use futures_util::{AsyncReadExt, AsyncWriteExt};
//! use roundel::{gather, sim};
//!
//! sim::check(0..20, |network| async move {
//!     network.set_latency(Duration::from_millis(1)..=Duration::from_millis(300));
//!     network.set_loss(0.1);
//!     let (server, client) = (network.host("server"), network.host("client"));
//!     let mut listener = server.listen(80).unwrap();
//!     let serve = async move {
//!         let (mut stream, _) = listener.accept().await;
//!         let mut request = [0; 5];
//!         stream.read_exact(&mut request).await.unwrap();
//!         stream.write_all(&request).await.unwrap();
//!     };
//!     let ask = async move {
//!         let mut stream = client.connect("server", 80).await.unwrap();
//!         stream.write_all(b"hello").await.unwrap();
//!         let mut answer = Vec::new();
//!         stream.read_to_end(&mut answer).await.unwrap();
//!         assert_eq!(answer, b"hello");
//!     };
//!     gather!(serve, ask).await;
//! });
//! ```

mod datagram;
mod stream;

pub use datagram::Socket;
pub use stream::{Listener, Stream};

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::mem;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::dispatcher::{Clock, Order, Random};
use crate::program::{Instant, Runner, TaskWaker, now};
use datagram::Mailbox;
use stream::{Backlog, Link};

/// How long it takes until what has been lost is sent again; twice as long each further time.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// The variable that has a check run one seed only.
const VARIABLE: &str = "ROUNDEL_SEED";

/// Runs `program` once for each seed, on a virtual clock, in the order and on a network of that seed.
///
/// When it fails, the seed is printed with the last things that happened on the network. With the
/// variable `ROUNDEL_SEED` in the environment only that seed is run.
///
/// # Panics
///
/// Panics as the program does, and if it comes to a deadlock.
///
/// # Examples
///
/// ```should_panic
/// use std::time::Duration;
/// use roundel::sim;
///
/// // Nobody has promised that datagrams arrive in order, and with some seed they do not.
/// sim::check(0..50, |network| async move {
///     network.set_latency(Duration::from_millis(1)..=Duration::from_millis(99));
///     let (sender, receiver) = (network.host("one"), network.host("other"));
///     let (sender, mut receiver) = (sender.bind(1).unwrap(), receiver.bind(1).unwrap());
///     sender.send_to(b"first", "other", 1);
///     sender.send_to(b"second", "other", 1);
///     assert_eq!(receiver.receive_from().await.0, b"first");
/// });
/// ```
pub fn check<P, F>(seeds: impl IntoIterator<Item = u64>, program: P)
where
    P: Fn(Network) -> F,
    F: Future<Output = ()> + 'static,
{
    let chosen = std::env::var(VARIABLE).ok();
    let chosen = chosen.and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = chosen.map_or_else(|| seeds.into_iter().collect(), |seed| vec![seed]);
    for seed in seeds {
        let network = Network::new(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut runner = Runner::new(Clock::virtual_time(), Order::Seeded(seed))
                .unwrap_or_else(|error| panic!("{error}"));
            let outcome = runner.run(program(network.clone()));
            outcome.unwrap_or_else(|error| panic!("{error}"));
        }));
        if let Err(payload) = outcome {
            report(seed, &network);
            resume_unwind(payload);
        }
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the test needs the seed")]
fn report(seed: u64, network: &Network) {
    eprintln!("seed {seed} fails; {VARIABLE}={seed} runs it again. What happened last:");
    let log = network.log();
    for line in &log[log.len().saturating_sub(20)..] {
        eprintln!("  {line}");
    }
}

/// A network in memory, and all that can be done to it. Clones are the same network.
///
/// It is quick, reliable and whole until it is told otherwise.
///
/// # Examples
///
/// ```
/// use roundel::sim;
///
/// sim::check(0..10, |network| async move {
///     let same = network.clone();
///     let mut listener = network.host("server").listen(80).unwrap();
///     same.host("client").connect("server", 80).await.unwrap();
///     assert_eq!(&*listener.accept().await.1, "client");
/// });
/// ```
#[derive(Clone)]
pub struct Network {
    shared: Rc<Shared>,
}

struct Shared {
    random: Random,
    latency: RefCell<RangeInclusive<Duration>>,
    /// Of 2⁶⁴ pieces, how many are lost.
    loss: Cell<u64>,
    partitions: RefCell<BTreeSet<(Name, Name)>>,
    /// Who waits for a partition to be healed.
    torn: RefCell<Vec<TaskWaker>>,
    listeners: RefCell<BTreeMap<(Name, u16), Weak<Backlog>>>,
    mailboxes: RefCell<BTreeMap<(Name, u16), Weak<Mailbox>>>,
    links: RefCell<Vec<Weak<Link>>>,
    /// The port of the next one who connects.
    next_port: Cell<u16>,
    log: RefCell<Vec<String>>,
}

type Name = Rc<str>;

impl Network {
    /// Makes a network whose accidents are drawn from `seed`.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::sim::Network;
    /// use roundel::{Clock, Order, Runner};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// let (one, other) = (Network::new(7).host("one"), Network::new(7).host("one"));
    /// let _listener = one.listen(80)?;
    /// // They do not know of each other.
    /// assert!(runner.run(async move { other.connect("one", 80).await })?.is_err());
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn new(seed: u64) -> Self {
        Self {
            shared: Rc::new(Shared {
                random: Random::new(seed),
                latency: RefCell::new(Duration::from_millis(1)..=Duration::from_millis(1)),
                loss: Cell::new(0),
                partitions: RefCell::default(),
                torn: RefCell::default(),
                listeners: RefCell::default(),
                mailboxes: RefCell::default(),
                links: RefCell::default(),
                next_port: Cell::new(49_152),
                log: RefCell::default(),
            }),
        }
    }

    /// Returns a host, which is there once it is named.
    ///
    /// # Examples
    ///
    /// ```
    /// let network = roundel::sim::Network::new(0);
    /// let _listener = network.host("server").listen(80)?;
    /// // Whoever has this name is the same host.
    /// assert!(network.host("server").listen(80).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn host(&self, name: impl Into<Rc<str>>) -> Host {
        Host {
            network: self.clone(),
            name: name.into(),
        }
    }

    /// Has whatever is sent from now on take a time out of `range` to arrive.
    ///
    /// # Panics
    ///
    /// Panics if the range is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{now, sim};
    ///
    /// sim::check(0..10, |network| async move {
    ///     network.set_latency(Duration::from_secs(2)..=Duration::from_secs(3));
    ///     let _listener = network.host("server").listen(80).unwrap();
    ///     let began = now();
    ///     network.host("client").connect("server", 80).await.unwrap();
    ///     assert!((4..=6).contains(&(now() - began).as_secs()));
    /// });
    /// ```
    pub fn set_latency(&self, range: RangeInclusive<Duration>) {
        assert!(!range.is_empty(), "a latency is a time");
        self.shared.latency.replace(range);
    }

    /// Has so large a part of what is sent be lost: datagrams for good, pieces of a stream until they
    /// are sent again, 200 ms later, or 400 ms, and so on.
    ///
    /// # Panics
    ///
    /// Panics if it is not a number from 0 up to, but without, 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{sim, timeout};
    ///
    /// sim::check(0..10, |network| async move {
    ///     network.set_loss(0.5);
    ///     let mut socket = network.host("one").bind(1).unwrap();
    ///     (0..100).for_each(|_| socket.send_to(b"hello", "one", 1));
    ///     let mut arrived = 0;
    ///     while timeout(Duration::from_secs(1), socket.receive_from()).await.is_ok() {
    ///         arrived += 1;
    ///     }
    ///     assert!((10..90).contains(&arrived));
    /// });
    /// ```
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a part of 2⁶⁴ fits, and need not be exact"
    )]
    pub fn set_loss(&self, part: f64) {
        assert!((0.0..1.0).contains(&part), "a part is from 0 to 1");
        self.shared.loss.set((part * u64::MAX as f64) as u64);
    }

    /// Has nothing pass between two hosts, in either direction: streams stand still, datagrams are
    /// lost, until [`heal`](Self::heal) is called.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{sim, timeout};
    ///
    /// sim::check(0..10, |network| async move {
    ///     let _listener = network.host("server").listen(80).unwrap();
    ///     let client = network.host("client");
    ///     network.partition("client", "server");
    ///     let outcome = timeout(Duration::from_secs(60), client.connect("server", 80)).await;
    ///     assert!(outcome.is_err());
    /// });
    /// ```
    pub fn partition(&self, one: &str, other: &str) {
        self.note(|| format!("{one} | {other}"));
        self.shared.partitions.borrow_mut().insert(pair(one, other));
    }

    /// Ends what [`partition`](Self::partition) began.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{now, sim, sleep, spawn};
    ///
    /// sim::check(0..10, |network| async move {
    ///     let _listener = network.host("server").listen(80).unwrap();
    ///     let client = network.host("client");
    ///     network.partition("client", "server");
    ///     let began = now();
    ///     spawn(async move {
    ///         sleep(Duration::from_secs(60)).await;
    ///         network.heal("client", "server");
    ///     });
    ///     client.connect("server", 80).await.unwrap();
    ///     assert_eq!((now() - began).as_secs(), 60);
    /// });
    /// ```
    pub fn heal(&self, one: &str, other: &str) {
        self.note(|| format!("{one} - {other}"));
        self.shared
            .partitions
            .borrow_mut()
            .remove(&pair(one, other));
        let torn = mem::take(&mut *self.shared.torn.borrow_mut());
        torn.into_iter().for_each(TaskWaker::wake);
    }

    /// Breaks all streams between two hosts: both ends find them reset.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::AsyncReadExt;
    /// use roundel::sim;
    ///
    /// sim::check(0..10, |network| async move {
    ///     let _listener = network.host("server").listen(80).unwrap();
    ///     let mut stream = network.host("client").connect("server", 80).await.unwrap();
    ///     network.reset("client", "server");
    ///     let error = stream.read(&mut [0; 16]).await.unwrap_err();
    ///     assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// });
    /// ```
    pub fn reset(&self, one: &str, other: &str) {
        self.note(|| format!("{one} / {other}"));
        let links: Vec<_> = self
            .shared
            .links
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for link in links.iter().filter(|link| link.is_between(one, other)) {
            link.reset();
        }
    }

    /// Returns what has happened so far, in words: equal for two runs with the same seed.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::sim;
    ///
    /// sim::check(0..10, |network| async move {
    ///     let socket = network.host("client").bind(5000).unwrap();
    ///     socket.send_to(b"hello", "server", 53);
    ///     assert_eq!(network.log(), ["     0.000 ms  client:5000 ~ server:53 hello"]);
    /// });
    /// ```
    pub fn log(&self) -> Vec<String> {
        self.shared.log.borrow().clone()
    }

    fn note(&self, describe: impl FnOnce() -> String) {
        let time = crate::program::try_now().map_or(Duration::ZERO, |now| now - Instant::ZERO);
        let line = format!("{:>10.3} ms  {}", time.as_secs_f64() * 1e3, describe());
        self.shared.log.borrow_mut().push(line);
    }

    /// Draws how long it takes until something arrives that is sent again if it is lost.
    fn delay(&self) -> Duration {
        let mut delay = self.draw_latency();
        let mut pause = RETRANSMISSION;
        while self.is_lost() {
            delay += pause;
            pause *= 2;
        }
        delay
    }

    fn draw_latency(&self) -> Duration {
        let range = self.shared.latency.borrow().clone();
        let width = range.end().saturating_sub(*range.start()).as_nanos();
        let width = usize::try_from(width).unwrap_or(usize::MAX - 1) + 1;
        let nanoseconds = u64::try_from(self.shared.random.below(width)).unwrap_or(0);
        *range.start() + Duration::from_nanos(nanoseconds)
    }

    fn is_lost(&self) -> bool {
        let loss = self.shared.loss.get();
        loss > 0 && self.shared.random.next() < loss
    }

    /// Draws how many of `count` things are taken at once: one at least.
    fn some_of(&self, count: usize) -> usize {
        self.shared.random.below(count) + 1
    }

    fn is_torn(&self, one: &Name, other: &Name) -> bool {
        let partitions = self.shared.partitions.borrow();
        !partitions.is_empty() && partitions.contains(&pair(one, other))
    }

    fn wait_for_healing(&self, waker: TaskWaker) {
        let mut torn = self.shared.torn.borrow_mut();
        if !torn.iter().any(|known| known.will_wake(&waker)) {
            torn.push(waker);
        }
    }

    fn port(&self) -> u16 {
        let port = self.shared.next_port.get();
        self.shared
            .next_port
            .set(port.checked_add(1).unwrap_or(49_152));
        port
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("partitions", &self.shared.partitions.borrow())
            .finish_non_exhaustive()
    }
}

/// Returns two names in order, since a partition has no direction.
fn pair(one: &str, other: &str) -> (Name, Name) {
    let (first, last) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    (first.into(), last.into())
}

/// A host of a [`Network`]: what a program that runs there can do.
///
/// # Examples
///
/// ```
/// use roundel::sim::{self, Host};
///
/// async fn program(client: Host) {
///     assert!(client.connect("server", 80).await.is_ok());
/// }
///
/// sim::check(0..10, |network| async move {
///     let _listener = network.host("server").listen(80).unwrap();
///     program(network.host("client")).await;
/// });
/// ```
#[derive(Clone, Debug)]
pub struct Host {
    network: Network,
    name: Name,
}

impl Host {
    /// Returns the host's name.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(roundel::sim::Network::new(0).host("server").name(), "server");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Listens for streams.
    ///
    /// # Errors
    ///
    /// Gives [`AddrInUse`](io::ErrorKind::AddrInUse) if somebody does so already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// let host = roundel::sim::Network::new(0).host("server");
    /// let listener = host.listen(80)?;
    /// assert_eq!(host.listen(80).unwrap_err().kind(), ErrorKind::AddrInUse);
    /// drop(listener);
    /// assert!(host.listen(80).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn listen(&self, port: u16) -> io::Result<Listener> {
        let (listener, backlog) = Listener::new();
        let mut listeners = self.network.shared.listeners.borrow_mut();
        take_port(&mut listeners, (self.name.clone(), port), backlog)?;
        Ok(listener)
    }

    /// Connects to who listens at a host, which takes the time of a way there and back.
    ///
    /// # Errors
    ///
    /// Gives [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nobody does.
    ///
    /// # Cancel safety
    ///
    /// A stream that has been accepted already ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// roundel::sim::check(0..10, |network| async move {
    ///     let outcome = network.host("client").connect("server", 80).await;
    ///     assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    ///     let _listener = network.host("server").listen(80).unwrap();
    ///     assert!(network.host("client").connect("server", 80).await.is_ok());
    /// });
    /// ```
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<Stream> {
        stream::connect(self, host.into(), port).await
    }

    /// Takes a port for datagrams.
    ///
    /// # Errors
    ///
    /// Gives [`AddrInUse`](io::ErrorKind::AddrInUse) if somebody has it already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// let host = roundel::sim::Network::new(0).host("server");
    /// let _socket = host.bind(53)?;
    /// assert_eq!(host.bind(53).unwrap_err().kind(), ErrorKind::AddrInUse);
    /// // Streams have ports of their own.
    /// assert!(host.listen(53).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(&self, port: u16) -> io::Result<Socket> {
        let (socket, mailbox) = Socket::new(self, port);
        let mut mailboxes = self.network.shared.mailboxes.borrow_mut();
        take_port(&mut mailboxes, (self.name.clone(), port), mailbox)?;
        Ok(socket)
    }
}

/// Enters who has a port, unless somebody has it who is still there.
fn take_port<T>(
    ports: &mut BTreeMap<(Name, u16), Weak<T>>,
    port: (Name, u16),
    owner: Weak<T>,
) -> io::Result<()> {
    if ports
        .get(&port)
        .is_some_and(|owner| owner.strong_count() > 0)
    {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    ports.insert(port, owner);
    Ok(())
}

/// Returns when something arrives that is sent now, and takes so long.
fn arrival(delay: Duration) -> Instant {
    now() + delay
}
