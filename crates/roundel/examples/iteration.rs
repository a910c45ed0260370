//! Three producers that are iterated over, and a consumer that goes round them.
//!
//! Each producer has a new message every four seconds; twenty seconds later they are stopped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints"
)]

mod arguments;

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use roundel::{Error, Instant, now, sleep, sleep_until, spawn, yield_now};

struct Producer {
    name: char,
    is_running: Cell<bool>,
}

impl Producer {
    fn new(name: char) -> Rc<Self> {
        Rc::new(Self {
            name,
            is_running: Cell::new(true),
        })
    }

    fn iterate(self: &Rc<Self>) -> Rounds {
        Rounds {
            producer: Rc::clone(self),
            number: 0,
            due: now(),
        }
    }

    fn stop(&self) {
        self.is_running.set(false);
    }
}

/// What comes of iterating over a producer.
struct Rounds {
    producer: Rc<Producer>,
    number: u32,
    due: Instant,
}

impl Rounds {
    async fn next(&mut self) -> Option<String> {
        sleep_until(self.due).await;
        // Who wants to stop this at the same moment goes first, whatever the order.
        yield_now().await;
        if !self.producer.is_running.get() {
            return None;
        }
        self.due += Duration::from_secs(4);
        self.number += 1;
        Some(format!("Round {}{}", self.producer.name, self.number))
    }
}

struct Consumer {
    rounds: Vec<Rounds>,
}

impl Consumer {
    fn new(producers: &[Rc<Producer>]) -> Self {
        Self {
            rounds: producers.iter().map(Producer::iterate).collect(),
        }
    }

    async fn run(mut self) {
        while !self.rounds.is_empty() {
            for mut producer in std::mem::take(&mut self.rounds) {
                if let Some(message) = producer.next().await {
                    println!("{message}");
                    self.rounds.push(producer);
                }
            }
        }
        println!("[End of input]");
    }
}

async fn program() -> Result<(), Error> {
    let producers = ['a', 'b', 'c'].map(Producer::new);
    let consumer = Consumer::new(&producers);
    for producer in producers {
        spawn(async move {
            sleep(Duration::from_secs(20)).await;
            producer.stop();
        });
    }
    consumer.run().await;
    Ok(())
}

fn main() -> ExitCode {
    arguments::run(program())
}
