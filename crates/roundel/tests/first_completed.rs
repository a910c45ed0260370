//! Several futures of which one counts, and tasks that go on without who waits for them.

#[path = "support/program.rs"]
mod support;

use std::future::{pending, ready};
use std::time::Duration;

use roundel::{
    Error, Order, Queue, current_task, first_completed, shield, sleep, spawn, spawn_named,
};
use roundel::{timeout, yield_now};
use support::{Farewell, Log, many, simulate, simulate_in};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_first_one_counts_and_the_others_are_dropped_before_it_does() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let farewell = Farewell(log.clone(), "loser");
        let never = async move {
            let _farewell = farewell;
            pending::<()>().await;
        };
        first_completed! {
            () = never => unreachable!("it never is"),
            () = sleep(SECOND) => log.add("winner"),
        }
    });
    assert_eq!(said.said(), "loser winner");
}

#[test]
fn of_those_ready_at_once_the_first_in_the_list_wins() {
    simulate(async {
        let which = first_completed! {
            number = ready(1) => number,
            number = ready(2) => number,
        };
        assert_eq!(which, 1);
        assert_eq!(first_completed([ready('a'), ready('b')]).await, (0, 'a'));
    });
}

#[test]
fn what_is_done_with_the_first_may_leave_the_loop_and_the_function() {
    async fn read(queue: &Queue<u32>) -> Result<u32, Error> {
        let mut sum = 0;
        loop {
            first_completed! {
                item = queue.get() => match item? {
                    0 => break,
                    number => sum += number,
                },
                () = sleep(SECOND) => return Err(Error::Timeout),
            }
        }
        Ok(sum)
    }

    simulate(async {
        let queue = Queue::unbounded();
        for number in [1, 2, 0, 5] {
            queue.try_put(number).unwrap();
        }
        assert_eq!(read(&queue).await.unwrap(), 3);
        assert!(matches!(read(&queue).await, Err(Error::Timeout)));
        queue.shutdown();
        assert!(matches!(read(&queue).await, Err(Error::QueueShutDown)));
    });
}

#[test]
fn one_future_or_none_are_no_special_case() {
    simulate(async {
        assert_eq!(first_completed! { number = ready(3) => number }, 3);
        let none = first_completed(Vec::<std::future::Ready<()>>::new());
        assert!(timeout(SECOND, none).await.is_err());
    });
}

#[test]
fn no_item_is_lost_with_a_getter_that_loses() {
    for seed in 0..many(1_000) {
        simulate_in(Order::Seeded(seed), async move {
            let queue = std::rc::Rc::new(Queue::bounded(1));
            let producer = spawn({
                let queue = std::rc::Rc::clone(&queue);
                async move {
                    for number in 0..5 {
                        queue.put(number).await.unwrap();
                        yield_now().await;
                    }
                    queue.shutdown();
                }
            });
            let mut got = Vec::new();
            loop {
                first_completed! {
                    item = queue.get() => match item {
                        Ok(item) => got.push(item),
                        Err(_) => break,
                    },
                    () = yield_now() => {},
                }
            }
            assert_eq!(got, [0, 1, 2, 3, 4]);
            producer.await.unwrap();
        });
    }
}

#[test]
fn a_shielded_future_goes_on_when_nobody_waits_for_it() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let save = {
            let log = log.clone();
            async move {
                sleep(2 * SECOND).await;
                log.add("saved");
                7
            }
        };
        assert!(timeout(SECOND, shield(save)).await.is_err());
        log.add("late");
        sleep(2 * SECOND).await;
        assert_eq!(shield(async { 5 }).await, 5);
    });
    assert_eq!(said.said(), "late saved");
}

#[test]
#[should_panic(expected = "shielded")]
fn a_panic_under_a_shield_is_that_of_who_awaits_it() {
    simulate(async { shield(async { panic!("shielded") }).await });
}

#[test]
fn a_task_knows_itself() {
    assert!(current_task().is_none());
    simulate(async {
        assert_eq!(current_task().unwrap().name(), "main");
        let handle = spawn_named("worker", async { current_task().unwrap() });
        let task = handle.task();
        assert_eq!(
            format!("{task:?}"),
            "Task { name: \"worker\", finished: false, .. }"
        );
        let itself = handle.await.unwrap();
        assert!(itself == task && task.is_finished() && !task.cancel());
        assert_eq!(itself.to_string(), "worker");
        assert!(task != current_task().unwrap());
    });
}
