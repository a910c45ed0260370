//! TCP: connections, and who accepts them.

use std::io;
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;

use super::addresses::Addresses;
use super::connected::Connected;
use super::stream::stream;
use super::watched::Watched;
use crate::socket::{self, Address};
use crate::sys;

stream! {
    /// A TCP connection.
    ///
    /// Reading and writing take it by shared reference, so that one task may read while another one
    /// writes: `&stream` is a stream itself, and `Rc<TcpStream>` makes it one to share.
    /// [`into_split`](Self::into_split) gives halves that belong to different tasks. Small pieces are
    /// sent at once (`TCP_NODELAY`).
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::gather;
    /// use roundel::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let address = listener.local_address()?;
    ///     let client = async move {
    ///         let stream = TcpStream::connect(address).await?;
    ///         stream.write_all(b"hello").await?;
    ///         stream.shutdown_write()
    ///     };
    ///     let server = async move {
    ///         let (stream, _) = listener.accept().await?;
    ///         let mut text = String::new();
    ///         stream.read_to_string(&mut text).await?;
    ///         std::io::Result::Ok(text)
    ///     };
    ///     let (sent, text) = gather!(client, server).await;
    ///     assert_eq!(text?, "hello");
    ///     sent
    /// })
    /// # }
    /// ```
    ///
    /// Source: `asyncio.open_connection`.
    TcpStream of net::TcpStream
}

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// A name is looked up in another thread.
    ///
    /// # Errors
    ///
    /// Gives the error of the last address that was tried.
    ///
    /// # Cancel safety
    ///
    /// A connection that has not been made is not made any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let port = listener.local_address()?.port();
    ///     let stream = TcpStream::connect(("localhost", port)).await?;
    ///     assert_eq!(stream.peer_address()?.port(), port);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn connect(addresses: impl Addresses) -> io::Result<Self> {
        let mut outcome = Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "there is no address to connect to",
        ));
        for address in addresses.resolve().await? {
            outcome = Self::connect_one(address).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn connect_one(address: SocketAddr) -> io::Result<Self> {
        let socket = Watched::new(net::TcpStream::from(sys::connect_tcp(address)?));
        socket.writable().await?;
        if let Some(error) = socket.get_ref().take_error()? {
            return Err(error);
        }
        Self::from_socket(socket)
    }

    fn from_socket(socket: Watched<net::TcpStream>) -> io::Result<Self> {
        socket.get_ref().set_nodelay(true)?;
        Ok(Self {
            io: Connected::new(socket),
        })
    }

    /// Returns the address of this end.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let stream = TcpStream::connect(listener.local_address()?).await?;
    ///     let (_, from) = listener.accept().await?;
    ///     assert_eq!(stream.local_address()?, from);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Returns the address of the other end.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let stream = TcpStream::connect(listener.local_address()?).await?;
    ///     assert_eq!(stream.peer_address()?, listener.local_address()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }
}

impl TryFrom<net::TcpStream> for TcpStream {
    type Error = io::Error;

    /// Takes up a connection, which must be in the runtime's thread.
    fn try_from(stream: net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::from_socket(Watched::new(stream))
    }
}

impl TryFrom<OwnedFd> for TcpStream {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        net::TcpStream::from(fd).try_into()
    }
}

/// Who accepts TCP connections: see [`TcpStream`].
///
/// # Examples
///
/// ```
/// use roundel::net::{TcpListener, TcpStream, copy};
/// use roundel::spawn;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_address()?;
///     spawn(async move {
///         while let Ok((stream, _)) = listener.accept().await {
///             spawn(async move { copy(&stream, &stream).await });
///         }
///     });
///
///     let stream = TcpStream::connect(address).await?;
///     stream.write_all(b"hello").await?;
///     stream.shutdown_write()?;
///     let mut echo = String::new();
///     stream.read_to_string(&mut echo).await?;
///     assert_eq!(echo, "hello");
///     Ok(())
/// })
/// # }
/// ```
///
/// Source: `asyncio.start_server`.
#[derive(Debug)]
pub struct TcpListener {
    io: Watched<net::TcpListener>,
}

impl TcpListener {
    /// Listens at the first of the addresses that is free.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use roundel::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     // The operating system chooses a port that is free.
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let again = TcpListener::bind(listener.local_address()?).await;
    ///     assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn bind(addresses: impl Addresses) -> io::Result<Self> {
        let addresses = addresses.resolve().await?;
        net::TcpListener::bind(&*addresses)?.try_into()
    }

    /// Waits for a connection, and gives it with the address that it comes from.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error: too many open files, for instance. The connection waits.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_address()?).await?;
    ///     let (stream, from) = listener.accept().await?;
    ///     assert_eq!(from, client.local_address()?);
    ///     stream.write_all(b"hello").await?;
    ///     let mut buffer = [0; 5];
    ///     client.read_exact(&mut buffer).await?;
    ///     assert_eq!(&buffer, b"hello");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, peer) = self
            .io
            .read_with(|listener| socket::accept(listener))
            .await?;
        let Some(Address::Internet(address)) = peer else {
            return Err(io::ErrorKind::ConnectionAborted.into());
        };
        let stream = TcpStream::from_socket(Watched::new(net::TcpStream::from(fd)))?;
        Ok((stream, address))
    }

    /// Returns the address that this listens at.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     assert_ne!(listener.local_address()?.port(), 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }
}

impl TryFrom<net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            io: Watched::new(listener),
        })
    }
}

impl TcpStream {
    /// Says that no more will be sent.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error, if the connection is gone for instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0").await?;
    ///     let client = TcpStream::connect(listener.local_address()?).await?;
    ///     let (server, _) = listener.accept().await?;
    ///     client.shutdown_write()?;
    ///     // The other direction stays open.
    ///     assert_eq!(server.read(&mut [0; 16]).await?, 0);
    ///     server.write_all(b"bye").await?;
    ///     assert_eq!(client.read(&mut [0; 16]).await?, 3);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.io.get_ref().shutdown(Shutdown::Write)
    }
}
