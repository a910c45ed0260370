//! The operating system: the only system calls of the crate.
//!
//! Two backends stand behind the same names, chosen here and nowhere else: epoll with an eventfd,
//! and kqueue with a pipe.
//! A [`Poller`] tells which descriptors are ready, a [`Notifier`] makes it return from any thread.
//! Files are always ready and yet take their time: a [`Transfer`] says what to do to one, and a [`Ring`],
//! where there is one, has the kernel do it. A [`StreamRing`] has it receive and send for connections.

mod connect;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod eventfd;
mod fork;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod kqueue;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod no_uring;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod nowait;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod pages;
mod process;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod provided;
mod report;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod self_pipe;
mod signals;
pub mod socket;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod stream_ring;
mod transfer;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod uring;

pub(crate) use connect::{connect_tcp, connect_unix};
pub(crate) use process::{process_descriptor, set_nonblocking};
pub(crate) use signals::{SignalPipe, take_signal, watch_signal};

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use {
    epoll::{Events, Poller},
    eventfd::Notifier,
    nowait::{fill_now, read_now, write_now},
    stream_ring::{PIECE, StreamRing},
    uring::Ring,
};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use {
    kqueue::{Events, Poller},
    no_uring::{PIECE, Ring, StreamRing, fill_now, read_now, write_now},
    self_pipe::Notifier,
};

pub(crate) use fork::Generation;
pub(crate) use report::Report;
pub use transfer::Transfer;
pub(crate) use transfer::is_appended_to;

use std::os::fd::RawFd;

use rustix::time::{ClockId, clock_gettime};

/// How many events one wait takes from the operating system; the rest comes with the next one.
const EVENTS_PER_WAIT: usize = 1024;

/// The directions in which a descriptor is watched, or has become ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Interest {
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// A descriptor that has become ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) fd: RawFd,
    pub(crate) ready: Interest,
}

/// Returns the nanoseconds of the system's monotonic clock.
pub(crate) fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000_000_000 + nanoseconds
}
