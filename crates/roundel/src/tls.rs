//! TLS, by [rustls] (feature `tls`).
//!
//! [`TlsConnector`] and [`TlsAcceptor`] take any stream that implements the traits of [`futures_io`],
//! those of [`net`](crate::net) and of the simulated network among them, and give one that does so,
//! too. Which provider of cryptography rustls uses, and which certificates it trusts, is the program's
//! to say.
//!
//! ```no_run
//! use std::sync::Arc;
//! use futures_util::AsyncWriteExt;
//! use roundel::net::TcpStream;
//! use roundel::tls::{TlsConnector, rustls};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let roots = rustls::RootCertStore::empty();
//! let config = rustls::ClientConfig::builder()
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
//! roundel::run(async {
//!     let stream = TcpStream::connect("example.org:443").await?;
//!     let connector = TlsConnector::from(Arc::new(config));
//!     let mut stream = connector.connect("example.org".try_into()?, stream).await?;
//!     stream.write_all(b"GET / HTTP/1.0\r\nHost: example.org\r\n\r\n").await?;
//!     Ok(())
//! })
//! # }
//! ```

pub use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream, client, pki_types, rustls, server};
