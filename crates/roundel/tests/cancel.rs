//! Futures dropped at every await point, under many orders: no item, room or lock is ever lost.

#[path = "support/program.rs"]
mod support;

#[path = "support/interrupted.rs"]
mod interrupted;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use interrupted::{Interrupted, Interruption};
use roundel::{Event, JoinHandle, Lock, Order, Queue, sleep, spawn, yield_now};
use support::simulate_in;

/// More await points than any task here has.
const POINTS: usize = 14;

/// What the tasks share, and the books they keep.
struct Shop {
    queue: Queue<u32>,
    lock: Lock<Cell<u32>>,
    closing: Event,
    put: RefCell<Vec<u32>>,
    got: RefCell<Vec<u32>>,
}

impl Shop {
    async fn produce(self: Rc<Self>, first: u32) {
        for number in first..first + 4 {
            if self.queue.put(number).await.is_ok() {
                self.put.borrow_mut().push(number);
            }
            let sales = self.lock.acquire().await;
            let before = sales.get();
            yield_now().await;
            assert_eq!(sales.get(), before, "somebody else has had the lock");
            sales.set(before + 1);
        }
    }

    async fn consume(self: Rc<Self>) {
        while let Ok(number) = self.queue.get().await {
            self.got.borrow_mut().push(number);
            drop(self.lock.acquire().await);
            self.queue.task_done();
        }
        self.closing.wait().await;
    }

    /// Sees to it that all of `producers` come to their end, by consuming once nobody else does.
    async fn clear(&self, producers: &[JoinHandle<()>], consumers: &[JoinHandle<()>]) {
        for _ in 0..100 {
            // On a virtual clock this means: once nobody can go on.
            sleep(Duration::from_secs(1)).await;
            let has_ended = producers.iter().all(JoinHandle::is_finished);
            if !consumers.iter().all(JoinHandle::is_finished) {
                assert!(
                    self.queue.is_empty(),
                    "somebody waits for an item beside one"
                );
                assert!(has_ended, "somebody waits for room in an empty queue");
            }
            if has_ended {
                self.got.borrow_mut().extend(self.queue.shutdown_now());
                return;
            }
            assert!(self.queue.is_full(), "somebody waits for room beside some");
            self.got.borrow_mut().extend(self.queue.try_get());
        }
        panic!("the producers don't come to their end");
    }
}

/// Opens a shop in which those tasks are interrupted that `victims` has a bit for.
async fn trade(limit: usize, interruption: Interruption, victims: u64) {
    let shop = Rc::new(Shop {
        queue: Queue::bounded(limit),
        lock: Lock::default(),
        closing: Event::new(),
        put: RefCell::default(),
        got: RefCell::default(),
    });
    let mut victims = (0..6).map(|bit| victims & (1 << bit) != 0);
    let mut start = |future: Pin<Box<dyn Future<Output = ()>>>| {
        let interruption = match victims.next() {
            Some(true) => interruption,
            _ => Interruption::NEVER,
        };
        let is_cancelled = matches!(interruption, Interruption::AfterTurns(_));
        (spawn(Interrupted::new(future, interruption)), is_cancelled)
    };
    let mut tasks = Vec::new();
    for number in 0..3 {
        tasks.push(start(Box::pin(Rc::clone(&shop).produce(10 * number))));
        tasks.push(start(Box::pin(Rc::clone(&shop).consume())));
    }
    if let Interruption::AfterTurns(turns) = interruption {
        for _ in 0..turns {
            yield_now().await;
        }
        for (task, _) in tasks.iter().filter(|(_, is_cancelled)| *is_cancelled) {
            task.cancel();
        }
    }
    let mut tasks = tasks.into_iter().map(|(task, _)| task);
    let (mut producers, mut consumers) = (Vec::new(), Vec::new());
    while let (Some(producer), Some(consumer)) = (tasks.next(), tasks.next()) {
        producers.push(producer);
        consumers.push(consumer);
    }
    shop.clear(&producers, &consumers).await;
    shop.closing.set();
    for consumer in consumers {
        drop(consumer.await);
    }

    let [mut put, mut got] = [shop.put.take(), shop.got.take()];
    put.sort_unstable();
    got.sort_unstable();
    assert_eq!(put, got);
    assert!(shop.lock.try_acquire().is_some(), "the lock is lost");
    assert!(shop.queue.is_empty() && !shop.queue.is_full());
}

#[test]
fn nothing_is_lost_wherever_a_task_is_interrupted() {
    for point in 0..POINTS {
        for interruption in [
            Interruption::InsteadOfPoll(point),
            Interruption::AfterPoll(point),
            Interruption::AfterTurns(point),
        ] {
            for seed in 0..if cfg!(miri) { 1 } else { 48_u64 } {
                let victims = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
                simulate_in(Order::Seeded(seed), trade(1, interruption, victims));
                simulate_in(Order::Fifo, trade(2, interruption, seed));
            }
        }
    }
}
