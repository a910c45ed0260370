//! Random programs, one after the other, for as long as they are given: does the memory grow?
//!
//! `cargo run --release --features sim --example soak -- 600` takes ten minutes, and prints every
//! so many programs how much memory the process has. It fails if that has grown by a tenth since
//! the first tenth of the time.
//!
//! A run of ten minutes did 247,400 programs: after the first tenth of the time the process had
//! 853 pages, at the end 893.

#![allow(clippy::print_stdout, reason = "a program that prints")]
#![allow(clippy::disallowed_methods, reason = "the time it takes is real")]

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{AsyncReadExt, AsyncWriteExt};
use roundel::net::{UnixStream, copy};
use roundel::sim::Network;
use roundel::{
    Clock, Error, Lock, Order, Queue, Runner, Semaphore, StreamAccess, gather, oneshot, sleep,
    spawn, task_group, timeout, to_thread, yield_now,
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

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).unwrap_or(0) % limit
    }
}

/// The bytes of a stream from a position on.
fn text(from: usize, count: usize) -> Vec<u8> {
    let byte = |position: usize| (position % 251).to_le_bytes()[0];
    (from..from + count).map(byte).collect()
}

/// A client that sends messages of all sizes over a real connection and has them back, until it has enough, loses patience in
/// the midst of something or goes away. What it gets is what it has sent, in this order.
async fn exchange(stream: UnixStream, seed: u64) -> io::Result<()> {
    let mut dice = Dice(seed);
    let (mut sent, mut received) = (0, 0);
    let mut buffer = vec![0; 40_000];
    for _ in 0..dice.below(30) {
        let size = 1 + if dice.below(5) == 0 {
            dice.below(30_000)
        } else {
            dice.below(300)
        };
        let message = text(sent, size);
        let send = async {
            match seed % 3 {
                0 => AsyncWriteExt::write_all(&mut &stream, &message).await,
                _ => stream.write_all(&message).await,
            }
        };
        if dice.below(40) == 0 {
            let patience = Duration::from_micros(seed % 50);
            return timeout(patience, send).await.unwrap_or(Ok(()));
        }
        send.await?;
        sent += size;
        while received < sent && dice.below(20) > 0 {
            let room = 1 + dice.below(40_000);
            let reading = stream.read(&mut buffer[..room]);
            // Who gives up has taken nothing.
            let patience = Duration::from_micros(100 * (1 + seed % 20));
            if let Ok(count) = timeout(patience, reading).await {
                let count = count?;
                assert!(buffer[..count] == text(received, count), "seed {seed}");
                received += count;
            }
        }
    }
    Ok(())
}

/// Clients and servers, each of which ends when the other one does.
async fn serve(seed: u64) {
    let outcome = task_group(async |group| {
        for number in 0..10 {
            let (client, server) = UnixStream::pair()?;
            group.spawn(async move {
                // That the client is gone is no failure.
                copy(&server, &server).await.ok();
                io::Result::Ok(())
            });
            group.spawn(exchange(client, 10 * seed + number));
        }
        Ok(())
    });
    if let Err(error) = outcome.await {
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "seed {seed}");
    }
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
            let outcome = Runner::new(Clock::virtual_time(), Order::Seeded(seed))
                .and_then(|mut runner| {
                    runner.run(async move {
                        gather!(work(seed), talk(Network::new(seed), seed)).await;
                    })
                })
                .and_then(|()| Runner::new(Clock::monotonic(), Order::Seeded(seed)))
                .and_then(|mut runner| {
                    if seed % 4 == 0 {
                        runner.set_stream_access(StreamAccess::Poller)?;
                    }
                    runner.run(serve(seed))
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
