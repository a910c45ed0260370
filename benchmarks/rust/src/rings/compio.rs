//! compio. It has no queue, no lock and no event of its own.

use std::path::Path;
use std::time::Duration;

use compio::BufResult;
use compio::io::{AsyncReadAtExt, AsyncReadExt, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};

use crate::runtimes::{Runtime, async_channel_queue};

/// compio with its io_uring driver.
#[derive(Default)]
pub struct Compio;

impl Runtime for Compio {
    type Stream = TcpStream;
    /// The file, and how much of it has been read.
    type File = (compio::fs::File, u64);

    fn run<F: Future + 'static>(program: F) -> F::Output {
        let runtime = compio::runtime::Runtime::new().unwrap();
        assert!(runtime.driver_type().is_iouring());
        runtime.block_on(async { compio::runtime::spawn(program).await.unwrap() })
    }

    fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static {
        let task = compio::runtime::spawn(future);
        async { task.await.unwrap() }
    }

    fn yield_now() -> impl Future<Output = ()> {
        smol::future::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        compio::time::sleep(duration)
    }

    async fn timeout<F: Future>(duration: Duration, future: F) -> bool {
        compio::time::timeout(duration, future).await.is_ok()
    }

    async_channel_queue!();

    async fn connection() -> (Self::Stream, Self::Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        client.set_nodelay(true).unwrap();
        let server = listener.accept().await.unwrap().0;
        server.set_nodelay(true).unwrap();
        (client, server)
    }

    async fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> Vec<u8> {
        let BufResult(result, bytes) = stream.write_all(bytes).await;
        result.unwrap();
        bytes
    }

    async fn read(stream: &mut Self::Stream, buffer: Vec<u8>) -> Vec<u8> {
        let BufResult(result, buffer) = stream.read_exact(buffer).await;
        result.unwrap();
        buffer
    }

    async fn open(path: &Path) -> Self::File {
        (compio::fs::File::open(path).await.unwrap(), 0)
    }

    async fn read_file((file, read): &mut Self::File, buffer: Vec<u8>) -> Vec<u8> {
        let BufResult(result, buffer) = file.read_exact_at(buffer, *read).await;
        result.unwrap();
        *read += buffer.len() as u64;
        buffer
    }
}
