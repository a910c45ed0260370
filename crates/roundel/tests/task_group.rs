//! Groups of tasks: who ends when, why, and that nobody is left behind.

#[path = "support/program.rs"]
mod support;

use std::cell::Cell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use roundel::{Error, Order, Queue, sleep, spawn, task_group, timeout, yield_now};
use support::{Farewell, Log, fail, many, simulate, simulate_in};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_group_ends_when_its_last_task_has() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let outcome = task_group(async |group| {
            for seconds in [2, 1] {
                let log = log.clone();
                group.spawn(async move {
                    sleep(seconds * SECOND).await;
                    log.add(seconds.to_string());
                    Ok::<_, Error>(())
                });
            }
            assert_eq!((group.len(), group.is_empty()), (2, false));
            log.add("body");
            Ok(7)
        })
        .await;
        log.add(format!("{}", outcome.unwrap()));
    });
    assert_eq!(said.said(), "body 1 2 7");
}

#[test]
fn the_first_failure_ends_the_others_and_the_body() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let outcome = task_group(async |group| {
            let (body, other) = (
                Farewell(log.clone(), "body"),
                Farewell(log.clone(), "other"),
            );
            group.spawn(async move {
                let _other = other;
                pending::<Result<(), _>>().await
            });
            group.spawn(async {
                sleep(SECOND).await;
                Err::<(), _>("first")
            });
            group.spawn(async {
                sleep(2 * SECOND).await;
                Err::<(), _>("second")
            });
            let _body = body;
            pending::<()>().await;
            Ok(())
        })
        .await;
        assert_eq!(outcome, Err("first"));
        log.add("end");
    });
    assert_eq!(said.said(), "other body end");
}

#[test]
fn a_body_that_fails_ends_its_tasks() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let outcome = task_group(async |group| {
            let farewell = Farewell(log.clone(), "task");
            group.spawn(async move {
                let _farewell = farewell;
                pending::<Result<(), _>>().await
            });
            yield_now().await;
            Err::<(), _>("body")
        })
        .await;
        assert_eq!(outcome, Err("body"));
        log.add("end");
    });
    assert_eq!(said.said(), "task end");
}

#[test]
fn a_panic_in_a_group_is_that_of_who_awaits_it() {
    let outcome = catch_unwind(|| {
        simulate(task_group(async |group| {
            group.spawn(async {
                yield_now().await;
                assert!(pending::<Result<(), ()>>().await.is_ok());
                Ok(())
            });
            group.spawn::<(), _>(async { panic!("in a task") });
            pending::<Result<(), ()>>().await
        }))
    });
    assert_eq!(
        outcome.unwrap_err().downcast_ref::<&str>(),
        Some(&"in a task")
    );
}

#[test]
fn the_handle_of_a_task_that_has_failed_says_that_it_was_cancelled() {
    simulate(async {
        let (sender, receiver) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(None)));
        let kept = Rc::clone(&sender);
        let outcome = task_group(async |group| {
            kept.set(Some(group.spawn(async { Err::<(), _>(1) })));
            pending::<Result<(), _>>().await
        })
        .await;
        receiver.set(sender.take());
        assert_eq!(outcome, Err(1));
        let handle = receiver.take().unwrap();
        assert!(matches!(handle.await, Err(Error::Cancelled)));
    });
}

#[test]
fn to_cancel_a_task_is_no_failure() {
    simulate(async {
        let outcome = task_group(async |group| {
            group.spawn(pending::<Result<(), ()>>()).cancel();
            let other = group.spawn(async { Ok(3) });
            Ok(other.await.unwrap())
        })
        .await;
        assert_eq!(outcome, Ok(3));

        let outcome = task_group(async |group| {
            (0..3).for_each(|_| drop(group.spawn(pending::<Result<(), ()>>())));
            yield_now().await;
            group.cancel();
            Ok(4)
        })
        .await;
        assert_eq!(outcome, Ok(4));
    });
}

struct SpawnWhenDropped<'g>(&'g roundel::TaskGroup<()>, Rc<Cell<bool>>);
impl Drop for SpawnWhenDropped<'_> {
    fn drop(&mut self) {
        let began = Rc::clone(&self.1);
        self.0.spawn(async move {
            began.set(true);
            Ok(())
        });
    }
}

#[test]
fn what_is_spawned_after_a_failure_never_begins() {
    simulate(async {
        let began = Rc::new(Cell::new(false));
        let seen = Rc::clone(&began);
        let outcome = task_group(async |group| {
            let _late = SpawnWhenDropped(group, began);
            group.spawn(async { Err::<(), _>(()) });
            pending::<Result<(), ()>>().await
        })
        .await;
        assert_eq!(outcome, Err(()));
        yield_now().await;
        assert!(!seen.get());
    });
}

#[test]
fn a_group_that_is_dropped_leaves_no_task_behind() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let group = task_group(async |group| {
            for name in ["a", "b"] {
                let farewell = Farewell(log.clone(), name);
                group.spawn(async move {
                    let _farewell = farewell;
                    pending::<Result<(), ()>>().await
                });
            }
            pending::<Result<(), ()>>().await
        });
        assert!(timeout(SECOND, group).await.is_err());
        log.add("main");
    });
    assert_eq!(said.said(), "a b main");
}

#[test]
fn a_task_may_end_its_own_group() {
    simulate(async {
        let queue = Rc::new(Queue::unbounded());
        let owner = spawn({
            let queue = Rc::clone(&queue);
            task_group(async move |group| {
                group.spawn(async move {
                    let owner: roundel::Task = queue.get().await.unwrap();
                    owner.cancel();
                    pending::<Result<(), ()>>().await
                });
                pending::<Result<(), ()>>().await
            })
        });
        queue.try_put(owner.task()).unwrap();
        assert!(matches!(owner.await, Err(Error::Cancelled)));
    });
}

#[test]
fn the_body_may_borrow_what_is_not_its_own() {
    simulate(async {
        let mut sum = 0;
        let numbers = vec![1, 2, 3];
        let outcome = task_group(async |group| {
            for number in &numbers {
                let number = *number;
                sum += group.spawn(async move { Ok::<_, Error>(number) }).await?;
            }
            Ok(())
        })
        .await;
        assert!(outcome.is_ok());
        assert_eq!(sum, 6);
    });
}

#[test]
fn a_group_that_spawns_for_ever_keeps_nothing_of_what_has_ended() {
    simulate(async {
        let outcome = task_group(async |group| {
            group.spawn(async {
                sleep(3600 * SECOND).await;
                Ok::<_, Error>(())
            });
            for _ in 0..many(1_000) {
                group.spawn(async { Ok::<_, Error>(()) }).await?;
                assert_eq!(group.len(), 1);
            }
            group.cancel();
            Ok(())
        })
        .await;
        assert!(outcome.is_ok());
    });
}

#[test]
fn a_group_that_waits_for_good_is_a_deadlock() {
    let error = fail(task_group(async |group| {
        group.spawn(pending::<Result<(), ()>>());
        Ok(())
    }));
    assert!(
        error
            .to_string()
            .contains("main awaits the end of a group of 1 tasks"),
        "{error}"
    );
}

#[test]
fn no_task_outlives_its_group_wherever_that_is_dropped() {
    struct Counted(Rc<Cell<usize>>);
    impl Counted {
        fn new(count: &Rc<Cell<usize>>) -> Self {
            count.set(count.get() + 1);
            Self(Rc::clone(count))
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    let alive = Rc::new(Cell::new(0));
    for seed in 0..many(1_000) {
        let alive = Rc::clone(&alive);
        simulate_in(Order::Seeded(seed), async move {
            let counted = Rc::clone(&alive);
            let group = task_group(async move |group| {
                for number in 0..4 {
                    let counted = Counted::new(&counted);
                    group.spawn(async move {
                        let _counted = counted;
                        for _ in 0..number {
                            yield_now().await;
                        }
                        if number == 3 { Err(()) } else { Ok(()) }
                    });
                    yield_now().await;
                }
                Ok(())
            });
            let task = spawn(group);
            for _ in 0..seed % 10 {
                yield_now().await;
            }
            task.cancel();
            drop(task.await);
            assert_eq!(alive.get(), 0);
        });
    }
}

#[test]
fn a_group_outside_a_runtime_is_refused() {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let group = task_group(async |group| {
            group.spawn(async { Ok::<_, ()>(()) });
            Ok(())
        });
        futures_lite::future::block_on(group)
    }));
    let text = outcome.unwrap_err().downcast::<String>();
    assert!(text.is_ok_and(|text| text.contains("no runtime in this thread")));
}
