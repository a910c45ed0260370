//! A producer and a consumer, green threads in one thread of control, and a queue between them.
//!
//! Whoever has put something sleeps for two seconds, so that others may work. Twenty seconds later
//! the producer is stopped. With `--sequential` one is awaited after the other, which can't work.

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

use roundel::{Error, Queue, gather, sleep, yield_now};

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
            sleep(Duration::from_secs(2)).await;
            // Who wants to stop this at the same moment goes first, whatever the order.
            yield_now().await;
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
        let queue = producer.queue.get_or_init(|| Rc::new(Queue::bounded(1)));
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
        }
    }
}

async fn program(sequential: bool) -> Result<(), Error> {
    let producer = Producer::new();
    let consumer = Consumer::new(&producer);
    let run = Rc::clone(&producer).run();
    let stop = producer.stop(Duration::from_secs(20));
    if sequential {
        // Nobody consumes while the producer is awaited: its second put blocks for good.
        run.await?;
        consumer.run().await?;
        stop.await;
        return Ok(());
    }
    let (produced, consumed, ()) = gather!(run, consumer.run(), stop).await;
    produced.and(consumed)
}

fn main() -> ExitCode {
    arguments::run(program(arguments::has("--sequential")))
}
