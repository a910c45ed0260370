//! The ways to receive and send that there are.

use std::future::Future;

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
