//! Tasks: when they run, how they end, and who hears of it.

#![allow(
    clippy::async_yields_async,
    reason = "some handles are handed out of a run"
)]

#[path = "support/program.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use roundel::{Error, Event, JoinHandle, Order, gather, run, sleep, spawn, yield_now};
use support::{Farewell, Log, runner, simulate, simulate_in};

#[test]
fn a_task_begins_in_the_next_turn() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let task = spawn({
            let log = log.clone();
            async move { log.add("task") }
        });
        log.add("main");
        task.await.unwrap();
    });
    assert_eq!(said.said(), "main task");
}

#[test]
fn tasks_take_turns_and_main_is_one_of_them() {
    let log = Log::default();
    let said = log.clone();
    let speak = async |log: Log, name: &'static str| {
        for _ in 0..2 {
            log.add(name);
            yield_now().await;
        }
    };
    simulate(async move {
        drop(spawn(speak(log.clone(), "a")));
        drop(spawn(speak(log.clone(), "b")));
        speak(log.clone(), "main").await;
        log.add("end");
    });
    assert_eq!(said.said(), "main a b main a b end");
}

#[test]
fn who_wakes_itself_goes_to_the_back() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let event = Rc::new(Event::new());
        let woken = spawn({
            let (event, log) = (Rc::clone(&event), log.clone());
            async move {
                event.wait().await;
                log.add("woken");
            }
        });
        yield_now().await;
        poll_fn({
            let mut is_first = true;
            move |cx| {
                if !std::mem::take(&mut is_first) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                event.set();
                Poll::Pending
            }
        })
        .await;
        log.add("self");
        woken.await.unwrap();
    });
    assert_eq!(said.said(), "woken self");
}

#[test]
fn however_often_it_is_woken_a_task_is_polled_once() {
    let polls = simulate(async {
        let polls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&polls);
        drop(spawn(poll_fn(move |cx| -> Poll<()> {
            counter.set(counter.get() + 1);
            if counter.get() == 1 {
                let waker = cx.waker().clone();
                (0..5).for_each(|_| cx.waker().wake_by_ref());
                (0..5).for_each(|_| waker.wake_by_ref());
            }
            Poll::Pending
        })));
        for _ in 0..10 {
            yield_now().await;
        }
        polls.get()
    });
    assert_eq!(polls, 2);
}

#[test]
fn a_task_goes_on_without_its_handle() {
    let done = Rc::new(Cell::new(false));
    let seen = Rc::clone(&done);
    simulate(async move {
        drop(spawn(async move {
            sleep(Duration::from_secs(1)).await;
            done.set(true);
        }));
        sleep(Duration::from_secs(2)).await;
    });
    assert!(seen.get());
}

#[test]
fn a_panic_ends_its_task_only_and_is_handed_to_who_awaits_it() {
    simulate(async {
        let outcome = spawn(async { panic!("over {}", "there") }).await;
        let error = outcome.map(|never: Infallible| never).unwrap_err();
        assert!(
            error.to_string().ends_with(" has panicked: over there"),
            "{error}"
        );
        let Err(Error::Panicked(panic)) = spawn(async { panic!("here") }).await else {
            unreachable!("it has panicked")
        };
        assert_eq!(panic.into_payload().downcast_ref::<&str>(), Some(&"here"));
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    });
}

#[test]
fn a_future_that_panics_when_dropped_counts_as_panicked() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    simulate(async {
        let cancelled = spawn(async {
            let _bomb = Bomb;
            pending::<()>().await;
        });
        yield_now().await;
        cancelled.cancel();
        assert!(matches!(cancelled.await, Err(Error::Panicked(_))));

        let mut bomb = Some(Bomb);
        let finished = spawn(poll_fn(move |_| {
            let _stays = &mut bomb;
            Poll::Ready(())
        }));
        assert!(matches!(finished.await, Err(Error::Panicked(_))));
    });
}

#[test]
fn a_panic_of_main_is_that_of_run() {
    let outcome = catch_unwind(|| run(async { panic!("main") }));
    assert_eq!(outcome.unwrap_err().downcast_ref::<&str>(), Some(&"main"));
    assert_eq!(run(async { 1 }), 1);
}

#[test]
fn a_task_cancelled_before_it_began_is_never_polled() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let farewell = Farewell(log.clone(), "dropped");
        let task = spawn(async move {
            let Farewell(log, _) = &farewell;
            log.add("polled");
        });
        assert!(task.cancel());
        assert!(
            !task.is_finished(),
            "it is dropped in its turn, not within this call"
        );
        log.add("main");
        assert!(matches!(task.await, Err(Error::Cancelled)));
    });
    assert_eq!(said.said(), "main dropped");
}

#[test]
fn a_cancelled_task_is_dropped_before_who_awaits_it_goes_on() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let farewell = Farewell(log.clone(), "dropped");
        let task = spawn(async move {
            let _farewell = farewell;
            pending::<()>().await;
        });
        yield_now().await;
        assert!(task.cancel());
        assert!(task.cancel(), "it has not ended yet");
        assert!(matches!(task.await, Err(Error::Cancelled)));
        log.add("main");
    });
    assert_eq!(said.said(), "dropped main");
}

#[test]
fn a_task_that_has_ended_can_not_be_cancelled() {
    simulate(async {
        let task = spawn(async { 1 });
        yield_now().await;
        assert!(task.is_finished());
        assert!(!task.cancel());
        assert_eq!(task.await.unwrap(), 1);
    });
}

#[test]
fn a_task_that_cancels_itself_ends_after_its_poll() {
    simulate(async {
        let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
        let done = Rc::new(Cell::new(0));
        let task = spawn({
            let (own, done) = (Rc::clone(&own), Rc::clone(&done));
            async move {
                assert!(own.borrow().as_ref().unwrap().cancel());
                done.set(1);
                yield_now().await;
                done.set(2);
            }
        });
        own.replace(Some(task));
        yield_now().await;
        yield_now().await;
        let task = own.take().unwrap();
        assert!(matches!(task.await, Err(Error::Cancelled)));
        assert_eq!(done.get(), 1);
    });
}

#[test]
fn tasks_left_over_are_dropped_with_the_runtime() {
    let log = Log::default();
    let said = log.clone();
    run(async move {
        let farewell = Farewell(log.clone(), "task");
        drop(spawn(async move {
            let _farewell = farewell;
            pending::<()>().await;
        }));
        yield_now().await;
        log.add("main");
    });
    assert_eq!(said.said(), "main task");
}

#[test]
fn tasks_spawned_while_the_runtime_ends_are_dropped_too() {
    struct Spawner(Log);
    impl Drop for Spawner {
        fn drop(&mut self) {
            let farewell = Farewell(self.0.clone(), "late");
            drop(spawn(async move {
                let Farewell(log, _) = &farewell;
                log.add("polled");
            }));
        }
    }

    let log = Log::default();
    let said = log.clone();
    run(async move {
        let spawner = Spawner(log);
        drop(spawn(async move {
            let _spawner = spawner;
            pending::<()>().await;
        }));
        yield_now().await;
    });
    assert_eq!(said.said(), "late");
}

#[test]
fn tasks_go_on_in_the_next_run_of_a_runner() {
    let mut runner = runner(Order::Fifo);
    let task = runner.run(async {
        let task = spawn(async {
            sleep(Duration::from_secs(1)).await;
            1
        });
        yield_now().await;
        task
    });
    let task = task.unwrap();
    assert!(!task.is_finished());
    assert_eq!(runner.run(task).unwrap().unwrap(), 1);
}

#[test]
fn a_handle_may_outlive_the_runtime() {
    let (ended, left) = run(async {
        let ended = spawn(async { String::from("result") });
        let left = spawn(pending::<()>());
        yield_now().await;
        (ended, left)
    });
    assert!(ended.is_finished() && left.is_finished());
    assert_eq!(run(ended).unwrap(), "result");
    assert!(!left.cancel());
    assert!(matches!(run(left), Err(Error::Cancelled)));
}

#[test]
fn nothing_of_a_runtime_stays_in_memory() {
    let trace: Rc<()> = Rc::new(());
    let watched: Weak<()> = Rc::downgrade(&trace);
    let handle = run(async move {
        let event = Rc::new(Event::new());
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let (trace, event) = (Rc::clone(&trace), Rc::clone(&event));
                spawn(async move {
                    match number % 4 {
                        0 => event.wait().await,
                        1 => sleep(Duration::from_secs(1_000)).await,
                        2 => panic!("{}", Rc::strong_count(&trace)),
                        _ => pending().await,
                    }
                    drop(trace);
                })
            })
            .collect();
        yield_now().await;
        let waiting = spawn(async move {
            for task in tasks {
                assert!(task.await.is_ok());
            }
        });
        yield_now().await;
        waiting
    });
    assert_eq!(watched.strong_count(), 0);
    drop(handle);
}

#[test]
fn a_handle_tells_its_tasks_name() {
    simulate(async {
        let task = spawn(async {});
        assert!(task.name().starts_with("the task spawned at "));
        assert!(task.name().contains("tests/tasks.rs"));
        let task = task.named("worker");
        assert_eq!(task.name(), "worker");
        assert_eq!(
            format!("{task:?}"),
            "JoinHandle { task: \"worker\", finished: false, .. }"
        );
    });
}

#[test]
#[should_panic(expected = "there is no runtime in this thread")]
fn to_spawn_without_a_runtime_is_a_bug() {
    drop(spawn(async {}));
}

#[test]
fn to_run_within_a_run_is_a_bug_that_breaks_nothing() {
    simulate(async {
        let nested = catch_unwind(AssertUnwindSafe(|| run(async {})));
        let payload = nested.unwrap_err();
        let message = payload.downcast_ref::<&str>().unwrap();
        assert!(message.contains("runs a runtime already"), "{message}");
        assert_eq!(spawn(async { 1 }).await.unwrap(), 1);
    });
}

#[test]
fn gathered_futures_run_side_by_side() {
    let log = Log::default();
    let said = log.clone();
    let speak = async |log: Log, name: &'static str, seconds| {
        sleep(Duration::from_secs(seconds)).await;
        log.add(name);
        name
    };
    let names = simulate(async move {
        let (a, b, c) = gather!(
            speak(log.clone(), "a", 3),
            speak(log.clone(), "b", 1),
            speak(log.clone(), "c", 2),
        )
        .await;
        [a, b, c]
    });
    assert_eq!((names, said.said().as_str()), (["a", "b", "c"], "b c a"));
}

#[test]
fn to_gather_nothing_gives_nothing() {
    simulate(async {
        let () = gather!().await;
        assert_eq!(gather(Vec::<std::future::Ready<()>>::new()).await, []);
    });
}

#[test]
fn dropping_a_gathering_cancels_what_is_gathered() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let wait = |name| {
            let farewell = Farewell(log.clone(), name);
            async move {
                let _farewell = farewell;
                pending::<()>().await;
            }
        };
        let one = gather!(wait("a"), wait("b"));
        let other = gather(["c", "d"].map(wait));
        yield_now().await;
        drop(one);
        drop(other);
        yield_now().await;
        assert_eq!(log.said(), "a b c d");
    });
    assert_eq!(said.said(), "");
}

#[test]
fn a_panic_in_a_gathered_future_goes_on_in_who_gathers() {
    simulate(async {
        let bad = async || -> u32 { panic!("two") };
        let outcome = spawn(async move { gather!(async { 1 }, bad()).await }).await;
        assert!(
            outcome
                .unwrap_err()
                .to_string()
                .ends_with(" has panicked: two")
        );
        let outcome = spawn(async move { gather([bad(), bad()]).await }).await;
        assert!(
            outcome
                .unwrap_err()
                .to_string()
                .ends_with(" has panicked: two")
        );
    });
}

#[test]
fn a_seed_decides_on_the_order_of_tasks() {
    let order_of = |seed| {
        let log = Log::default();
        let said = log.clone();
        simulate_in(Order::Seeded(seed), async move {
            gather((0..6).map(|number| {
                let log = log.clone();
                async move { log.add(number.to_string()) }
            }))
            .await;
        });
        said.said()
    };
    let orders: Vec<_> = (0..20).map(order_of).collect();
    assert!(orders.windows(2).any(|pair| pair[0] != pair[1]));
    assert_eq!(orders, (0..20).map(order_of).collect::<Vec<_>>());
}
