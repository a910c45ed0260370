//! Conditions, semaphores, barriers, values to be watched and values sent once.

#[path = "support/program.rs"]
mod support;

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use futures_lite::StreamExt;
use futures_util::SinkExt;
use roundel::{
    Barrier, Condition, Error, LifoQueue, Lock, PriorityQueue, Queue, Semaphore, ThreadQueue,
    gather, interval, now, oneshot, run, sleep, spawn, timeout, timeout_at, watch, yield_now,
};
use support::{Log, fail, simulate};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn permits_are_handed_over_in_the_order_of_arrival() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let semaphore = Rc::new(Semaphore::new(1));
        let permit = semaphore.acquire().await;
        let work = |name: &'static str| {
            let (semaphore, log) = (Rc::clone(&semaphore), log.clone());
            async move {
                let _permit = semaphore.acquire().await;
                log.add(name);
            }
        };
        let tasks = [spawn(work("a")), spawn(work("b"))];
        yield_now().await;
        drop(permit);
        assert!(semaphore.try_acquire().is_none(), "it is promised");
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 1, .. }");
    });
    assert_eq!(said.said(), "a b");
}

#[test]
fn permits_can_be_added_and_kept_for_good() {
    simulate(async {
        let semaphore = Rc::new(Semaphore::new(0));
        assert!(timeout(SECOND, semaphore.acquire()).await.is_err());
        semaphore.add_permits(2);
        semaphore.acquire().await.forget();
        assert_eq!(semaphore.available(), 1);
        drop(semaphore.try_acquire());
        assert_eq!(semaphore.available(), 1);
    });
}

#[test]
#[should_panic(expected = "more permits than there are numbers")]
fn more_permits_than_numbers_are_refused() {
    let semaphore = Semaphore::new(usize::MAX);
    semaphore.add_permits(1);
}

#[test]
fn who_is_notified_holds_the_lock_again() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let shared = Rc::new((Lock::new(Vec::new()), Condition::new()));
        let waiters: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let (shared, log) = (Rc::clone(&shared), log.clone());
                spawn(async move {
                    let (lock, condition) = &*shared;
                    let mut names = condition.wait(lock.acquire().await).await;
                    names.push(name);
                    log.add(name);
                })
            })
            .collect();
        yield_now().await;
        shared.1.notify(1);
        sleep(SECOND).await;
        log.add("then");
        shared.1.notify_all();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        shared.1.notify_all();
        assert_eq!(*shared.0.acquire().await, ["a", "b", "c"]);
    });
    assert_eq!(said.said(), "a then b c");
}

#[test]
fn a_barrier_lets_so_many_pass_at_a_time_again_and_again() {
    simulate(async {
        let barrier = Rc::new(Barrier::new(2));
        let pass = |times: u32| {
            let barrier = Rc::clone(&barrier);
            async move {
                let mut led = 0;
                for _ in 0..times {
                    led += u32::from(barrier.wait().await.unwrap());
                }
                led
            }
        };
        let (one, other) = gather!(pass(5), pass(5)).await;
        assert_eq!(one + other, 5);
        assert_eq!((barrier.parties(), barrier.waiting()), (2, 0));
    });
}

#[test]
fn an_aborted_barrier_sends_everybody_away_until_it_is_reset() {
    simulate(async {
        let barrier = Rc::new(Barrier::new(2));
        let waiting = spawn({
            let barrier = Rc::clone(&barrier);
            async move { barrier.wait().await }
        });
        yield_now().await;
        barrier.abort();
        assert!(matches!(waiting.await.unwrap(), Err(Error::BrokenBarrier)));
        assert!(matches!(barrier.wait().await, Err(Error::BrokenBarrier)));
        assert_eq!(Error::BrokenBarrier.to_string(), "the barrier is broken");
        barrier.reset();
        assert!(!barrier.is_broken());
    });
}

#[test]
#[should_panic(expected = "for one task at least")]
fn a_barrier_for_nobody_is_a_bug() {
    drop(Barrier::new(0));
}

#[test]
fn a_oneshot_tells_when_the_other_end_is_gone() {
    simulate(async {
        let (sender, mut receiver) = oneshot::channel::<u32>();
        assert!(matches!(receiver.try_get(), Err(Error::QueueEmpty)));
        assert!(timeout(SECOND, &mut receiver).await.is_err());
        drop(sender);
        assert!(matches!(receiver.await, Err(Error::Closed)));

        let (sender, receiver) = oneshot::channel();
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(5), Err(5));
    });
}

#[test]
fn whoever_watches_sees_the_latest_value() {
    simulate(async {
        let (sender, mut receiver) = watch::channel(1);
        let mut late = receiver.clone();
        sender.send(2);
        sender.send(3);
        receiver.changed().await.unwrap();
        assert_eq!(
            (*receiver.latest(), *late.latest(), *sender.latest()),
            (3, 3, 3)
        );
        late.changed().await.unwrap();
        let mut latest = sender.subscribe();
        assert!(timeout(SECOND, latest.changed()).await.is_err());
        drop(sender);
        assert!(matches!(latest.changed().await, Err(Error::Closed)));
    });
}

#[test]
fn what_waits_for_good_says_where_what_it_waits_for_was_made() {
    let error = fail(async {
        let (_sender, receiver) = oneshot::channel::<()>();
        drop(spawn(async move { Semaphore::new(0).acquire().await.forget() }).named("permit"));
        drop(spawn(async move { Barrier::new(2).wait().await }).named("barrier"));
        receiver.await
    });
    let text = error.to_string();
    for expected in [
        "main awaits oneshot::Receiver, of that made at",
        "permit awaits Semaphore::acquire, of that made at",
        "barrier awaits Barrier::wait, of the barrier made at",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn queues_give_in_their_order() {
    simulate(async {
        let priority = PriorityQueue::unbounded();
        let lifo = LifoQueue::bounded(3);
        for number in [2, 3, 1] {
            priority.put(number).await.unwrap();
            lifo.put(number).await.unwrap();
        }
        assert!(lifo.is_full() && lifo.try_put(0).is_err());
        let mut taken = Vec::new();
        while let Ok(number) = priority.try_get() {
            taken.push(number);
        }
        assert_eq!(taken, [3, 2, 1]);
        assert_eq!(lifo.shutdown_now(), [1, 3, 2]);
    });
}

#[test]
fn an_inlet_has_room_of_its_own_once_it_is_ready() {
    simulate(async {
        let queue = Rc::new(Queue::bounded(1));
        let mut inlet = queue.inlet();
        std::future::poll_fn(|cx| inlet.poll_ready_unpin(cx))
            .await
            .unwrap();
        assert!(queue.is_full() && queue.try_put(9).is_err());
        inlet.start_send_unpin(1).unwrap();
        assert_eq!(queue.get().await.unwrap(), 1);
        std::future::poll_fn(|cx| inlet.poll_ready_unpin(cx))
            .await
            .unwrap();
        drop(inlet);
        assert!(!queue.is_full());
        let mut inlet = queue.inlet();
        inlet.send(2).await.unwrap();
        inlet.close().await.unwrap();
        assert!(matches!(inlet.send(3).await, Err(Error::QueueShutDown)));
        assert_eq!(
            Rc::clone(&queue).into_items().collect::<Vec<_>>().await,
            [2]
        );
    });
}

#[test]
fn a_stream_that_is_dropped_while_it_waits_leaves_the_item() {
    simulate(async {
        let queue = Queue::unbounded();
        let mut items = queue.items();
        assert!(timeout(SECOND, items.next()).await.is_err());
        queue.try_put(1).unwrap();
        drop(items);
        assert_eq!(queue.try_get().unwrap(), 1);
    });
}

#[test]
fn ticks_keep_in_step_and_leave_out_what_was_missed() {
    simulate(async {
        let began = now();
        let mut interval = interval(2 * SECOND);
        let mut due = Vec::new();
        for pause in [0, 1, 5, 0] {
            due.push((interval.next().await.unwrap() - began).as_secs());
            sleep(pause * SECOND).await;
        }
        assert_eq!(due, [0, 2, 4, 8 - 2]);
        interval.reset();
        let began = now();
        assert_eq!(interval.tick().await - began, 2 * SECOND);
        assert_eq!(interval.period(), 2 * SECOND);
    });
}

#[test]
#[should_panic(expected = "an interval takes some time")]
fn an_interval_of_no_time_is_a_bug() {
    drop(interval(Duration::ZERO));
}

#[test]
fn absurd_durations_are_for_ever() {
    simulate(async {
        let mut interval = interval(Duration::MAX);
        interval.tick().await;
        let day = 86_400 * SECOND;
        assert!(timeout(day, interval.tick()).await.is_err());
        assert!(timeout(day, sleep(Duration::MAX)).await.is_err());
        assert!(timeout(Duration::MAX, sleep(day)).await.is_ok());
        assert!(timeout_at(now() + day, sleep(Duration::MAX)).await.is_err());
        assert!(
            timeout_at(now(), async {}).await.is_ok(),
            "ready at once is never late"
        );
    });
}

#[test]
fn threads_and_tasks_pass_items_both_ways() {
    const NUMBERS: u64 = if cfg!(miri) { 50 } else { 1_000 };
    run(async {
        let (there, back) = (ThreadQueue::bounded(2), ThreadQueue::bounded(1));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (there, back) = (there.thread_end(), back.thread_end());
                thread::spawn(move || {
                    while let Ok(number) = there.get() {
                        back.put(number * 2).unwrap();
                    }
                })
            })
            .collect();
        let put = {
            let there = there.clone();
            async move {
                for number in 0..NUMBERS {
                    there.put(number).await.unwrap();
                }
                there.shutdown();
            }
        };
        let get = async move {
            let mut sum = 0;
            for _ in 0..NUMBERS {
                sum += back.get().await.unwrap();
            }
            sum
        };
        let ((), sum) = gather!(put, get).await;
        assert_eq!(sum, NUMBERS * (NUMBERS - 1));
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(there.is_shut_down() && there.is_empty());
    });
}

#[test]
fn a_virtual_clock_waits_for_threads_only_as_long_as_they_have_an_end() {
    simulate(async {
        let queue = ThreadQueue::<u32>::unbounded();
        let end = queue.thread_end();
        let thread = thread::spawn(move || end.put(1).unwrap());
        let began = now();
        assert_eq!(timeout(SECOND, queue.get()).await.unwrap().unwrap(), 1);
        assert_eq!(now(), began, "the clock has stood still");
        thread.join().unwrap();
        assert!(timeout(SECOND, queue.get()).await.is_err());
        assert_eq!(now() - began, SECOND);
    });
    let error = fail(async { ThreadQueue::<u32>::unbounded().get().await });
    assert!(
        error.to_string().contains("main awaits ThreadQueue::get"),
        "{error}"
    );
}

#[test]
#[should_panic(expected = "a queue must have room for an item")]
fn a_thread_queue_without_room_is_a_bug() {
    drop(ThreadQueue::<u32>::bounded(0));
}
