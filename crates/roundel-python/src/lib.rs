//! The extension module `roundel._roundel`: Python's tasks, futures and awaitables on roundel's dispatcher.
//!
//! ```text
//!   streams                       StreamReader, StreamWriter, on any transport
//!   combinators, queue, locks     gather, wait, Queue, Lock …: awaitables made of waiters
//!   transport                     what moves bytes between descriptors and protocols
//!   task, future, waiter, sleep   what a coroutine can wait for, and who steps it
//!   event_loop, handle, channel   the loop: one roundel::Dispatcher whose jobs are handles and steps
//!   hot                           Python objects as ordinary Rust; all unsafe code
//! ```
#![deny(unsafe_code)]

mod callback;
mod channel;
mod combinators;
mod coroutine;
mod current;
mod event_loop;
mod future;
mod future_iterator;
mod future_ref;
mod handle;
#[expect(unsafe_code, reason = "the typed layer over Python's C API")]
mod hot;
mod job;
mod locks;
mod loop_ref;
mod names;
mod queue;
mod raw_file;
mod sleep;
mod snapshot;
mod ssl;
mod streams;
mod task;
mod task_group;
mod timeout;
mod transport;
mod waiter;

use hot::{Module, Result};

/// Fills the new module. Called by [`hot`].
fn fill(module: &Module) -> Result<()> {
    names::load()?;
    module
        .class::<handle::Handle>()?
        .class::<handle::TimerHandle>()?;
    module.class::<event_loop::EventLoop>()?;
    module.class::<future::Future>()?.class::<task::Task>()?;
    future::register(module)?;
    module
        .class::<future_iterator::FutureIterator>()?
        .class::<waiter::Waiter>()?
        .class::<waiter::WaitersView>()?;
    sleep::register(module)?;
    event_loop::register(module)?;
    transport::register(module)?;
    module
        .hidden_class::<callback::Callback>()?
        .hidden_class::<channel::Channel>()?
        .hidden_class::<snapshot::Snapshot>()?;
    combinators::register(module)?;
    timeout::register(module)?;
    task_group::register(module)?;
    locks::register(module)?;
    queue::register(module)?;
    streams::register(module)?;
    ssl::register(module)?;
    module.class::<raw_file::RawFile>()?;
    Ok(())
}
