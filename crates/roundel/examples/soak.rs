//! Random programs, one after the other, for as long as they are given: does the memory grow?
//!
//! `cargo run --release --features sim --example soak -- 600` takes ten minutes, and prints every
//! so many programs how much memory the process has. It fails if that has grown by a tenth since
//! the first tenth of the time.
//!
//! A run of ten minutes did 1,678,800 programs: after the first tenth of the time the process had
//! 747 pages, at the end 764.

#![allow(clippy::print_stdout, reason = "a program that prints")]
#![allow(clippy::disallowed_methods, reason = "the time it takes is real")]

use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{AsyncReadExt, AsyncWriteExt};
use roundel::sim::Network;
use roundel::{
    Clock, Error, Lock, Order, Queue, Runner, Semaphore, gather, oneshot, sleep, spawn, task_group,
    timeout, to_thread, yield_now,
};

/// Workers that take from a queue, share a lock and a few permits, and give up at any moment.
async fn work(seed: u64) {
    let queue = Rc::new(Queue::bounded(3));
    let shared = Rc::new((Lock::new(0_u64), Semaphore::new(2)));
    let outcome = task_group(async |group| {
        for number in 0..5 + seed % 5 {
            let (queue, shared) = (Rc::clone(&queue), Rc::clone(&shared));
            group.spawn(async move {
                while let Ok(item) = queue.get().await {
                    let _permit = shared.1.acquire().await;
                    let hurry = Duration::from_millis((seed ^ item) % 7);
                    let patient = timeout(hurry, async {
                        let mut sum = shared.0.acquire().await;
                        sleep(Duration::from_millis(item % 5)).await;
                        *sum += item;
                    });
                    if patient.await.is_err() && (seed + number).is_multiple_of(11) {
                        return Err(Error::Timeout);
                    }
                }
                Ok(())
            });
        }
        for item in 0..50 {
            queue.put(item).await?;
            if item % 10 == seed % 10 {
                yield_now().await;
            }
        }
        queue.shutdown();
        Ok(())
    });
    drop(outcome.await);
}

/// A client that may be cut off, a thread, and a task that nobody waits for.
async fn talk(network: Network, seed: u64) {
    network.set_latency(Duration::ZERO..=Duration::from_millis(50));
    network.set_loss(0.1);
    let mut listener = network.host("b").listen(1).expect("a free port");
    let server = spawn(async move {
        let (mut stream, _) = listener.accept().await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.map(|_| bytes.len())
    });
    let client = async {
        let mut stream = network.host("a").connect("b", 1).await?;
        stream.write_all(&[7; 10_000]).await?;
        stream.close().await
    };
    drop(timeout(Duration::from_millis(seed % 3_000), client).await);
    let (sender, receiver) = oneshot::channel();
    drop(spawn(
        async move { sender.send(to_thread(move || seed).await) },
    ));
    drop(gather!(receiver, timeout(Duration::from_secs(9), server)).await);
}

/// Returns how much memory the process has, in pages.
fn pages() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm.split(' ').nth(1);
    resident.and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

fn main() -> ExitCode {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|argument| argument.parse().ok());
    let span = Duration::from_secs(seconds.unwrap_or(10));
    let began = Instant::now();
    let mut first = None;
    let mut seed = 0;
    while began.elapsed() < span {
        for _ in 0..200 {
            seed += 1;
            let outcome =
                Runner::new(Clock::virtual_time(), Order::Seeded(seed)).and_then(|mut runner| {
                    runner.run(async move {
                        gather!(work(seed), talk(Network::new(seed), seed)).await;
                    })
                });
            if let Err(error) = outcome {
                println!("seed {seed}: {error}");
                return ExitCode::FAILURE;
            }
        }
        if began.elapsed() > span / 10 && first.is_none() {
            first = Some(pages());
            println!("{seed} programs, {} pages", pages());
        }
    }
    println!("{seed} programs, {} pages", pages());
    match first {
        Some(first) if pages() > first + first / 10 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
