//! TLS over sockets and over the network in memory, with a certificate for tests only.

use std::io;
use std::sync::Arc;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use roundel::net::UnixStream;
use roundel::tls::pki_types::pem::PemObject;
use roundel::tls::pki_types::{CertificateDer, PrivateKeyDer};
use roundel::tls::{TlsAcceptor, TlsConnector, rustls};
use roundel::{gather, run, sim};

fn configured() -> (TlsAcceptor, TlsConnector) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/certificate.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem"));
    let certificate = certificate.expect("a certificate");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.expect("a key"))
        .expect("a pair");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

async fn echo<S>(acceptor: TlsAcceptor, stream: S) -> io::Result<()>
where
    S: futures_util::AsyncRead + futures_util::AsyncWrite + Unpin,
{
    let mut stream = acceptor.accept(stream).await?;
    let mut bytes = vec![0; 100_000];
    stream.read_exact(&mut bytes).await?;
    stream.write_all(&bytes).await?;
    stream.close().await
}

async fn ask<S>(connector: TlsConnector, stream: S, name: &'static str) -> io::Result<()>
where
    S: futures_util::AsyncRead + futures_util::AsyncWrite + Unpin,
{
    let name = name.try_into().expect("a name");
    let mut stream = connector.connect(name, stream).await?;
    let sent: Vec<u8> = (0..100_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    stream.write_all(&sent).await?;
    stream.flush().await?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await?;
    assert!(received == sent);
    Ok(())
}

#[test]
fn a_socket_can_be_encrypted() {
    run(async {
        let (acceptor, connector) = configured();
        let (one, other) = UnixStream::pair().unwrap();
        let (echoed, asked) = gather!(echo(acceptor, one), ask(connector, other, "server")).await;
        echoed.unwrap();
        asked.unwrap();
    });
}

#[test]
fn a_wrong_name_is_refused() {
    run(async {
        let (acceptor, connector) = configured();
        let (one, other) = UnixStream::pair().unwrap();
        let (echoed, asked) = gather!(echo(acceptor, one), ask(connector, other, "another")).await;
        assert!(echoed.is_err());
        assert!(asked.unwrap_err().to_string().contains("certificate"));
    });
}

#[test]
fn an_unsteady_network_can_be_encrypted_too() {
    sim::check(0..10, |network| async move {
        network.set_loss(0.1);
        let (acceptor, connector) = configured();
        let (server, client) = (network.host("server"), network.host("client"));
        let mut listener = server.listen(443).unwrap();
        let serve = async move { echo(acceptor, listener.accept().await.0).await };
        let connect = async move {
            let stream = client.connect("server", 443).await?;
            ask(connector, stream, "server").await
        };
        let (served, asked) = gather!(serve, connect).await;
        served.unwrap();
        asked.unwrap();
    });
}
