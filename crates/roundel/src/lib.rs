//! A single-threaded dispatcher with asyncio's vocabulary.

#![deny(unsafe_code, missing_docs)]

#[cfg(not(unix))]
compile_error!("roundel needs epoll or kqueue");

pub mod dispatcher;
mod reactor;
mod sync;
#[expect(
    unsafe_code,
    reason = "system calls take descriptors by number and buffers by address"
)]
mod sys;

pub use dispatcher::{Clock, Dispatcher, Host, Inbox, Job, Order, Tracer};
