//! glommio, with primitives of its own.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use glommio::channels::local_channel::{self, LocalReceiver, LocalSender};
use glommio::io::BufferedFile;
use glommio::net::{TcpListener, TcpStream};
use glommio::sync::{RwLock, Semaphore};
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::runtimes::{Locks, Runtime};

#[derive(Default)]
pub struct Glommio;

/// A semaphore of none: to set it is to give it one, to wait is to take that.
pub struct Turn(Semaphore);

impl Default for Turn {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Runtime for Glommio {
    type Queue<T: 'static> = Rc<(LocalSender<T>, LocalReceiver<T>)>;
    type Stream = TcpStream;
    /// The file, and how much of it has been read.
    type File = (BufferedFile, u64);

    fn run<F: Future + 'static>(program: F) -> F::Output {
        glommio::LocalExecutorBuilder::default()
            .make()
            .unwrap()
            .run(program)
    }

    fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static {
        glommio::spawn_local(future)
    }

    async fn yield_now() {
        glommio::executor().yield_now().await;
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        glommio::timer::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> bool {
        let in_time = async {
            future.await;
            Ok(())
        };
        glommio::timer::timeout(duration, in_time).await.is_ok()
    }

    fn queue<T: 'static>(limit: usize) -> Self::Queue<T> {
        Rc::new(match limit {
            0 => local_channel::new_unbounded(),
            limit => local_channel::new_bounded(limit),
        })
    }

    async fn put<T: 'static>(queue: &Self::Queue<T>, item: T) {
        assert!(queue.0.send(item).await.is_ok());
    }

    async fn get<T: 'static>(queue: &Self::Queue<T>) -> T {
        queue.1.recv().await.unwrap()
    }

    async fn connection() -> (Self::Stream, Self::Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        client.set_nodelay(true).unwrap();
        let server = listener.accept().await.unwrap();
        server.set_nodelay(true).unwrap();
        (client, server)
    }

    async fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> Vec<u8> {
        stream.write_all(&bytes).await.unwrap();
        bytes
    }

    async fn read(stream: &mut Self::Stream, mut buffer: Vec<u8>) -> Vec<u8> {
        stream.read_exact(&mut buffer).await.unwrap();
        buffer
    }

    async fn open(path: &Path) -> Self::File {
        (BufferedFile::open(path).await.unwrap(), 0)
    }

    /// glommio reads into memory of its own, so that `buffer` only says how much.
    async fn read_file((file, read): &mut Self::File, buffer: Vec<u8>) -> Vec<u8> {
        let page = file.read_at(*read, buffer.len()).await.unwrap();
        assert_eq!(page.len(), buffer.len());
        *read += page.len() as u64;
        buffer
    }
}

impl Locks for Glommio {
    type Event = Turn;
    type Lock = RwLock<u64>;

    fn set(event: &Self::Event) {
        event.0.signal(1);
    }

    async fn wait(event: &Self::Event) {
        event.0.acquire(1).await.unwrap();
    }

    async fn add_one(lock: &Self::Lock) {
        let mut value = lock.write().await.unwrap();
        Self::yield_now().await;
        *value += 1;
    }
}
