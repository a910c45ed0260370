//! Every primitive under a thousand seeds, with tasks that are dropped at one await point or another:
//! what is counted must add up, and nobody may wait beside what they wait for.

#[path = "support/program.rs"]
mod support;

#[path = "support/interrupted.rs"]
mod interrupted;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::SinkExt;
use roundel::{
    Barrier, Condition, Error, JoinHandle, LifoQueue, Lock, Order, PriorityQueue, Queue, Semaphore,
    ThreadQueue, gather, interval, oneshot, sleep, spawn, timeout, watch, yield_now,
};

use interrupted::{Interrupted, Interruption};
use support::{many, simulate_in};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Runs `works` as tasks, of which the first is interrupted, for each of a thousand seeds; then the
/// program `after`, a second later, which on this clock means: once nobody can go on.
fn interrupt<S: 'static, A: Future<Output = ()> + 'static>(
    shared: impl Fn() -> S,
    works: impl Fn(&Rc<S>) -> Vec<Work>,
    after: impl Fn(Rc<S>, Vec<JoinHandle<()>>) -> A,
) {
    for seed in 0..many(1_000) {
        let shared = Rc::new(shared());
        let interruption = Interruption::by_seed(seed, 8);
        let works = works(&shared);
        let spawn_all = move || {
            let mut interruptions = std::iter::once(interruption);
            works
                .into_iter()
                .map(|work| {
                    let interruption = interruptions.next().unwrap_or(Interruption::NEVER);
                    spawn(Interrupted::new(work, interruption))
                })
                .collect::<Vec<_>>()
        };
        let after = &after;
        let check = {
            let shared = Rc::clone(&shared);
            move |tasks| after(shared, tasks)
        };
        // The closures are run here, so that the program is one future that owns all it needs.
        let (start, mut checked) = oneshot::channel();
        let mut runner = support::runner(Order::Seeded(seed));
        runner
            .run(async move {
                let tasks = spawn_all();
                if let Interruption::AfterTurns(turns) = interruption {
                    for _ in 0..turns {
                        yield_now().await;
                    }
                    tasks[0].cancel();
                }
                sleep(Duration::from_secs(1)).await;
                assert!(start.send(tasks).is_ok());
            })
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let tasks = checked.try_get().expect("the first run has sent them");
        runner
            .run(check(tasks))
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn no_permit_is_lost() {
    let work = |semaphore: &Rc<Semaphore>| -> Work {
        let semaphore = Rc::clone(semaphore);
        Box::pin(async move {
            for _ in 0..3 {
                let _permit = semaphore.acquire().await;
                yield_now().await;
            }
        })
    };
    interrupt(
        || Semaphore::new(2),
        |semaphore| (0..5).map(|_| work(semaphore)).collect(),
        |semaphore, tasks| async move {
            assert!(tasks.iter().all(JoinHandle::is_finished));
            assert_eq!(semaphore.available(), 2);
        },
    );
}

#[test]
fn no_notification_is_lost() {
    struct Shelf {
        goods: Lock<u32>,
        changed: Condition,
        taken: Cell<u32>,
    }
    let take = |shelf: &Rc<Shelf>| -> Work {
        let shelf = Rc::clone(shelf);
        Box::pin(async move {
            let goods = shelf.goods.acquire().await;
            let mut goods = shelf.changed.wait_for(goods, |goods| *goods > 0).await;
            *goods -= 1;
            shelf.taken.set(shelf.taken.get() + 1);
        })
    };
    let fill = |shelf: &Rc<Shelf>| -> Work {
        let shelf = Rc::clone(shelf);
        Box::pin(async move {
            for _ in 0..3 {
                yield_now().await;
                *shelf.goods.acquire().await += 1;
                shelf.changed.notify(1);
            }
        })
    };
    interrupt(
        || Shelf {
            goods: Lock::new(0),
            changed: Condition::new(),
            taken: Cell::new(0),
        },
        |shelf| vec![take(shelf), take(shelf), take(shelf), fill(shelf)],
        |shelf, tasks| async move {
            assert!(tasks.iter().all(JoinHandle::is_finished));
            assert_eq!(*shelf.goods.acquire().await + shelf.taken.get(), 3);
        },
    );
}

#[test]
fn who_is_dropped_has_not_come_to_the_barrier() {
    let come = |barrier: &Rc<Barrier>| -> Work {
        let barrier = Rc::clone(barrier);
        Box::pin(async move {
            yield_now().await;
            barrier.wait().await.unwrap();
        })
    };
    interrupt(
        || Barrier::new(3),
        |barrier| (0..3).map(|_| come(barrier)).collect(),
        |barrier, tasks| async move {
            let waiting = tasks.iter().filter(|task| !task.is_finished()).count();
            assert_eq!(barrier.waiting(), waiting);
            assert!(waiting == 0 || waiting == 2, "{waiting}");
            if waiting > 0 {
                assert!(barrier.wait().await.unwrap());
            }
            for task in tasks {
                drop(task.await);
            }
        },
    );
}

/// What is put into a queue of any kind comes out of it, or has been dropped with who had it.
macro_rules! nothing_is_lost_in {
    ($test:ident, $make:expr, $kind:ty) => {
        #[test]
        fn $test() {
            struct Shop {
                queue: $kind,
                put: Cell<u32>,
                got: Cell<u32>,
            }
            let put = |shop: &Rc<Shop>| -> Work {
                let shop = Rc::clone(shop);
                Box::pin(async move {
                    for number in 0..4 {
                        if shop.queue.put(number).await.is_ok() {
                            shop.put.set(shop.put.get() + 1);
                        }
                    }
                })
            };
            let get = |shop: &Rc<Shop>| -> Work {
                let shop = Rc::clone(shop);
                Box::pin(async move {
                    for _ in 0..4 {
                        if shop.queue.get().await.is_ok() {
                            shop.got.set(shop.got.get() + 1);
                        }
                        yield_now().await;
                    }
                })
            };
            for first in [true, false] {
                interrupt(
                    || Shop {
                        queue: $make,
                        put: Cell::new(0),
                        got: Cell::new(0),
                    },
                    |shop| {
                        if first {
                            vec![put(shop), get(shop), put(shop), get(shop)]
                        } else {
                            vec![get(shop), put(shop), get(shop), put(shop)]
                        }
                    },
                    |shop, tasks| async move {
                        let mut drained = 0;
                        while shop.queue.try_get().is_ok() {
                            drained += 1;
                            sleep(Duration::from_secs(1)).await;
                        }
                        assert!(shop.queue.is_empty(), "somebody still waits for room");
                        shop.queue.shutdown();
                        for task in tasks {
                            drop(task.await);
                        }
                        assert_eq!(shop.put.get(), shop.got.get() + drained);
                    },
                );
            }
        }
    };
}

nothing_is_lost_in!(
    nothing_is_lost_in_a_priority_queue,
    PriorityQueue::bounded(2),
    PriorityQueue<u32>
);
nothing_is_lost_in!(
    nothing_is_lost_in_a_lifo_queue,
    LifoQueue::bounded(1),
    LifoQueue<u32>
);
nothing_is_lost_in!(
    nothing_is_lost_in_a_thread_queue,
    ThreadQueue::bounded(1),
    ThreadQueue<u32>
);

#[test]
fn no_room_is_lost_with_an_inlet() {
    struct Shop {
        queue: Rc<Queue<u32>>,
        got: Cell<u32>,
    }
    let push = |shop: &Rc<Shop>| -> Work {
        let mut inlet = Rc::clone(&shop.queue).into_inlet();
        Box::pin(async move {
            for number in 0..3 {
                inlet.feed(number).await.unwrap();
                yield_now().await;
            }
        })
    };
    let pull = |shop: &Rc<Shop>| -> Work {
        let shop = Rc::clone(shop);
        Box::pin(async move {
            while shop.queue.get().await.is_ok() {
                shop.got.set(shop.got.get() + 1);
            }
        })
    };
    interrupt(
        || Shop {
            queue: Rc::new(Queue::bounded(1)),
            got: Cell::new(0),
        },
        |shop| vec![push(shop), push(shop), pull(shop)],
        |shop, tasks| async move {
            assert!(tasks[..2].iter().all(JoinHandle::is_finished));
            assert!(shop.queue.is_empty() && !shop.queue.is_full());
            assert!((3..=6).contains(&shop.got.get()));
            shop.queue.shutdown();
            for task in tasks {
                drop(task.await);
            }
        },
    );
}

#[test]
fn a_value_is_not_lost_with_who_borrows_the_receiver() {
    struct Way {
        sender: Cell<Option<oneshot::Sender<u32>>>,
        receiver: RefCell<oneshot::Receiver<u32>>,
        received: Cell<Option<u32>>,
    }
    interrupt(
        || {
            let (sender, receiver) = oneshot::channel();
            Way {
                sender: Cell::new(Some(sender)),
                receiver: RefCell::new(receiver),
                received: Cell::new(None),
            }
        },
        |way| {
            let (sending, receiving) = (Rc::clone(way), Rc::clone(way));
            let receive: Work = Box::pin(async move {
                let receiver = &receiving.receiver;
                let value = poll_fn(|cx| Pin::new(&mut *receiver.borrow_mut()).poll(cx)).await;
                receiving.received.set(value.ok());
            });
            let send: Work = Box::pin(async move {
                yield_now().await;
                yield_now().await;
                let sender = sending.sender.take().expect("nobody else takes it");
                sender.send(7).expect("a receiver");
            });
            vec![receive, send]
        },
        |way, _tasks| async move {
            let left = way.receiver.borrow_mut().try_get();
            assert_eq!(left.ok().xor(way.received.get()), Some(7));
        },
    );
}

#[test]
fn who_receives_hears_of_a_sender_that_is_dropped() {
    interrupt(
        || Cell::new(None),
        |received| {
            let (sender, receiver) = oneshot::channel();
            let received = Rc::clone(received);
            let send: Work = Box::pin(async move {
                for _ in 0..4 {
                    yield_now().await;
                }
                sender.send(7).expect("a receiver");
            });
            let receive: Work = Box::pin(async move { received.set(Some(receiver.await)) });
            vec![send, receive]
        },
        |received, _tasks| async move {
            let outcome = received.take().expect("one or the other");
            assert!(matches!(outcome, Ok(7) | Err(Error::Closed)));
        },
    );
}

#[test]
fn no_change_is_missed_by_who_looks_again() {
    for seed in 0..many(1_000) {
        simulate_in(Order::Seeded(seed), async move {
            let (sender, mut receiver) = watch::channel(0);
            let writer = spawn(async move {
                for number in 1..=5 {
                    yield_now().await;
                    sender.send(number);
                }
                sleep(Duration::from_secs(1)).await;
            });
            for _ in 0..seed % 5 {
                drop(timeout(Duration::ZERO, receiver.changed()).await);
            }
            assert_eq!(*receiver.wait_for(|number| *number == 5).await.unwrap(), 5);
            assert!(matches!(receiver.changed().await, Err(Error::Closed)));
            writer.await.unwrap();
        });
    }
}

#[test]
fn no_tick_is_lost_with_who_gives_up_waiting() {
    for seed in 0..200 {
        simulate_in(Order::Seeded(seed), async move {
            let mut interval = interval(Duration::from_secs(2));
            let first = interval.tick().await;
            for _ in 0..seed % 4 {
                drop(timeout(Duration::from_millis(300), interval.tick()).await);
            }
            assert_eq!(interval.tick().await - first, Duration::from_secs(2));
            let (one, ()) = gather!(
                async move { interval.tick().await },
                sleep(Duration::from_secs(9))
            )
            .await;
            assert_eq!(one - first, Duration::from_secs(4));
        });
    }
}
