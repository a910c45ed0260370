//! Where to connect to, and how names become addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use crate::program::io_in_thread;

/// What stands for internet addresses: an address, or a name that has yet to be looked up.
///
/// # Examples
///
/// ```
/// use roundel::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let by_text = TcpListener::bind("127.0.0.1:0").await?;
///     let by_name = TcpListener::bind(("localhost", 0)).await?;
///     for listener in [by_text, by_name] {
///         assert!(listener.local_address()?.ip().is_loopback());
///     }
///     Ok(())
/// })
/// # }
/// ```
pub trait Addresses: sealed::Sealed {
    /// Returns the addresses. A name is looked up in another thread, a number is not looked up.
    #[doc(hidden)]
    fn resolve(self) -> impl Future<Output = io::Result<Vec<SocketAddr>>>;
}

mod sealed {
    pub trait Sealed {}
}

/// Looks a name up, and gives its addresses with `port`.
///
/// # Errors
///
/// Gives the resolver's error: for a name that is unknown, for instance.
///
/// # Cancel safety
///
/// The question is asked to its end in another thread, and the answer dropped.
///
/// # Examples
///
/// ```
/// use roundel::net::resolve;
///
/// roundel::run(async {
///     let addresses = resolve("localhost", 80).await?;
///     assert!(addresses.iter().all(|address| address.ip().is_loopback()));
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: `loop.getaddrinfo`.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    io_in_thread(move || (host, port).to_socket_addrs().map(Iterator::collect)).await
}

/// Says that addresses of a type need no looking up.
macro_rules! known {
    ($($type:ty),+) => {
        $(
            impl sealed::Sealed for $type {}
            impl Addresses for $type {
                async fn resolve(self) -> io::Result<Vec<SocketAddr>> {
                    Ok(self.to_socket_addrs()?.collect())
                }
            }
        )+
    };
}

known!(
    SocketAddr,
    &[SocketAddr],
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl sealed::Sealed for (&str, u16) {}
impl Addresses for (&str, u16) {
    async fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        resolve(self.0, self.1).await
    }
}

impl sealed::Sealed for &str {}
impl Addresses for &str {
    /// Takes the form `host:port`.
    async fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = self.parse() {
            return Ok(vec![address]);
        }
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "not of the form host:port");
        let (host, port) = self.rsplit_once(':').ok_or_else(wrong)?;
        resolve(host, port.parse().map_err(|_| wrong())?).await
    }
}

impl sealed::Sealed for &String {}
impl Addresses for &String {
    async fn resolve(self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().resolve().await
    }
}
