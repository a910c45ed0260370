//! monoio, on io_uring and on epoll. It has no queue, no lock and no event of its own.

use std::path::Path;
use std::time::Duration;

use monoio::io::{AsyncReadRentExt, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};

use crate::runtimes::{Runtime, async_channel_queue};

/// monoio with its io_uring driver.
#[derive(Default)]
pub struct Monoio;

/// monoio with its driver for systems without io_uring.
#[derive(Default)]
pub struct MonoioEpoll;

macro_rules! monoio {
    ($name:ident, $driver:ident) => {
        impl Runtime for $name {
            type Stream = TcpStream;
            /// The file, and how much of it has been read.
            type File = (monoio::fs::File, u64);

            fn run<F: Future + 'static>(program: F) -> F::Output {
                monoio::RuntimeBuilder::<monoio::$driver>::new()
                    .enable_timer()
                    .build()
                    .unwrap()
                    .block_on(async { monoio::spawn(program).await })
            }

            fn spawn<F: Future + 'static>(future: F) -> impl Future<Output = F::Output> + 'static {
                monoio::spawn(future)
            }

            fn yield_now() -> impl Future<Output = ()> {
                smol::future::yield_now()
            }

            fn sleep(duration: Duration) -> impl Future<Output = ()> {
                monoio::time::sleep(duration)
            }

            async fn timeout<F: Future>(duration: Duration, future: F) -> bool {
                monoio::time::timeout(duration, future).await.is_ok()
            }

            async_channel_queue!();

            async fn connection() -> (Self::Stream, Self::Stream) {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let client = TcpStream::connect(address).await.unwrap();
                client.set_nodelay(true).unwrap();
                let server = listener.accept().await.unwrap().0;
                server.set_nodelay(true).unwrap();
                (client, server)
            }

            async fn write(stream: &mut Self::Stream, bytes: Vec<u8>) -> Vec<u8> {
                let (result, bytes) = stream.write_all(bytes).await;
                result.unwrap();
                bytes
            }

            async fn read(stream: &mut Self::Stream, buffer: Vec<u8>) -> Vec<u8> {
                let (result, buffer) = stream.read_exact(buffer).await;
                result.unwrap();
                buffer
            }

            async fn open(path: &Path) -> Self::File {
                (monoio::fs::File::open(path).await.unwrap(), 0)
            }

            async fn read_file((file, read): &mut Self::File, buffer: Vec<u8>) -> Vec<u8> {
                let (result, buffer) = file.read_exact_at(buffer, *read).await;
                result.unwrap();
                *read += buffer.len() as u64;
                buffer
            }
        }
    };
}

monoio!(Monoio, IoUringDriver);
monoio!(MonoioEpoll, LegacyDriver);
