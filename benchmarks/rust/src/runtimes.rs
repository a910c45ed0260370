//! The runtimes, behind one trait, each with primitives of its own.

use std::future::Future;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use roundel::{Clock, Order, Runner, StreamAccess};

/// A runtime for one thread and what its programs wait on.
pub trait Runtime: Default + 'static {
    type Queue<T: 'static>: Clone + 'static;
    type Stream: 'static;
    type File: 'static;

    fn run<F: Future + 'static>(program: F) -> F::Output;
    fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static;
    fn yield_now() -> impl Future<Output = ()>;
    fn sleep(duration: Duration) -> impl Future<Output = ()>;
    /// Gives whether `future` has been in time.
    fn timeout<F: Future>(duration: Duration, future: F) -> impl Future<Output = bool>;
    /// Runs the futures side by side, and gives all that they come to.
    fn gather<F: Future + 'static>(
        futures: impl Iterator<Item = F>,
    ) -> impl Future<Output = Vec<F::Output>> {
        let tasks: Vec<_> = futures.map(Self::spawn).collect();
        async {
            let mut results = Vec::with_capacity(tasks.len());
            for task in tasks {
                results.push(task.await);
            }
            results
        }
    }

    /// A queue for at most `limit` items; without a limit if that is 0.
    fn queue<T: 'static>(limit: usize) -> Self::Queue<T>;
    fn put<T: 'static>(queue: &Self::Queue<T>, item: T) -> impl Future<Output = ()>;
    fn get<T: 'static>(queue: &Self::Queue<T>) -> impl Future<Output = T>;

    /// Two ends of a TCP connection.
    fn connection() -> impl Future<Output = (Self::Stream, Self::Stream)>;
    /// Sends all of `bytes`. These and the buffers below are given away and come back, as a kernel
    /// needs it that completes operations by itself.
    fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> impl Future<Output = Vec<u8>>;
    /// Fills `buffer`.
    fn read(stream: &mut Self::Stream, buffer: Vec<u8>) -> impl Future<Output = Vec<u8>>;

    fn open(path: &Path) -> impl Future<Output = Self::File>;
    /// Fills `buffer` with what comes next in the file.
    fn read_file(file: &mut Self::File, buffer: Vec<u8>) -> impl Future<Output = Vec<u8>>;
}

/// What tasks of a runtime wait for each other by.
pub trait Locks: Runtime {
    type Event: Default + 'static;
    type Lock: Default + 'static;

    /// Lets whoever waits for the event, or will do so next, go on once.
    fn set(event: &Self::Event);
    fn wait(event: &Self::Event) -> impl Future<Output = ()>;

    /// Adds one to the value under the lock and yields while holding it.
    fn add_one(lock: &Self::Lock) -> impl Future<Output = ()>;
}

/// The queue of a runtime that brings none: async-channel's.
macro_rules! async_channel_queue {
    () => {
        type Queue<T: 'static> = (async_channel::Sender<T>, async_channel::Receiver<T>);

        fn queue<T: 'static>(limit: usize) -> Self::Queue<T> {
            match limit {
                0 => async_channel::unbounded(),
                limit => async_channel::bounded(limit),
            }
        }

        async fn put<T: 'static>(queue: &Self::Queue<T>, item: T) {
            assert!(queue.0.send(item).await.is_ok());
        }

        async fn get<T: 'static>(queue: &Self::Queue<T>) -> T {
            queue.1.recv().await.unwrap()
        }
    };
}

#[cfg(target_os = "linux")]
pub(crate) use async_channel_queue;

/// roundel, with a ring for connections where there is one, or without.
#[derive(Default)]
pub struct RoundelBy<const RING: bool>;

pub type Roundel = RoundelBy<true>;
#[cfg(target_os = "linux")]
pub type RoundelPolled = RoundelBy<false>;

impl<const RING: bool> Runtime for RoundelBy<RING> {
    type Queue<T: 'static> = Rc<roundel::Queue<T>>;
    type Stream = roundel::net::TcpStream;
    type File = roundel::fs::File;

    async fn open(path: &Path) -> Self::File {
        roundel::fs::File::open(path).await.unwrap()
    }

    async fn read_file(file: &mut Self::File, mut buffer: Vec<u8>) -> Vec<u8> {
        use smol::io::AsyncReadExt;
        file.read_exact(&mut buffer).await.unwrap();
        buffer
    }

    async fn connection() -> (Self::Stream, Self::Stream) {
        let listener = roundel::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap();
        let address = listener.local_address().unwrap();
        let client = roundel::net::TcpStream::connect(address).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    async fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> Vec<u8> {
        stream.write_all(&bytes).await.unwrap();
        bytes
    }

    async fn read(stream: &mut Self::Stream, mut buffer: Vec<u8>) -> Vec<u8> {
        stream.read_exact(&mut buffer).await.unwrap();
        buffer
    }

    fn run<F: Future + 'static>(program: F) -> F::Output {
        if RING {
            return roundel::run(program);
        }
        let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).unwrap();
        runner.set_stream_access(StreamAccess::Poller).unwrap();
        runner.run(program).unwrap()
    }

    fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static {
        let task = roundel::spawn(future);
        async { task.await.unwrap() }
    }

    fn yield_now() -> impl Future<Output = ()> {
        roundel::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        roundel::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> bool {
        roundel::timeout(duration, future).await.is_ok()
    }

    fn gather<F: Future + 'static>(
        futures: impl Iterator<Item = F>,
    ) -> impl Future<Output = Vec<F::Output>> {
        roundel::gather(futures)
    }

    fn queue<T: 'static>(limit: usize) -> Self::Queue<T> {
        Rc::new(match limit {
            0 => roundel::Queue::unbounded(),
            limit => roundel::Queue::bounded(limit),
        })
    }

    async fn put<T: 'static>(queue: &Self::Queue<T>, item: T) {
        assert!(queue.put(item).await.is_ok());
    }

    async fn get<T: 'static>(queue: &Self::Queue<T>) -> T {
        queue.get().await.unwrap()
    }
}

impl<const RING: bool> Locks for RoundelBy<RING> {
    type Event = roundel::Event;
    type Lock = roundel::Lock<u64>;

    fn set(event: &Self::Event) {
        event.set();
    }

    async fn wait(event: &Self::Event) {
        event.wait().await;
        event.clear();
    }

    async fn add_one(lock: &Self::Lock) {
        let mut value = lock.acquire().await;
        roundel::yield_now().await;
        *value += 1;
    }
}

/// tokio's current-thread scheduler, in the form that takes futures which are not `Send`.
#[derive(Default)]
pub struct Tokio;

/// tokio's `LocalSet` on its current-thread scheduler.
#[derive(Default)]
pub struct LocalSet;

/// What both of tokio's have in common.
macro_rules! tokio_primitives {
    () => {
        type Queue<T: 'static> = TokioQueue<T>;
        type Stream = tokio::net::TcpStream;
        type File = tokio::fs::File;

        async fn open(path: &Path) -> Self::File {
            tokio::fs::File::open(path).await.unwrap()
        }

        async fn read_file(file: &mut Self::File, mut buffer: Vec<u8>) -> Vec<u8> {
            use tokio::io::AsyncReadExt;
            file.read_exact(&mut buffer).await.unwrap();
            buffer
        }

        async fn connection() -> (Self::Stream, Self::Stream) {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = tokio::net::TcpStream::connect(address).await.unwrap();
            client.set_nodelay(true).unwrap();
            let server = listener.accept().await.unwrap().0;
            server.set_nodelay(true).unwrap();
            (client, server)
        }

        async fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> Vec<u8> {
            use tokio::io::AsyncWriteExt;
            stream.write_all(&bytes).await.unwrap();
            bytes
        }

        async fn read(stream: &mut Self::Stream, mut buffer: Vec<u8>) -> Vec<u8> {
            use tokio::io::AsyncReadExt;
            stream.read_exact(&mut buffer).await.unwrap();
            buffer
        }

        fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static {
            let task = tokio::task::spawn_local(future);
            async { task.await.unwrap() }
        }

        fn yield_now() -> impl Future<Output = ()> {
            tokio::task::yield_now()
        }

        fn sleep(duration: Duration) -> impl Future<Output = ()> {
            tokio::time::sleep(duration)
        }

        async fn timeout<F: Future>(duration: Duration, future: F) -> bool {
            tokio::time::timeout(duration, future).await.is_ok()
        }

        fn queue<T: 'static>(limit: usize) -> Self::Queue<T> {
            TokioQueue::new(limit)
        }

        async fn put<T: 'static>(queue: &Self::Queue<T>, item: T) {
            queue.put(item).await;
        }

        async fn get<T: 'static>(queue: &Self::Queue<T>) -> T {
            queue.get().await
        }
    };
}

macro_rules! tokio_locks {
    ($($runtime:ty)*) => {$(
        impl Locks for $runtime {
            type Event = tokio::sync::Notify;
            type Lock = tokio::sync::Mutex<u64>;

            fn set(event: &Self::Event) {
                event.notify_one();
            }

            async fn wait(event: &Self::Event) {
                event.notified().await;
            }

            async fn add_one(lock: &Self::Lock) {
                let mut value = lock.lock().await;
                tokio::task::yield_now().await;
                *value += 1;
            }
        }
    )*};
}

impl Runtime for Tokio {
    fn run<F: Future + 'static>(program: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default())
            .unwrap();
        runtime.block_on(async { tokio::task::spawn_local(program).await.unwrap() })
    }

    tokio_primitives!();
}

impl Runtime for LocalSet {
    fn run<F: Future + 'static>(program: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            tokio::task::spawn_local(program).await.unwrap()
        })
    }

    tokio_primitives!();
}

tokio_locks!(Tokio LocalSet);

/// tokio's two channels, of one consumer each.
pub enum TokioQueue<T> {
    Bounded(
        tokio::sync::mpsc::Sender<T>,
        Rc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<T>>>,
    ),
    Unbounded(
        tokio::sync::mpsc::UnboundedSender<T>,
        Rc<tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<T>>>,
    ),
}

impl<T> TokioQueue<T> {
    fn new(limit: usize) -> Self {
        if limit == 0 {
            let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
            Self::Unbounded(sender, Rc::new(tokio::sync::Mutex::new(receiver)))
        } else {
            let (sender, receiver) = tokio::sync::mpsc::channel(limit);
            Self::Bounded(sender, Rc::new(tokio::sync::Mutex::new(receiver)))
        }
    }

    async fn put(&self, item: T) {
        let is_put = match self {
            Self::Bounded(sender, _) => sender.send(item).await.is_ok(),
            Self::Unbounded(sender, _) => sender.send(item).is_ok(),
        };
        assert!(is_put);
    }

    async fn get(&self) -> T {
        match self {
            Self::Bounded(_, receiver) => receiver.try_lock().unwrap().recv().await.unwrap(),
            Self::Unbounded(_, receiver) => receiver.try_lock().unwrap().recv().await.unwrap(),
        }
    }
}

impl<T> Clone for TokioQueue<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Bounded(sender, receiver) => Self::Bounded(sender.clone(), Rc::clone(receiver)),
            Self::Unbounded(sender, receiver) => {
                Self::Unbounded(sender.clone(), Rc::clone(receiver))
            }
        }
    }
}

/// smol's executor for one thread.
#[derive(Default)]
pub struct Smol;

thread_local! {
    static EXECUTOR: &'static smol::LocalExecutor<'static> =
        Box::leak(Box::new(smol::LocalExecutor::new()));
}

/// A flag that lets one waiter go on.
#[derive(Default)]
pub struct SmolEvent {
    is_set: std::cell::Cell<bool>,
    event: event_listener::Event,
}

impl Runtime for Smol {
    type Stream = smol::net::TcpStream;
    type File = smol::fs::File;

    async fn open(path: &Path) -> Self::File {
        smol::fs::File::open(path).await.unwrap()
    }

    async fn read_file(file: &mut Self::File, mut buffer: Vec<u8>) -> Vec<u8> {
        use smol::io::AsyncReadExt;
        file.read_exact(&mut buffer).await.unwrap();
        buffer
    }

    async fn connection() -> (Self::Stream, Self::Stream) {
        let listener = smol::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = smol::net::TcpStream::connect(address).await.unwrap();
        client.set_nodelay(true).unwrap();
        let server = listener.accept().await.unwrap().0;
        server.set_nodelay(true).unwrap();
        (client, server)
    }

    async fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> Vec<u8> {
        use smol::io::AsyncWriteExt;
        stream.write_all(&bytes).await.unwrap();
        bytes
    }

    async fn read(stream: &mut Self::Stream, mut buffer: Vec<u8>) -> Vec<u8> {
        use smol::io::AsyncReadExt;
        stream.read_exact(&mut buffer).await.unwrap();
        buffer
    }

    fn run<F: Future + 'static>(program: F) -> F::Output {
        let executor = EXECUTOR.with(|executor| *executor);
        smol::block_on(executor.run(executor.spawn(program)))
    }

    fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }

    async fn sleep(duration: Duration) {
        smol::Timer::after(duration).await;
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> bool {
        let in_time = async {
            future.await;
            true
        };
        let too_late = async {
            smol::Timer::after(duration).await;
            false
        };
        smol::future::or(in_time, too_late).await
    }

    async_channel_queue!();
}

impl Locks for Smol {
    type Event = SmolEvent;
    type Lock = smol::lock::Mutex<u64>;

    fn set(event: &Self::Event) {
        event.is_set.set(true);
        event.event.notify(1);
    }

    async fn wait(event: &Self::Event) {
        while !event.is_set.replace(false) {
            let listener = event.event.listen();
            if event.is_set.replace(false) {
                return;
            }
            listener.await;
        }
    }

    async fn add_one(lock: &Self::Lock) {
        let mut value = lock.lock().await;
        smol::future::yield_now().await;
        *value += 1;
    }
}
