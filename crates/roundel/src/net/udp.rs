//! UDP: datagrams.

use std::io;
use std::net::{self, SocketAddr};

use super::addresses::Addresses;
use super::watched::Watched;

/// A socket for datagrams.
///
/// # Examples
///
/// ```
/// use roundel::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let receiver = UdpSocket::bind("127.0.0.1:0").await?;
///     let sender = UdpSocket::bind("127.0.0.1:0").await?;
///     sender.send_to(b"hello", receiver.local_address()?).await?;
///     let mut buffer = [0; 16];
///     let (count, from) = receiver.receive_from(&mut buffer).await?;
///     assert_eq!((&buffer[..count], from), (&b"hello"[..], sender.local_address()?));
///     Ok(())
/// })
/// # }
/// ```
///
/// Source: `loop.create_datagram_endpoint`.
#[derive(Debug)]
pub struct UdpSocket {
    io: Watched<net::UdpSocket>,
}

impl UdpSocket {
    /// Makes a socket at the first of the addresses that is free.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     assert!(socket.local_address()?.ip().is_loopback());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn bind(addresses: impl Addresses) -> io::Result<Self> {
        let socket = net::UdpSocket::bind(&*addresses.resolve().await?)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            io: Watched::new(socket),
        })
    }

    /// Has the socket send to, and receive from, the first of the addresses that can be had.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let stranger = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.connect(server.local_address()?).await?;
    ///     stranger.send_to(b"unasked", client.local_address()?).await?;
    ///     server.send_to(b"hello", client.local_address()?).await?;
    ///     let mut buffer = [0; 16];
    ///     let (count, from) = client.receive_from(&mut buffer).await?;
    ///     assert_eq!((&buffer[..count], from), (&b"hello"[..], server.local_address()?));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn connect(&self, addresses: impl Addresses) -> io::Result<()> {
        self.io.get_ref().connect(&*addresses.resolve().await?)
    }

    /// Sends a datagram to `address`.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// The datagram is sent whole or not at all.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let sender = UdpSocket::bind("127.0.0.1:0").await?;
    ///     assert_eq!(sender.send_to(b"hello", receiver.local_address()?).await?, 5);
    ///     assert_eq!(receiver.receive(&mut [0; 16]).await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.io
            .write_with(|socket| socket.send_to(bytes, address))
            .await
    }

    /// Receives a datagram, cut off at the end of the buffer, and gives its length and its sender.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let server = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let client = UdpSocket::bind("127.0.0.1:0").await?;
    ///     client.send_to(b"ping", server.local_address()?).await?;
    ///     let mut buffer = [0; 16];
    ///     let (count, from) = server.receive_from(&mut buffer).await?;
    ///     server.send_to(&buffer[..count], from).await?;
    ///     assert_eq!(client.receive(&mut buffer).await?, 4);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn receive_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.read_with(|socket| socket.recv_from(buffer)).await
    }

    /// Sends a datagram to where the socket is connected to.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// The datagram is sent whole or not at all.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let sender = UdpSocket::bind("127.0.0.1:0").await?;
    ///     sender.connect(receiver.local_address()?).await?;
    ///     assert_eq!(sender.send(b"hello").await?, 5);
    ///     assert_eq!(receiver.receive(&mut [0; 16]).await?, 5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.io.write_with(|socket| socket.send(bytes)).await
    }

    /// Receives a datagram from where the socket is connected to.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    ///     let sender = UdpSocket::bind("127.0.0.1:0").await?;
    ///     receiver.connect(sender.local_address()?).await?;
    ///     sender.send_to(b"hello", receiver.local_address()?).await?;
    ///     let mut buffer = [0; 4];
    ///     // What does not fit is gone.
    ///     assert_eq!(receiver.receive(&mut buffer).await?, 4);
    ///     assert_eq!(&buffer, b"hell");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.read_with(|socket| socket.recv(buffer)).await
    }

    /// Returns the address of this socket.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let socket = UdpSocket::bind("127.0.0.1:0").await?;
    ///     assert_ne!(socket.local_address()?.port(), 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }
}
