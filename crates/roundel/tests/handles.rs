//! Other threads: what they may ask of a runtime, and what a runtime may have them do.

#[path = "support/program.rs"]
mod support;

use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use roundel::{
    Clock, Error, Handle, Order, Runner, Tracer, external_work, gather, now, run, sleep, spawn,
    to_thread, yield_now,
};
use support::{Log, runner, simulate};

#[test]
fn callbacks_come_in_the_order_of_their_sender_under_any_seed() {
    for seed in 0..if cfg!(miri) { 3 } else { 50 } {
        let outcome = runner(Order::Seeded(seed)).run(async {
            let handle = Handle::current();
            let (sender, receiver) = channel();
            to_thread(move || {
                for number in 0..20 {
                    let sender = sender.clone();
                    handle
                        .call_soon(move || sender.send(number).unwrap())
                        .unwrap();
                }
            })
            .await
            .unwrap();
            // The thread may have ended before this task first looked: then its calls are still on their way.
            let mut received = Vec::new();
            while received.len() < 20 {
                yield_now().await;
                received.extend(receiver.try_iter());
            }
            received
        });
        assert_eq!(outcome.unwrap(), (0..20).collect::<Vec<_>>());
    }
}

#[test]
fn a_thread_starts_tasks_of_either_kind_and_joins_them() {
    run(async {
        let handle = Handle::current();
        let sum = to_thread(move || {
            let one = handle.spawn(async { 1 });
            let two = handle.spawn_with(|| async {
                let local = Rc::new(2);
                yield_now().await;
                *local
            });
            one.join().unwrap() + two.join().unwrap()
        });
        assert_eq!(sum.await.unwrap(), 3);
    });
}

#[test]
fn a_remote_task_tells_of_cancellation_and_panic() {
    run(async {
        let handle = Handle::current();
        let (cancelled, panicked) = to_thread(move || {
            let cancelled = handle.spawn(std::future::pending::<()>());
            cancelled.cancel();
            let panicked = handle.spawn(async { panic!("over there") });
            (cancelled.join(), panicked.join().map(|(): ()| ()))
        })
        .await
        .unwrap();
        assert!(matches!(cancelled, Err(Error::Cancelled)));
        let Err(Error::Panicked(panic)) = panicked else {
            panic!("it has not")
        };
        assert_eq!(panic.message(), Some("over there"));
    });
}

#[test]
fn a_runtime_can_await_a_task_of_another_one() {
    let (sender, receiver) = channel();
    let (stop, stopped) = channel();
    let other = thread::spawn(move || {
        run(async move {
            sender.send(Handle::current()).unwrap();
            to_thread(move || stopped.recv()).await.unwrap().unwrap();
        });
    });
    let handle = receiver.recv().unwrap();
    let answer = run(async move { handle.spawn(async { 6 * 7 }).await });
    assert_eq!(answer.unwrap(), 42);
    stop.send(()).unwrap();
    other.join().unwrap();
}

#[test]
fn a_handle_whose_runtime_has_ended_says_so() {
    let (handle, task) = run(async {
        let handle = Handle::current();
        let task = handle.spawn(std::future::pending::<()>());
        yield_now().await;
        (handle, task)
    });
    assert!(task.is_finished());
    task.cancel();
    assert!(matches!(task.join(), Err(Error::Closed)));
    assert!(matches!(handle.call_soon(|| ()), Err(Error::Closed)));
    assert!(matches!(handle.spawn(async {}).join(), Err(Error::Closed)));
    assert_eq!(Error::Closed.to_string(), "the other end is gone");
}

#[test]
fn to_join_a_task_where_it_runs_is_refused() {
    run(async {
        let task = Handle::current().spawn(async {});
        let outcome = catch_unwind(AssertUnwindSafe(|| task.join()));
        let text = outcome.unwrap_err().downcast_ref::<&str>().copied();
        assert!(
            text.is_some_and(|text| text.contains("await it instead")),
            "{text:?}"
        );
    });
}

#[test]
fn a_callback_that_panics_ends_nothing_and_is_reported() {
    let reported = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&reported);
    let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).unwrap();
    runner.on_unheard_panic(move |panic| reported.borrow_mut().push(panic.to_string()));
    let handle = runner.handle();
    handle.call_soon(|| panic!("in a callback")).unwrap();
    runner
        .run(async {
            yield_now().await;
            let awaited = spawn(async { panic!("awaited") }).named("awaited");
            assert!(awaited.await.map(|(): ()| ()).is_err());
            drop(spawn(async { panic!("detached") }).named("detached"));
            yield_now().await;
        })
        .unwrap();
    assert_eq!(
        *seen.borrow(),
        [
            "a callback has panicked: in a callback",
            "detached has panicked: detached"
        ]
    );
}

#[test]
fn a_panic_whose_handle_is_dropped_unasked_is_reported_then() {
    let log = Log::default();
    let mut runner = runner(Order::Fifo);
    runner.on_unheard_panic({
        let log = log.clone();
        move |panic| log.add(panic.task())
    });
    let said = log.clone();
    runner
        .run(async move {
            let task = spawn(async { panic!("nobody asks") }).named("task");
            yield_now().await;
            assert!(task.is_finished());
            log.add("kept");
            drop(task);
            log.add("dropped");
        })
        .unwrap();
    assert_eq!(said.said(), "kept task dropped");
}

#[test]
fn work_in_threads_goes_on_side_by_side() {
    simulate(async {
        let meeting = Arc::new(Barrier::new(3));
        let meet = || {
            let meeting = Arc::clone(&meeting);
            to_thread(move || meeting.wait().is_leader())
        };
        let leaders = gather([meet(), meet(), meet()]).await;
        assert_eq!(
            leaders
                .into_iter()
                .filter(|leader| *leader.as_ref().unwrap())
                .count(),
            1
        );
    });
}

#[test]
fn more_calls_than_threads_are_all_made() {
    let count = Arc::new(AtomicUsize::new(0));
    run({
        let count = Arc::clone(&count);
        async move {
            gather((0..200).map(|_| {
                let count = Arc::clone(&count);
                to_thread(move || count.fetch_add(1, SeqCst))
            }))
            .await;
        }
    });
    assert_eq!(count.load(SeqCst), 200);
}

#[test]
fn a_virtual_clock_stands_still_while_a_thread_works() {
    simulate(async {
        let began = now();
        let late = spawn(async { sleep(Duration::from_secs(60)).await });
        let (sender, receiver) = channel::<()>();
        let worker = spawn(to_thread(move || receiver.recv().is_err()));
        yield_now().await;
        drop(sender);
        assert!(worker.await.unwrap().unwrap());
        assert_eq!(now(), began);
        late.await.unwrap();
        assert_eq!(now() - began, Duration::from_secs(60));
    });
}

#[test]
fn a_function_that_panics_is_its_callers_error() {
    run(async {
        let outcome = to_thread(|| panic!("far away")).await.map(|(): ()| ());
        let Err(Error::Panicked(panic)) = outcome else {
            panic!("it has not")
        };
        assert_eq!(
            panic.to_string(),
            "a function in another thread has panicked: far away"
        );
        assert_eq!(to_thread(|| 1).await.unwrap(), 1, "the thread goes on");
    });
}

#[test]
fn a_call_that_has_not_begun_is_not_made_for_nobody() {
    let called = Arc::new(AtomicBool::new(false));
    run({
        let called = Arc::clone(&called);
        async move {
            let (sender, receiver) = channel::<()>();
            let receiver = Arc::new(std::sync::Mutex::new(receiver));
            let busy: Vec<_> = (0..32)
                .map(|_| {
                    let receiver = Arc::clone(&receiver);
                    spawn(to_thread(move || receiver.lock().unwrap().recv().is_err()))
                })
                .collect();
            yield_now().await;
            let queued = spawn(to_thread(move || called.store(true, SeqCst)));
            yield_now().await;
            queued.cancel();
            assert!(matches!(queued.await, Err(Error::Cancelled)));
            drop(sender);
            for task in busy {
                task.await.unwrap().unwrap();
            }
        }
    });
    assert!(!called.load(SeqCst));
}

/// Tells a thread that the dispatcher has nothing to do.
struct Starter(Sender<()>);

impl Tracer for Starter {
    fn wait_began(&self, _limit: Option<Duration>) {
        self.0.send(()).ok();
    }
}

#[test]
fn external_work_keeps_a_thread_from_being_taken_for_a_deadlock() {
    let mut runner = runner(Order::Fifo);
    let (starter, started) = channel();
    runner.set_tracer(Some(Rc::new(Starter(starter))));
    let task = Arc::new(Mutex::new(None::<Waker>));
    let thread = thread::spawn({
        let (handle, task) = (runner.handle(), Arc::clone(&task));
        move || {
            started.recv().unwrap();
            let wake = async move { task.lock().unwrap().take().map(Waker::wake) };
            handle.spawn(wake).join()
        }
    });
    let outcome = runner.run(async move {
        let _work = external_work();
        let mut is_first = true;
        poll_fn(|cx| {
            if !std::mem::take(&mut is_first) {
                return Poll::Ready(());
            }
            task.lock().unwrap().replace(cx.waker().clone());
            Poll::Pending
        })
        .await;
        // The thread hears of its callback's end while the runtime is there.
        yield_now().await;
    });
    outcome.unwrap();
    drop(runner);
    assert_eq!(thread.join().unwrap().unwrap(), Some(()));
}
