//! What the face for Rust programs costs, in nanoseconds per operation.
//!
//! `cargo bench -p roundel --bench program` prints the best of several rounds; differences below
//! a sixth are noise on a shared machine. `-- queue` measures only what has that in its name.

#![allow(clippy::print_stdout, reason = "printing is what a benchmark is for")]
#![allow(clippy::disallowed_methods, reason = "the time it takes is real")]

use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, Instant};

use roundel::{Event, Lock, Queue, gather, sleep, spawn, timeout, yield_now};

const ROUNDS: usize = 7;

/// Runs `program`, which does `count` operations, and prints what one of them costs.
fn measure<F: Future + 'static>(name: &str, count: u32, program: impl Fn(u32) -> F) {
    let chosen = std::env::args()
        .nth(1)
        .filter(|argument| !argument.starts_with('-'));
    if chosen.is_some_and(|chosen| !name.contains(&chosen)) {
        return;
    }
    let best = (0..ROUNDS)
        .map(|_| {
            let program = program(count);
            roundel::run(async {
                let began = Instant::now();
                program.await;
                began.elapsed()
            })
        })
        .min()
        .unwrap_or_default();
    println!(
        "{name:28} {:8.1} ns",
        best.as_secs_f64() * 1e9 / f64::from(count)
    );
}

async fn yields(count: u32) {
    for _ in 0..count {
        yield_now().await;
    }
}

async fn yields_of_many(count: u32) {
    gather((0..10_000).map(|_| yields(count / 10_000))).await;
}

async fn spawns_in_batches(count: u32) {
    for _ in 0..count / 1_000 {
        let tasks: Vec<_> = (0..1_000)
            .map(|number| spawn(async move { number }))
            .collect();
        for task in tasks {
            assert!(task.await.is_ok());
        }
    }
}

async fn spawns_one_by_one(count: u32) {
    for number in 0..count {
        assert!(spawn(async move { number }).await.is_ok());
    }
}

async fn gathers(count: u32) {
    gather((0..count).map(|number| async move { number })).await;
}

async fn passes_through(queue: Queue<u32>, count: u32) {
    let queue = Rc::new(queue);
    let other = Rc::clone(&queue);
    let producer = async move {
        for number in 0..count {
            assert!(other.put(number).await.is_ok());
        }
    };
    let consumer = async move {
        for number in 0..count {
            assert!(queue.get().await.is_ok_and(|item| item == number));
        }
    };
    gather!(producer, consumer).await;
}

async fn ping_pong(count: u32) {
    let [ping, pong] = [Rc::new(Event::new()), Rc::new(Event::new())];
    let player = |mine: Rc<Event>, theirs: Rc<Event>| async move {
        for _ in 0..count / 2 {
            mine.wait().await;
            mine.clear();
            theirs.set();
        }
    };
    ping.set();
    gather!(
        player(Rc::clone(&ping), Rc::clone(&pong)),
        player(pong, ping)
    )
    .await;
}

async fn contends(count: u32) {
    let lock = Rc::new(Lock::new(0));
    gather((0..10).map(|_| {
        let lock = Rc::clone(&lock);
        async move {
            for _ in 0..count / 10 {
                let mut value = lock.acquire().await;
                yield_now().await;
                *value += 1;
            }
        }
    }))
    .await;
}

async fn timeouts_ready(count: u32) {
    for number in 0..count {
        assert!(
            timeout(Duration::from_secs(9), async { number })
                .await
                .is_ok()
        );
    }
}

async fn timeouts_pending(count: u32) {
    for _ in 0..count {
        assert!(timeout(Duration::from_secs(9), yield_now()).await.is_ok());
    }
}

async fn sleeps(count: u32) {
    gather((0..count).map(|_| sleep(Duration::from_nanos(1)))).await;
}

async fn idles(count: u32) {
    let tasks: Vec<_> = (0..count).map(|_| spawn(pending::<()>())).collect();
    yield_now().await;
    drop(tasks);
}

fn main() {
    measure("yield, 1 task", 2_000_000, yields);
    measure("yield, 10k tasks", 2_000_000, yields_of_many);
    measure("spawn and join, one by one", 1_000_000, spawns_one_by_one);
    measure("spawn and join, 1k at once", 1_000_000, spawns_in_batches);
    measure("gather 10k", 10_000, gathers);
    measure("queue of 1", 500_000, |count| {
        passes_through(Queue::bounded(1), count)
    });
    measure("queue of 100", 1_000_000, |count| {
        passes_through(Queue::bounded(100), count)
    });
    measure("queue without limit", 1_000_000, |count| {
        passes_through(Queue::unbounded(), count)
    });
    measure("event ping-pong", 500_000, ping_pong);
    measure("lock of ten", 500_000, contends);
    measure("timeout, ready", 1_000_000, timeouts_ready);
    measure("timeout, pending", 500_000, timeouts_pending);
    measure("sleep, 50k at once", 50_000, sleeps);
    measure("task that never runs again", 100_000, idles);
}
