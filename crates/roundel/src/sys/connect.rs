//! Sockets that begin to connect, and do not wait for it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};

/// Makes a TCP socket that is about to be connected: when it can be written, it is or has failed.
pub(crate) fn connect_tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = stream_socket(family)?;
    begun(net::connect(&socket, &address))?;
    Ok(socket)
}

/// Makes a Unix socket that is about to be connected to `path`.
pub(crate) fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let socket = stream_socket(AddressFamily::UNIX)?;
    begun(net::connect(&socket, &SocketAddrUnix::new(path)?))?;
    Ok(socket)
}

#[cfg(not(target_vendor = "apple"))]
fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = net::SocketFlags::NONBLOCK | net::SocketFlags::CLOEXEC;
    Ok(net::socket_with(family, SocketType::STREAM, flags, None)?)
}

#[cfg(target_vendor = "apple")]
fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = net::socket(family, SocketType::STREAM, None)?;
    rustix::io::ioctl_fioclex(&socket)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// An interrupted attempt goes on in the background, too.
fn begun(outcome: rustix::io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(()),
        outcome => Ok(outcome?),
    }
}
