//! Deadlocks: found out, and told who waits for what.

#[path = "support/program.rs"]
mod support;

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use roundel::{
    Clock, Deadlock, Error, Event, JoinHandle, Lock, Order, Queue, Runner, external_work, gather,
    run, spawn, timeout, yield_now,
};
use support::{Farewell, Log, fail, runner, simulate};

/// Runs a program that must deadlock, and returns the report.
fn deadlock<F: Future + 'static>(program: F) -> Deadlock {
    match fail(program) {
        Error::Deadlock(deadlock) => deadlock,
        error => panic!("{error}"),
    }
}

/// Returns who awaits what, without the places in the source.
fn who_awaits_what(deadlock: &Deadlock) -> Vec<String> {
    let without_place = |awaits: &String| match awaits.split_once(" made at") {
        Some((what, _)) => what.to_owned(),
        None => awaits.clone(),
    };
    let blocked = deadlock.blocked().iter();
    blocked
        .map(|blocked| {
            let awaits: Vec<_> = blocked.awaits().iter().map(without_place).collect();
            format!("{}: {}", blocked.task(), awaits.join(" + "))
        })
        .collect()
}

#[test]
fn two_tasks_that_hold_what_the_other_wants_are_told_apart() {
    let report = deadlock(async {
        let [left, right] = [Rc::new(Lock::new(())), Rc::new(Lock::new(()))];
        let eat = |first: Rc<Lock>, second: Rc<Lock>| async move {
            let _first = first.acquire().await;
            yield_now().await;
            let _second = second.acquire().await;
        };
        let a = spawn(eat(Rc::clone(&left), Rc::clone(&right))).named("a");
        let b = spawn(eat(right, left)).named("b");
        drop(a.await);
        drop(b.await);
    });
    let text = report.to_string();
    assert_eq!(
        who_awaits_what(&report),
        [
            "main: the end of a",
            "a: Lock::acquire, of the lock",
            "b: Lock::acquire, of the lock"
        ]
    );
    assert!(text.contains("and held by b"), "{text}");
    assert!(text.contains("and held by a"), "{text}");
    assert!(text.contains("tests/deadlock.rs:"), "{text}");
}

#[test]
fn every_future_says_what_it_waits_for() {
    let report = deadlock(async {
        let queue = Rc::new(Queue::bounded(1));
        queue.try_put(1).unwrap();
        let empty = Rc::new(Queue::<u32>::unbounded());
        let shared = Rc::clone(&queue);
        drop(spawn(async move { shared.put(2).await }).named("putter"));
        drop(spawn(async move { empty.get().await }).named("getter"));
        drop(spawn(async move { queue.join().await }).named("joiner"));
        drop(spawn(pending::<()>()).named("stranger"));
        let event = Rc::new(Event::new());
        let copy = Rc::clone(&event);
        let wait = |event: Rc<Event>| async move { event.wait().await };
        gather!(wait(event), wait(copy)).await;
    });
    let lines = who_awaits_what(&report);
    let expected = [
        "putter: Queue::put, of the queue",
        "getter: Queue::get, of the queue",
        "joiner: Queue::join, of the queue",
        "stranger: ",
    ];
    for line in expected {
        assert!(
            lines.iter().any(|said| said == line),
            "{line} not in {lines:?}"
        );
    }
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.ends_with("Event::wait, of the event"))
            .count(),
        2
    );
    assert!(
        report
            .to_string()
            .contains("stranger awaits something unknown to roundel")
    );
}

#[test]
fn a_task_that_awaits_itself_is_blocked() {
    let report = deadlock(async {
        let handles = Rc::new(Queue::unbounded());
        let own = spawn({
            let handles = Rc::clone(&handles);
            async move {
                let own: JoinHandle<()> = handles.get().await.unwrap();
                drop(own.await);
            }
        });
        handles.try_put(own.named("self")).unwrap();
        handles.join().await;
    });
    let expected = ["main: Queue::join, of the queue", "self: the end of self"];
    assert_eq!(who_awaits_what(&report), expected);
}

#[test]
fn main_is_dropped_and_the_rest_with_the_runner() {
    let log = Log::default();
    let mut runner = runner(Order::Fifo);
    let farewells = ["main", "task"].map(|name| Farewell(log.clone(), name));
    let outcome = runner.run(async move {
        let [main, task] = farewells;
        let _main = main;
        drop(spawn(async move {
            let _task = task;
            pending::<()>().await;
        }));
        pending::<()>().await;
    });
    assert!(matches!(outcome, Err(Error::Deadlock(_))));
    assert_eq!(log.said(), "main");
    assert_eq!(runner.run(async { 1 }).unwrap(), 1);
    drop(runner);
    assert_eq!(log.said(), "task");
}

#[test]
fn a_deadlock_can_be_looked_for_on_a_real_clock() {
    let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).unwrap();
    runner.detect_deadlocks(true);
    let outcome = runner.run(async { Event::new().wait().await });
    assert!(matches!(outcome, Err(Error::Deadlock(_))));
}

#[test]
fn who_waits_for_a_time_or_a_thread_is_not_blocked() {
    simulate(async {
        let event = Event::new();
        assert!(timeout(Duration::from_secs(1), event.wait()).await.is_err());
        let work = external_work();
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let waker: Waker = receiver.recv().unwrap();
            waker.wake();
        });
        let mut sender = Some(sender);
        poll_fn(|cx| match sender.take() {
            Some(sender) => {
                sender.send(cx.waker().clone()).unwrap();
                Poll::Pending
            }
            None => Poll::Ready(()),
        })
        .await;
        thread.join().unwrap();
        drop(work);
    });
}

#[test]
fn who_gets_on_when_asked_was_not_blocked() {
    let outcome = simulate(async {
        // Ready when polled for the second time, although nobody wakes it.
        let mut polls = 0;
        poll_fn(move |_| {
            polls += 1;
            if polls < 2 {
                Poll::Pending
            } else {
                Poll::Ready(polls)
            }
        })
        .await
    });
    assert_eq!(outcome, 2);
}

#[test]
fn a_run_on_a_real_clock_waits_for_whoever_may_come() {
    // No deadlock is looked for: a thread wakes the task, although nobody has said so.
    run(async {
        let mut is_first = true;
        poll_fn(|cx| {
            if !std::mem::take(&mut is_first) {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        })
        .await;
    });
}
