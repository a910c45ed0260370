//! A chat: what one of the guests says, all the others read.
//!
//! `cargo run --example chat -- 127.0.0.1:7000` serves; with `--once` it plays a scene of three guests.
//! What they share needs no lock: nobody interrupts a task between two `.await`s.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use roundel::net::{TcpListener, TcpStream, lines};
use roundel::{Queue, first_completed, spawn, task_group};

/// How many lines a guest may be behind before the others don't wait for it any more.
const BACKLOG: usize = 100;

/// Who is here, with what is yet to be sent to them.
#[derive(Default)]
struct Room {
    guests: RefCell<BTreeMap<String, Rc<Queue<String>>>>,
}

impl Room {
    /// Tells everybody but `from`; who reads too slowly misses it.
    fn tell(&self, from: &str, text: &str) {
        for (name, queue) in &*self.guests.borrow() {
            if name != from {
                queue.try_put(format!("{from}: {text}\n")).ok();
            }
        }
    }

    async fn welcome(self: Rc<Self>, stream: TcpStream) -> io::Result<()> {
        let mut said = lines(&stream, 1_000);
        let Some(name) = said.next_line().await? else {
            return Ok(());
        };
        let queue = Rc::new(Queue::bounded(BACKLOG));
        self.guests
            .borrow_mut()
            .insert(name.clone(), Rc::clone(&queue));
        self.tell(&name, "hello");
        let outcome = loop {
            first_completed! {
                line = said.next_line() => match line {
                    Ok(Some(text)) => self.tell(&name, &text),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                },
                text = queue.get() => match text {
                    Ok(text) => stream.write_all(text.as_bytes()).await?,
                    Err(_) => unreachable!("nobody shuts the queue down"),
                },
            }
        };
        self.guests.borrow_mut().remove(&name);
        self.tell(&name, "bye");
        outcome
    }
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let room = Rc::<Room>::default();
    task_group(async |group| {
        loop {
            let (stream, _) = listener.accept().await?;
            let room = Rc::clone(&room);
            group.spawn(async move {
                // A guest whose connection breaks is gone, and that is all.
                room.welcome(stream).await.ok();
                Ok(())
            });
        }
    })
    .await
}

/// Three guests come one after the other; what the first one reads is printed.
async fn play(address: SocketAddr) -> io::Result<()> {
    let mut guests = Vec::new();
    for name in ["ann", "bob", "cid"] {
        let stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{name}\n").as_bytes()).await?;
        guests.push(lines(stream, 1_000));
        if name != "ann" {
            let line = guests[0].next_line().await?;
            println!("ann reads \"{}\"", line.unwrap_or_default());
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default();
    roundel::run(async move {
        let is_scene = address == "--once";
        let address = if is_scene { "127.0.0.1:0" } else { &address };
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_address()?;
        if is_scene {
            let server = spawn(serve(listener));
            play(address).await?;
            server.cancel();
            return Ok(());
        }
        println!("listening at {address}");
        serve(listener).await
    })
}
