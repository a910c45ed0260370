//! The queue: who gets what, who waits, and what is never lost.

#[path = "support/program.rs"]
mod support;

use std::rc::Rc;
use std::time::Duration;

use roundel::{Error, Queue, gather, sleep, spawn, timeout, yield_now};
use support::{Log, many, simulate};

#[test]
fn items_come_out_in_the_order_in_which_they_went_in() {
    simulate(async {
        let queue = Queue::unbounded();
        for number in 0..5 {
            queue.try_put(number).unwrap();
        }
        assert_eq!(
            (queue.len(), queue.is_empty(), queue.is_full()),
            (5, false, false)
        );
        for number in 0..5 {
            assert_eq!(queue.get().await.unwrap(), number);
        }
        assert!(matches!(queue.try_get(), Err(Error::QueueEmpty)));
        assert_eq!(queue.limit(), usize::MAX);
    });
}

#[test]
fn getters_are_served_first_come_first_served() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let queue = Rc::new(Queue::unbounded());
        for name in ["a", "b", "c"] {
            let (queue, log) = (Rc::clone(&queue), log.clone());
            drop(spawn(async move {
                let item: u32 = queue.get().await.unwrap();
                log.add(format!("{name}{item}"));
            }));
        }
        yield_now().await;
        queue.try_put(1).unwrap();
        // Promised already: who comes now finds nothing and waits behind the others.
        assert!(queue.is_empty());
        assert!(matches!(queue.try_get(), Err(Error::QueueEmpty)));
        queue.try_put(2).unwrap();
        queue.try_put(3).unwrap();
        queue.try_put(4).unwrap();
        assert_eq!(queue.get().await.unwrap(), 4);
        yield_now().await;
    });
    assert_eq!(said.said(), "a1 b2 c3");
}

#[test]
fn putters_wait_for_room_first_come_first_served() {
    simulate(async {
        let queue = Rc::new(Queue::bounded(2));
        for number in 0..5 {
            let queue = Rc::clone(&queue);
            drop(spawn(async move { queue.put(number).await.unwrap() }));
        }
        yield_now().await;
        assert_eq!((queue.len(), queue.is_full()), (2, true));
        assert_eq!(queue.try_get().unwrap(), 0);
        // The room is promised to who has been waiting for it.
        assert!(queue.is_full());
        let refused = queue.try_put(9).unwrap_err();
        assert!(matches!(refused.error, Error::QueueFull));
        assert_eq!(
            (refused.item, refused.to_string().as_str()),
            (9, "the queue is full")
        );
        for number in 1..5 {
            assert_eq!(queue.get().await.unwrap(), number);
        }
    });
}

#[test]
fn join_waits_until_all_that_was_put_is_done() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let queue = Rc::new(Queue::unbounded());
        queue.join().await;
        queue.try_put("a").unwrap();
        queue.try_put("b").unwrap();
        let worker = {
            let (queue, log) = (Rc::clone(&queue), log.clone());
            async move {
                for _ in 0..2 {
                    let item = queue.get().await.unwrap();
                    sleep(Duration::from_secs(1)).await;
                    log.add(item);
                    queue.task_done();
                }
            }
        };
        let joiner = async move {
            queue.join().await;
            log.add("joined");
        };
        gather!(joiner, worker).await;
    });
    assert_eq!(said.said(), "a b joined");
}

#[test]
#[should_panic(expected = "task_done() called too many times")]
fn more_can_not_be_done_than_was_put() {
    let queue = Queue::unbounded();
    queue.try_put(1).unwrap();
    queue.task_done();
    queue.task_done();
}

#[test]
#[should_panic(expected = "a queue must have room for an item")]
fn a_queue_without_room_is_a_bug() {
    drop(Queue::<u32>::bounded(0));
}

#[test]
fn a_queue_that_is_shut_down_gives_what_it_has_and_takes_no_more() {
    simulate(async {
        let queue = Queue::unbounded();
        queue.try_put(1).unwrap();
        queue.try_put(2).unwrap();
        queue.shutdown();
        assert!(queue.is_shut_down());
        let refused = queue.put(3).await.unwrap_err();
        assert!(matches!(
            (refused.item, refused.error),
            (3, Error::QueueShutDown)
        ));
        assert!(matches!(
            Error::from(queue.try_put(3).unwrap_err()),
            Error::QueueShutDown
        ));
        assert_eq!(queue.get().await.unwrap(), 1);
        assert_eq!(queue.try_get().unwrap(), 2);
        assert!(matches!(queue.try_get(), Err(Error::QueueShutDown)));
        assert!(matches!(queue.get().await, Err(Error::QueueShutDown)));
    });
}

#[test]
fn to_shut_down_wakes_everybody_who_waits_and_takes_no_item_from_its_getter() {
    simulate(async {
        let queue = Rc::new(Queue::bounded(1));
        let get = || {
            let queue = Rc::clone(&queue);
            spawn(async move { queue.get().await })
        };
        let (first, second) = (get(), get());
        yield_now().await;
        queue.try_put(1).unwrap();
        queue.shutdown();
        let late = queue.get().await;
        assert!(
            matches!(late, Err(Error::QueueShutDown)),
            "the item is promised"
        );
        assert_eq!(first.await.unwrap().unwrap(), 1);
        assert!(matches!(second.await.unwrap(), Err(Error::QueueShutDown)));

        let queue = Rc::new(Queue::bounded(1));
        queue.try_put(1).unwrap();
        let putter = spawn({
            let queue = Rc::clone(&queue);
            async move { queue.put(2).await }
        });
        yield_now().await;
        queue.shutdown();
        assert_eq!(putter.await.unwrap().unwrap_err().item, 2);
    });
}

#[test]
fn to_shut_down_now_returns_what_is_left_and_counts_it_as_done() {
    simulate(async {
        let queue = Rc::new(Queue::unbounded());
        (1..=3).for_each(|number| queue.try_put(number).unwrap());
        let joiner = spawn({
            let queue = Rc::clone(&queue);
            async move { queue.join().await }
        });
        assert_eq!(queue.get().await.unwrap(), 1);
        yield_now().await;
        assert_eq!(queue.shutdown_now(), [2, 3]);
        assert!(matches!(queue.get().await, Err(Error::QueueShutDown)));
        yield_now().await;
        assert!(!joiner.is_finished());
        queue.task_done();
        joiner.await.unwrap();
    });
}

#[test]
fn a_getter_that_times_out_leaves_the_item() {
    simulate(async {
        let queue = Rc::new(Queue::unbounded());
        let second = Duration::from_secs(1);
        assert!(matches!(
            timeout(second, queue.get()).await,
            Err(Error::Timeout)
        ));
        queue.try_put(1).unwrap();
        assert_eq!(queue.len(), 1);
        assert_eq!(timeout(second, queue.get()).await.unwrap().unwrap(), 1);
    });
}

#[test]
fn a_cancelled_getter_passes_its_item_on() {
    simulate(async {
        let queue = Rc::new(Queue::unbounded());
        let get = || {
            let queue = Rc::clone(&queue);
            spawn(async move { queue.get().await })
        };
        let (first, second) = (get(), get());
        yield_now().await;
        queue.try_put(1).unwrap();
        first.cancel();
        assert_eq!(second.await.unwrap().unwrap(), 1);

        let third = get();
        yield_now().await;
        queue.try_put(2).unwrap();
        third.cancel();
        assert!(matches!(third.await, Err(Error::Cancelled)));
        assert_eq!(queue.try_get().unwrap(), 2);
    });
}

#[test]
fn a_cancelled_putter_passes_its_room_on_and_keeps_its_item() {
    simulate(async {
        let queue = Rc::new(Queue::bounded(1));
        queue.try_put(0).unwrap();
        let put = |number| {
            let queue = Rc::clone(&queue);
            spawn(async move { queue.put(number).await })
        };
        let (first, second) = (put(1), put(2));
        yield_now().await;
        assert_eq!(queue.try_get().unwrap(), 0);
        first.cancel();
        second.await.unwrap().unwrap();
        assert_eq!(queue.try_get().unwrap(), 2);
        assert!(matches!(queue.try_get(), Err(Error::QueueEmpty)));
    });
}

#[test]
fn the_places_of_many_who_gave_up_are_used_again() {
    simulate(async {
        let queue = Queue::<u32>::unbounded();
        for _ in 0..many(10_000) {
            let waiting = timeout(Duration::from_secs(1), queue.get());
            assert!(waiting.await.is_err());
        }
        assert_eq!(
            format!("{queue:?}"),
            format!(
                "Queue {{ items: [], limit: {}, unfinished: 0, is_shut_down: false, .. }}",
                usize::MAX
            )
        );
    });
}
