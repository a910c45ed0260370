//! Networking: TCP, UDP and Unix sockets, names, and what streams are read with.
//!
//! ```text
//!   read(&mut buffer) ──▶ attempt ──would block──▶ Source: the task waits, the descriptor is watched
//!                            ▲                        │
//!                            └──────── woken ◀────────┘ event
//! ```
//!
//! Everything is tried before it is waited for. Once a connection has been waited for, the kernel receives small messages
//! for it, and sends what all tasks of a turn write, by one call, where there is `io_uring` (Linux 6.1); see
//! [`StreamAccess`](crate::StreamAccess). Sockets belong to the runtime that they were made in,
//! and implement the traits of [`futures_io`], so that what is written for these can use them.

mod addresses;
mod connected;
mod lines;
mod stream;
mod tcp;
mod udp;
mod unix;
mod watched;

pub use addresses::{Addresses, resolve};
pub use lines::{Lines, copy, lines};
pub use stream::{ReadHalf, WriteHalf};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use unix::{UnixListener, UnixStream};
pub use watched::Watched;
