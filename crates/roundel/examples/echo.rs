//! An echo server: `cargo run --example echo -- 127.0.0.1:7000`, and `nc 127.0.0.1 7000` to try it.
//!
//! It serves until it is interrupted by Ctrl-C. With `--once` it serves itself as a client and ends.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints"
)]

use std::io;

use roundel::net::{TcpListener, TcpStream, copy};
use roundel::{first_completed, signal, spawn, task_group};

/// Serves each connection in a task of its own, and ends all of them when the user interrupts.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let mut interrupts = signal::signals(signal::SIGINT)?;
    task_group(async |group| {
        loop {
            first_completed! {
                accepted = listener.accept() => {
                    let (stream, peer) = accepted?;
                    group.spawn(async move {
                        if let Err(error) = copy(&stream, &stream).await {
                            eprintln!("{peer}: {error}");
                        }
                        Ok(())
                    });
                },
                interrupted = interrupts.next() => {
                    interrupted?;
                    group.cancel();
                    return Ok(());
                },
            }
        }
    })
    .await
}

async fn ask(address: std::net::SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    stream.write_all(b"hello").await?;
    stream.shutdown_write()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    println!("{text}");
    Ok(())
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    roundel::run(async move {
        if address == "--once" {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_address()?;
            let server = spawn(serve(listener));
            ask(address).await?;
            server.cancel();
            return Ok(());
        }
        let listener = TcpListener::bind(&*address).await?;
        println!("listening at {}", listener.local_address()?);
        serve(listener).await
    })
}
