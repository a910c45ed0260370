//! The ways to receive and send that there are, and connections.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures_lite::future::zip;
use roundel::net::{TcpListener, TcpStream};
use roundel::{Clock, Order, Runner, StreamAccess};

/// The ways to go by here: a ring may not be had.
pub(crate) fn ways() -> Vec<StreamAccess> {
    let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).expect("descriptors");
    let ring = runner.set_stream_access(StreamAccess::Ring);
    let ring = ring.is_ok().then_some(StreamAccess::Ring);
    ring.into_iter().chain([StreamAccess::Poller]).collect()
}

pub(crate) fn runner(access: StreamAccess) -> Runner {
    let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).expect("descriptors");
    runner.set_stream_access(access).expect("a way");
    runner
}

/// Runs a program each way.
pub(crate) fn each_way<F: Future + 'static>(mut program: impl FnMut() -> F) {
    for access in ways() {
        runner(access).run(program()).expect("no deadlock");
    }
}

pub(crate) async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_address().expect("an address");
    let accept = async move { listener.accept().await.expect("a server").0 };
    let (client, server) = zip(TcpStream::connect(address), accept).await;
    (client.expect("a client"), server)
}

/// Polls a future once.
pub(crate) async fn begin<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match pin!(&mut *future).poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
