//! A producer and a consumer again, but here the consumer sets the pace.
//!
//! The producer waits until what it has put is consumed; the consumer takes two seconds over each
//! message.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints"
)]

mod arguments;

use std::cell::{Cell, OnceCell};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use roundel::{Error, Queue, gather, sleep};

const END: &str = "[End of input]";

struct Producer {
    queue: OnceCell<Rc<Queue<String>>>,
    is_running: Cell<bool>,
}

impl Producer {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            queue: OnceCell::new(),
            is_running: Cell::new(true),
        })
    }

    async fn run(self: Rc<Self>) -> Result<(), Error> {
        let queue = self.queue.get().expect("the consumer has opened it");
        for number in 1.. {
            if !self.is_running.get() {
                break;
            }
            queue.put(format!("Round {number}")).await?;
            queue.join().await;
        }
        queue.put(END.to_owned()).await?;
        Ok(())
    }

    async fn stop(self: Rc<Self>, timeout: Duration) {
        sleep(timeout).await;
        self.is_running.set(false);
    }
}

struct Consumer {
    queue: Rc<Queue<String>>,
}

impl Consumer {
    fn new(producer: &Producer) -> Self {
        let queue = producer.queue.get_or_init(|| Rc::new(Queue::unbounded()));
        Self {
            queue: Rc::clone(queue),
        }
    }

    async fn run(self) -> Result<(), Error> {
        loop {
            let message = self.queue.get().await?;
            println!("{message}");
            if message == END {
                return Ok(());
            }
            sleep(Duration::from_secs(2)).await;
            self.queue.task_done();
        }
    }
}

async fn program() -> Result<(), Error> {
    let producer = Producer::new();
    let consumer = Consumer::new(&producer);
    let run = Rc::clone(&producer).run();
    let stop = producer.stop(Duration::from_secs(20));
    let (produced, consumed, ()) = gather!(run, consumer.run(), stop).await;
    produced.and(consumed)
}

fn main() -> ExitCode {
    arguments::run(program())
}
