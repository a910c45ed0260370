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
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixDatagram;
/// use roundel::socket::{self, Address};
///
/// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// assert_eq!(socket::local_address(&socket)?, Address::Internet(socket.local_addr()?));
/// let socket = UnixDatagram::unbound()?;
/// assert_eq!(socket::local_address(&socket)?, Address::Path(Box::default()));
/// # Ok::<(), std::io::Error>(())
/// ```
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
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use std::os::unix::net::UnixStream;
/// use roundel::socket;
///
/// let (one, other) = UnixStream::pair()?;
/// one.set_nonblocking(true)?;
/// let mut buffer = [0; 16];
/// assert_eq!(socket::receive(&one, &mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
/// socket::send(&other, b"hello")?;
/// assert_eq!(socket::receive(&one, &mut buffer)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn receive(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    outcome(net::recv(fd, buffer, RecvFlags::empty())).map(|(received, _)| received)
}

/// Receives like [`receive`], into memory that need not have been written before.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use roundel::socket;
///
/// let (one, other) = UnixStream::pair()?;
/// socket::send(&one, b"hello")?;
/// let mut bytes = Vec::with_capacity(16);
/// assert_eq!(socket::receive_new(&other, bytes.spare_capacity_mut())?, 5);
/// // SAFETY: so many have been received.
/// unsafe { bytes.set_len(5) };
/// assert_eq!(bytes, b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn receive_new(fd: impl AsFd, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let received = net::recv(fd, room, RecvFlags::empty());
    outcome(received).map(|((bytes, _), _)| bytes.len())
}

/// Says how many bytes have come and can be received.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use roundel::socket;
///
/// let (one, other) = UnixStream::pair()?;
/// assert_eq!(socket::arrived(&other)?, 0);
/// socket::send(&one, b"hello")?;
/// assert_eq!(socket::arrived(&other)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn arrived(fd: impl AsFd) -> io::Result<usize> {
    let count = outcome(rustix::io::ioctl_fionread(fd))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Sends as much of `bytes` as the operating system takes, without the signal for a closed connection.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use std::os::unix::net::UnixStream;
/// use roundel::socket;
///
/// let (one, other) = UnixStream::pair()?;
/// assert_eq!(socket::send(&one, b"hello")?, 5);
/// drop(other);
/// assert_eq!(socket::send(&one, b"hello").unwrap_err().kind(), ErrorKind::BrokenPipe);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    outcome(net::send(fd, bytes, QUIETLY))
}

/// Sends as much of several pieces as the operating system takes, as if they were one.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::{io::IoSlice, os::unix::net::UnixStream};
/// use roundel::socket;
///
/// let (one, other) = UnixStream::pair()?;
/// let pieces = [IoSlice::new(b"head, "), IoSlice::new(b"body")];
/// assert_eq!(socket::send_pieces(&one, &pieces)?, 10);
/// let mut buffer = [0; 10];
/// socket::receive(&other, &mut buffer)?;
/// assert_eq!(&buffer, b"head, body");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send_pieces(fd: impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut nothing = SendAncillaryBuffer::default();
    outcome(net::sendmsg(fd, pieces, &mut nothing, QUIETLY))
}

/// Receives one datagram, cut off at the buffer's end, and who sent it.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::net::UdpSocket;
/// use roundel::socket::{self, Address};
///
/// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// one.send_to(b"hello", other.local_addr()?)?;
/// let from = Address::Internet(one.local_addr()?);
/// assert_eq!(socket::receive_from(&other, &mut [0; 16])?, (5, Some(from)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn receive_from(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<Address>)> {
    let (received, _, sender) = outcome(net::recvfrom(fd, buffer, RecvFlags::empty()))?;
    Ok((received, sender.map(Address::read)))
}

/// Sends one datagram to `address`.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::net::UdpSocket;
/// use roundel::socket;
///
/// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// assert_eq!(socket::send_to(&one, b"hello", &socket::local_address(&other)?)?, 5);
/// assert_eq!(other.recv(&mut [0; 16])?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send_to(fd: impl AsFd, bytes: &[u8], address: &Address) -> io::Result<usize> {
    let address = address.write()?;
    outcome(net::sendto(fd, bytes, QUIETLY, &address))
}

/// Accepts a connection that has come, and says who it is from. It does not block nor outlive an `exec`.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use roundel::socket::{self, Address};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (_stream, from) = socket::accept(&listener)?;
/// assert_eq!(from, Some(Address::Internet(client.local_addr()?)));
/// # Ok::<(), std::io::Error>(())
/// ```
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
///
/// # Examples
///
/// ```
/// use roundel::socket;
///
/// let (reader, writer) = std::io::pipe()?;
/// assert!(!socket::is_readable(&reader)?);
/// drop(writer);
/// assert!(socket::is_readable(&reader)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn is_readable(fd: impl AsFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    Ok(outcome(poll(&mut polled, Some(&Timespec::default())))? > 0)
}

/// Says whether an error is about the system, which has not enough descriptors or memory at present.
///
/// # Examples
///
/// ```
/// use std::io::Error;
/// use roundel::socket::is_out_of_resources;
///
/// assert!(is_out_of_resources(&Error::from_raw_os_error(libc::EMFILE)));
/// assert!(!is_out_of_resources(&Error::from_raw_os_error(libc::EPIPE)));
/// ```
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
///
/// # Examples
///
/// ```
/// use std::os::unix::net::UnixStream;
/// use roundel::socket;
///
/// let (one, other) = UnixStream::pair()?;
/// socket::end_sending(&one)?;
/// assert_eq!(socket::receive(&other, &mut [0; 16])?, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn end_sending(fd: impl AsFd) -> io::Result<()> {
    Ok(net::shutdown(fd, Shutdown::Write)?)
}

/// Returns the address that a socket is bound to.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::net::TcpListener;
/// use roundel::socket::{self, Address};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// assert_eq!(socket::local_address(&listener)?, Address::Internet(listener.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn local_address(fd: impl AsFd) -> io::Result<Address> {
    Ok(Address::read(net::getsockname(fd)?))
}

/// Has a TCP socket send small pieces at once; of no effect on others.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use roundel::socket;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// socket::send_at_once(&stream)?;
/// assert!(stream.nodelay()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn send_at_once(fd: impl AsFd) -> io::Result<()> {
    Ok(net::sockopt::set_tcp_nodelay(fd, true)?)
}

/// Says whether a TCP socket sends small pieces at once.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use roundel::socket;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// assert!(!socket::sends_at_once(&stream)?);
/// stream.set_nodelay(true)?;
/// assert!(socket::sends_at_once(&stream)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn sends_at_once(fd: impl AsFd) -> io::Result<bool> {
    Ok(net::sockopt::tcp_nodelay(fd)?)
}

/// Reads what has come through a pipe or the like; 0 bytes once all its writers have gone.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use roundel::socket;
///
/// let (reader, writer) = std::io::pipe()?;
/// socket::write(&writer, b"hello")?;
/// assert_eq!(socket::read(&reader, &mut [0; 16])?, 5);
/// drop(writer);
/// assert_eq!(socket::read(&reader, &mut [0; 16])?, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    outcome(rustix::io::read(fd, buffer))
}

/// Writes as much into a pipe or the like as it takes.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use roundel::socket;
///
/// let (reader, writer) = std::io::pipe()?;
/// assert_eq!(socket::write(&writer, b"hello")?, 5);
/// assert_eq!(socket::read(&reader, &mut [0; 16])?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    outcome(rustix::io::write(fd, bytes))
}

/// Writes as much of several pieces into a pipe or the like as it takes, as if they were one.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::io::IoSlice;
/// use roundel::socket;
///
/// let (reader, writer) = std::io::pipe()?;
/// let pieces = [IoSlice::new(b"head, "), IoSlice::new(b"body")];
/// assert_eq!(socket::write_pieces(&writer, &pieces)?, 10);
/// assert_eq!(socket::read(&reader, &mut [0; 16])?, 10);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_pieces(fd: impl AsFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    outcome(rustix::io::writev(fd, pieces))
}

/// Receives what has come through a socket that somebody else owns and that may block: this does not.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use std::os::{fd::AsRawFd, unix::net::UnixStream};
/// use roundel::socket;
///
/// let (one, _other) = UnixStream::pair()?;
/// let outcome = socket::try_receive(one.as_raw_fd(), &mut [0; 16]);
/// assert_eq!(outcome.unwrap_err().kind(), ErrorKind::WouldBlock);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn try_receive(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    let received = net::recv(lend(fd)?, buffer, RecvFlags::DONTWAIT);
    outcome(received).map(|(received, _)| received)
}

/// Sends as much of `bytes` over such a socket as the operating system takes.
///
/// # Errors
///
/// See [`receive`].
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use std::os::{fd::AsRawFd, unix::net::UnixStream};
/// use roundel::socket;
///
/// let (one, _other) = UnixStream::pair()?;
/// // In the end nothing more fits.
/// let error = loop {
///     if let Err(error) = socket::try_send(one.as_raw_fd(), &[0; 4096]) { break error; }
/// };
/// assert_eq!(error.kind(), ErrorKind::WouldBlock);
/// # Ok::<(), std::io::Error>(())
/// ```
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
