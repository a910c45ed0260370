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
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{UnixListener, UnixStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("roundel-doc-unix-connect-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// roundel::run(async {
    ///     let listener = UnixListener::bind(&path)?;
    ///     let stream = UnixStream::connect(&path).await?;
    ///     assert_eq!(stream.get_ref().peer_addr()?.as_pathname(), Some(&*path));
    ///     std::fs::remove_file(path)
    /// })
    /// # }
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     one.write_all(b"ping").await?;
    ///     assert_eq!(other.read(&mut [0; 16]).await?, 4);
    ///     other.write_all(b"hello").await?;
    ///     assert_eq!(one.read(&mut [0; 16]).await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((one.try_into()?, other.try_into()?))
    }

    /// Says that no more will be sent.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let (one, other) = UnixStream::pair()?;
    ///     one.shutdown_write()?;
    ///     // The other direction stays open.
    ///     assert_eq!(other.read(&mut [0; 16]).await?, 0);
    ///     other.write_all(b"bye").await?;
    ///     assert_eq!(one.read(&mut [0; 16]).await?, 3);
    ///     Ok(())
    /// })
    /// # }
    /// ```
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
/// # Examples
///
/// ```
/// use roundel::net::{UnixListener, UnixStream, copy};
/// use roundel::spawn;
///
/// # fn main() -> std::io::Result<()> {
/// # let name = format!("roundel-doc-unix-listener-{}", std::process::id());
/// # let path = std::env::temp_dir().join(name);
/// roundel::run(async {
///     let listener = UnixListener::bind(&path)?;
///     spawn(async move {
///         while let Ok(stream) = listener.accept().await {
///             spawn(async move { copy(&stream, &stream).await });
///         }
///     });
///
///     let stream = UnixStream::connect(&path).await?;
///     stream.write_all(b"hello").await?;
///     let mut echo = [0; 5];
///     stream.read_exact(&mut echo).await?;
///     assert_eq!(&echo, b"hello");
///     std::fs::remove_file(path)
/// })
/// # }
/// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use roundel::net::UnixListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("roundel-doc-unix-bind-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// roundel::run(async {
    ///     drop(UnixListener::bind(&path)?);
    ///     // The path has stayed.
    ///     assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    ///     std::fs::remove_file(&path)?;
    ///     UnixListener::bind(&path)?;
    ///     std::fs::remove_file(path)
    /// })
    /// # }
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{UnixListener, UnixStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let name = format!("roundel-doc-unix-accept-{}", std::process::id());
    /// # let path = std::env::temp_dir().join(name);
    /// roundel::run(async {
    ///     let listener = UnixListener::bind(&path)?;
    ///     let client = UnixStream::connect(&path).await?;
    ///     let stream = listener.accept().await?;
    ///     stream.write_all(b"hello").await?;
    ///     assert_eq!(client.read(&mut [0; 16]).await?, 5);
    ///     std::fs::remove_file(path)
    /// })
    /// # }
    /// ```
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
