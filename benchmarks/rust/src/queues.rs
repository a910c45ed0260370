//! Queues that know nothing of runtimes, on roundel's executor, beside roundel's own.

use std::rc::Rc;
use std::time::Duration;

use crate::clock::Measure;
use crate::table::Table;

/// Passes `count` numbers through a queue whose two ends are given as functions.
fn pass<P: Future<Output = bool> + 'static, G: Future<Output = bool> + 'static>(
    producer: P,
    consumer: G,
) -> Duration {
    roundel::run(Measure::Cpu.of(async {
        assert_eq!(roundel::gather!(producer, consumer).await, (true, true));
    }))
}

/// Passes numbers through one kind of queue.
macro_rules! contestant {
    ($make:expr, $put:ident, $get:ident) => {
        &mut |count| {
            let (sender, receiver) = $make;
            let producer = async move {
                for number in 0..count {
                    if sender.$put(number).await.is_err() {
                        return false;
                    }
                }
                true
            };
            let consumer = async move {
                for number in 0..count {
                    if receiver.$get().await != Ok(number) {
                        return false;
                    }
                }
                true
            };
            pass(producer, consumer)
        }
    };
}

/// The same for roundel's, whose errors can't be compared.
fn own(queue: roundel::Queue<u32>, count: u32) -> Duration {
    let queue = Rc::new(queue);
    let other = Rc::clone(&queue);
    let producer = async move {
        for number in 0..count {
            if other.put(number).await.is_err() {
                return false;
            }
        }
        true
    };
    let consumer = async move {
        for number in 0..count {
            if !queue.get().await.is_ok_and(|item| item == number) {
                return false;
            }
        }
        true
    };
    pass(producer, consumer)
}

pub fn rows() {
    let table = Table::new(&["roundel", "kanal", "flume", "async-channel"]);
    for limit in [1, 100] {
        let name = format!("queue of {limit}, one executor");
        table.row(
            &name,
            1.0,
            300_000,
            &mut [
                &mut |count| own(roundel::Queue::bounded(limit), count),
                contestant!(kanal::bounded_async(limit), send, recv),
                contestant!(flume::bounded(limit), send_async, recv_async),
                contestant!(async_channel::bounded(limit), send, recv),
            ],
        );
    }
    table.row(
        "queue unbounded, one executor",
        1.0,
        300_000,
        &mut [
            &mut |count| own(roundel::Queue::unbounded(), count),
            contestant!(kanal::unbounded_async(), send, recv),
            contestant!(flume::unbounded(), send_async, recv_async),
            contestant!(async_channel::unbounded(), send, recv),
        ],
    );
}
