//! hyper by the runtime's clock.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use roundel::hyper::{Io, Timer};
use roundel::{gather, now, sim, sleep};

async fn answer(_request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    sleep(Duration::from_secs(1)).await;
    Ok(Response::new("hello".to_owned()))
}

#[test]
fn a_server_times_out_by_the_virtual_clock_on_any_network() {
    sim::check(0..20, |network| async move {
        network.set_loss(0.05);
        let (host, client) = (network.host("server"), network.host("client"));
        let mut listener = host.listen(80).expect("a free port");
        let serve = async move {
            let (stream, _) = listener.accept().await;
            server::conn::http1::Builder::new()
                .timer(Timer::new())
                .header_read_timeout(Duration::from_secs(30))
                .serve_connection(Io::new(stream), service_fn(answer))
                .await
        };
        let ask = async move {
            let mut stream = client.connect("server", 80).await.expect("a server");
            let began = now();
            stream
                .write_all(b"GET / HTTP/1.1\r\n\r\n")
                .await
                .expect("a connection");
            let mut text = String::new();
            stream.read_to_string(&mut text).await.expect("an answer");
            (text, (now() - began).as_secs())
        };
        let (served, (text, seconds)) = gather!(serve, ask).await;
        assert!(served.is_err_and(|error| error.is_timeout()));
        assert!(text.ends_with("hello"), "{text}");
        // The answer takes a second, and then the next request does not come.
        assert!((31..40).contains(&seconds), "{seconds}");
    });
}
