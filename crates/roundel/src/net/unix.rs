//! Unix sockets: connections by a path in the file system.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::path::Path;

use super::connected::Connected;
use super::stream::stream;
use super::watched::Watched;
use crate::socket;
use crate::sys;

stream! {
    /// A connection by a Unix socket; used as a [`TcpStream`](super::TcpStream) is.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     one.write_all(b"hello").await?;
    ///     let mut buffer = [0; 5];
    ///     other.read_exact(&mut buffer).await?;
    ///     assert_eq!(&buffer, b"hello");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// Source: `asyncio.open_unix_connection`.
    UnixStream of net::UnixStream
}

impl UnixStream {
    /// Connects to who listens at `path`.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let socket = Watched::new(net::UnixStream::from(sys::connect_unix(path.as_ref())?));
        socket.writable().await?;
        match socket.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(Self {
                io: Connected::new(socket),
            }),
        }
    }

    /// Returns two ends that are connected with each other.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((one.try_into()?, other.try_into()?))
    }

    /// Says that no more will be sent.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.io.get_ref().shutdown(Shutdown::Write)
    }
}

impl TryFrom<net::UnixStream> for UnixStream {
    type Error = io::Error;

    fn try_from(stream: net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            io: Connected::new(Watched::new(stream)),
        })
    }
}

impl TryFrom<OwnedFd> for UnixStream {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        net::UnixStream::from(fd).try_into()
    }
}

/// Who accepts connections at a path: see [`UnixStream`].
///
/// The path stays in the file system when this is dropped.
///
/// Source: `asyncio.start_unix_server`.
#[derive(Debug)]
pub struct UnixListener {
    io: Watched<net::UnixListener>,
}

impl UnixListener {
    /// Listens at `path`, where nothing may be yet.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let listener = net::UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            io: Watched::new(listener),
        })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        let (fd, _) = self
            .io
            .read_with(|listener| socket::accept(listener))
            .await?;
        Ok(UnixStream {
            io: Connected::new(Watched::new(net::UnixStream::from(fd))),
        })
    }
}
