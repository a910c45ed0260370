//! Sockets and pipes that never block: receive, send, accept.
//!
//! Each function is one system call. What would block, or was interrupted before it began, is the
//! error [`WouldBlock`](io::ErrorKind::WouldBlock): the descriptor's owner tries again when it is told to.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, SocketAddrAny,
    SocketAddrUnix,
};

/// Sends without the signal for a closed connection.
#[cfg(not(target_vendor = "apple"))]
const QUIETLY: SendFlags = SendFlags::NOSIGNAL;

/// Here that is a matter of the socket, and the standard library sees to it for those it makes.
#[cfg(target_vendor = "apple")]
const QUIETLY: SendFlags = SendFlags::empty();

/// Who is at an end of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An internet address with its port.
    Internet(SocketAddr),
    /// A path in the file system, empty for a socket without a name.
    Path(Box<[u8]>),
    /// A name in Linux' abstract namespace, without the byte 0 before it.
    Abstract(Box<[u8]>),
    /// Some other family's, of which only the number is known.
    Other(u16),
}

impl Address {
    fn read(address: SocketAddrAny) -> Self {
        let family = address.address_family();
        if family == AddressFamily::UNIX {
            return Self::read_unix(address);
        }
        SocketAddr::try_from(address).map_or(Self::Other(family.as_raw()), Self::Internet)
    }

    fn read_unix(address: SocketAddrAny) -> Self {
        // No more than the family: a socket without a name.
        if usize::try_from(address.addr_len()).is_ok_and(|length| length <= size_of::<u16>()) {
            return Self::Path(Box::default());
        }
        let family = address.address_family().as_raw();
        SocketAddrUnix::try_from(address).map_or(Self::Other(family), |unix| {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            if let Some(name) = unix.abstract_name() {
                return Self::Abstract(name.into());
            }
            Self::Path(unix.path_bytes().unwrap_or_default().into())
        })
    }

    fn write(&self) -> io::Result<SocketAddrAny> {
        Ok(match self {
            Self::Internet(address) => SocketAddrAny::from(*address),
            Self::Path(path) => SocketAddrUnix::new(&**path)?.into(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Abstract(name) => SocketAddrUnix::new_abstract_name(name)?.into(),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Abstract(_) => return Err(Errno::AFNOSUPPORT.into()),
            Self::Other(_) => return Err(Errno::AFNOSUPPORT.into()),
        })
    }
}

/// What is not an error, but means "later".
fn outcome<T>(result: rustix::io::Result<T>) -> io::Result<T> {
    match result {
        Err(Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
        result => Ok(result?),
    }
}

/// Receives what has come, at most what fits; 0 bytes once the other side sends no more.
///
/// # Errors
///
/// Returns the operating system's error, like all functions here.
pub fn receive(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    outcome(net::recv(fd, buffer, RecvFlags::empty())).map(|(received, _)| received)
}

/// Receives like [`receive`], into memory that need not have been written before.
///
/// # Errors
///
/// See [`receive`].
pub fn receive_new(fd: impl AsFd, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let received = net::recv(fd, room, RecvFlags::empty());
    outcome(received).map(|((bytes, _), _)| bytes.len())
}

/// Says how many bytes have come and can be received.
///
/// # Errors
///
/// See [`receive`].
pub fn arrived(fd: impl AsFd) -> io::Result<usize> {
    let count = outcome(rustix::io::ioctl_fionread(fd))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Sends as much of `bytes` as the operating system takes, without the signal for a closed connection.
///
/// # Errors
///
/// See [`receive`].
pub fn send(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    outcome(net::send(fd, bytes, QUIETLY))
}

/// Sends as much of several pieces as the operating system takes, as if they were one.
///
/// # Errors
///
/// See [`receive`].
pub fn send_pieces(fd: impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut nothing = SendAncillaryBuffer::default();
    outcome(net::sendmsg(fd, pieces, &mut nothing, QUIETLY))
}

/// Receives one datagram, cut off at the buffer's end, and who sent it.
///
/// # Errors
///
/// See [`receive`].
pub fn receive_from(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<Address>)> {
    let (received, _, sender) = outcome(net::recvfrom(fd, buffer, RecvFlags::empty()))?;
    Ok((received, sender.map(Address::read)))
}

/// Sends one datagram to `address`.
///
/// # Errors
///
/// See [`receive`].
pub fn send_to(fd: impl AsFd, bytes: &[u8], address: &Address) -> io::Result<usize> {
    let address = address.write()?;
    outcome(net::sendto(fd, bytes, QUIETLY, &address))
}

/// Accepts a connection that has come, and says who it is from. It does not block nor outlive an `exec`.
///
/// # Errors
///
/// See [`receive`].
pub fn accept(fd: impl AsFd) -> io::Result<(OwnedFd, Option<Address>)> {
    let (accepted, peer) = outcome(accept_nonblocking(fd))?;
    Ok((accepted, peer.map(Address::read)))
}

#[cfg(not(target_vendor = "apple"))]
fn accept_nonblocking(fd: impl AsFd) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    use rustix::net::SocketFlags;

    net::acceptfrom_with(fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
}

#[cfg(target_vendor = "apple")]
fn accept_nonblocking(fd: impl AsFd) -> rustix::io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let (accepted, peer) = net::acceptfrom(fd)?;
    rustix::io::ioctl_fioclex(&accepted)?;
    rustix::io::ioctl_fionbio(&accepted, true)?;
    net::sockopt::set_socket_nosigpipe(&accepted, true)?;
    Ok((accepted, peer))
}

/// Says whether a descriptor has something at present: a connection to accept, bytes, an end.
///
/// To try to accept where there is none costs as much as to accept one, as the system makes a socket first.
///
/// # Errors
///
/// See [`receive`].
pub fn is_readable(fd: impl AsFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    Ok(outcome(poll(&mut polled, Some(&Timespec::default())))? > 0)
}

/// Says whether an error is about the system, which has not enough descriptors or memory at present.
pub fn is_out_of_resources(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Says that no more will be sent.
///
/// # Errors
///
/// See [`receive`].
pub fn end_sending(fd: impl AsFd) -> io::Result<()> {
    Ok(net::shutdown(fd, Shutdown::Write)?)
}

/// Returns the address that a socket is bound to.
///
/// # Errors
///
/// See [`receive`].
pub fn local_address(fd: impl AsFd) -> io::Result<Address> {
    Ok(Address::read(net::getsockname(fd)?))
}

/// Has a TCP socket send small pieces at once; of no effect on others.
///
/// # Errors
///
/// See [`receive`].
pub fn send_at_once(fd: impl AsFd) -> io::Result<()> {
    Ok(net::sockopt::set_tcp_nodelay(fd, true)?)
}

/// Says whether a TCP socket sends small pieces at once.
///
/// # Errors
///
/// See [`receive`].
pub fn sends_at_once(fd: impl AsFd) -> io::Result<bool> {
    Ok(net::sockopt::tcp_nodelay(fd)?)
}

/// Reads what has come through a pipe or the like; 0 bytes once all its writers have gone.
///
/// # Errors
///
/// See [`receive`].
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    outcome(rustix::io::read(fd, buffer))
}

/// Writes as much into a pipe or the like as it takes.
///
/// # Errors
///
/// See [`receive`].
pub fn write(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    outcome(rustix::io::write(fd, bytes))
}

/// Writes as much of several pieces into a pipe or the like as it takes, as if they were one.
///
/// # Errors
///
/// See [`receive`].
pub fn write_pieces(fd: impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    outcome(rustix::io::writev(fd, pieces))
}

/// Receives what has come through a socket that somebody else owns and that may block: this does not.
///
/// # Errors
///
/// See [`receive`].
pub fn try_receive(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    let received = net::recv(lend(fd)?, buffer, RecvFlags::DONTWAIT);
    outcome(received).map(|(received, _)| received)
}

/// Sends as much of `bytes` over such a socket as the operating system takes.
///
/// # Errors
///
/// See [`receive`].
pub fn try_send(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | QUIETLY;
    outcome(net::send(lend(fd)?, bytes, flags))
}

/// Returns those that have something at present, or have failed.
pub(crate) fn readable_among(fds: &[RawFd]) -> io::Result<Vec<RawFd>> {
    let mut polled = Vec::with_capacity(fds.len());
    for &fd in fds {
        polled.push(PollFd::from_borrowed_fd(lend(fd)?, PollFlags::IN));
    }
    if polled.is_empty() || outcome(poll(&mut polled, Some(&Timespec::default())))? == 0 {
        return Ok(Vec::new());
    }
    let found = fds.iter().zip(&polled);
    let found = found.filter(|(_, polled)| !polled.revents().is_empty());
    Ok(found.map(|(&fd, _)| fd).collect())
}

/// Lends a descriptor that a caller knows by number only.
fn lend<'a>(fd: RawFd) -> io::Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is not -1, and one system call alone gets to see it; to a number without an open
    // file behind it that answers EBADF, or POLLNVAL.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
