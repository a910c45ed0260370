//! An HTTP server and a client by hyper: `cargo run --features hyper --example http`.

#![allow(clippy::print_stdout, reason = "printing is what an example does")]

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use roundel::hyper::{Io, Timer};
use roundel::net::{TcpListener, TcpStream};
use roundel::{first_completed, gather, oneshot, task_group};

/// Serves connections until `stop` comes; those that are open then are closed.
async fn serve(listener: TcpListener, mut stop: oneshot::Receiver<()>) -> Result<(), hyper::Error> {
    let count = Rc::new(std::cell::Cell::new(0));
    task_group(async |group| {
        loop {
            first_completed! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let count = Rc::clone(&count);
                    let answer = service_fn(move |request: Request<Incoming>| {
                        count.set(count.get() + 1);
                        let text = format!("{} is request {}", request.uri(), count.get());
                        async { Ok::<_, Infallible>(Response::new(text)) }
                    });
                    group.spawn(async {
                        let mut builder = server::conn::http1::Builder::new();
                        let served = builder
                            .timer(Timer::new())
                            .serve_connection(Io::new(stream), answer)
                            .await;
                        // A client that goes away is no failure of the server's.
                        drop(served);
                        Ok(())
                    });
                },
                _ = &mut stop => break,
            }
        }
        group.cancel();
        Ok(())
    })
    .await
}

/// Asks for several paths by one connection.
async fn ask(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = client::conn::http1::handshake(Io::new(stream)).await?;
    let connection = roundel::spawn(connection);
    for path in ["/one", "/two"] {
        let request = Request::get(path)
            .header("Host", "localhost")
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let body = response.into_body().collect().await?.to_bytes();
        println!("{}", String::from_utf8_lossy(&body));
    }
    drop(sender);
    Ok(connection.await??)
}

fn main() -> Result<(), Box<dyn Error>> {
    roundel::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_address()?;
        let (stop, stopped) = oneshot::channel();
        let client = async move {
            let asked = ask(address).await;
            stop.send(()).ok();
            asked
        };
        let (served, asked) = gather!(serve(listener, stopped), client).await;
        served?;
        asked
    })
}
