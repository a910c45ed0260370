//! Wakers: in this thread and in others, lent and kept, in time and too late.

#[path = "support/program.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use roundel::{Error, Event, Order, Queue, external_work, run, spawn, yield_now};
use support::{runner, simulate};

/// What another thread has to tell, and whom.
#[derive(Default)]
struct Letterbox {
    letter: Option<u32>,
    waker: Option<Waker>,
}

/// A future of what another thread puts into a letterbox.
async fn receive(letterbox: Arc<Mutex<Letterbox>>) -> u32 {
    poll_fn(|cx| {
        let mut letterbox = letterbox.lock().expect("nobody panics with it");
        letterbox.waker = Some(cx.waker().clone());
        letterbox.letter.take().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn send(letterbox: &Mutex<Letterbox>, letter: u32) {
    let mut letterbox = letterbox.lock().expect("nobody panics with it");
    letterbox.letter = Some(letter);
    letterbox.waker.take().into_iter().for_each(Waker::wake);
}

#[test]
fn another_thread_wakes_a_task_on_either_clock() {
    let program = || async {
        let _work = external_work();
        let letterbox = Arc::new(Mutex::default());
        let sender = thread::spawn({
            let letterbox = Arc::clone(&letterbox);
            move || send(&letterbox, 1)
        });
        assert_eq!(receive(letterbox).await, 1);
        sender.join().unwrap();
    };
    for _ in 0..50 {
        run(program());
        simulate(program());
    }
}

#[test]
fn many_threads_wake_many_tasks_many_times() {
    const ROUNDS: usize = 200;
    run(async {
        let pairs: Vec<_> = (0..4)
            .map(|_| {
                let letterbox = Arc::<Mutex<Letterbox>>::default();
                let received = Arc::new(AtomicUsize::new(0));
                let task = spawn({
                    let (letterbox, received) = (Arc::clone(&letterbox), Arc::clone(&received));
                    async move {
                        for _ in 0..ROUNDS {
                            receive(Arc::clone(&letterbox)).await;
                            received.fetch_add(1, SeqCst);
                        }
                    }
                });
                let sender = thread::spawn(move || {
                    for round in 0..ROUNDS {
                        send(&letterbox, 1);
                        while received.load(SeqCst) == round {
                            thread::yield_now();
                        }
                    }
                });
                (task, sender)
            })
            .collect();
        for (task, sender) in pairs {
            task.await.unwrap();
            sender.join().unwrap();
        }
    });
}

#[test]
fn a_lent_waker_may_be_used_and_cloned_by_other_threads() {
    run(async {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            let waker = cx.waker();
            thread::scope(|scope| {
                scope.spawn(|| waker.wake_by_ref());
                scope.spawn(|| drop(waker.clone()));
                scope.spawn(|| {
                    let kept = waker.clone();
                    kept.wake_by_ref();
                    kept.wake();
                });
            });
            if polls < 3 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
        assert_eq!(polls, 3);
    });
}

/// Waits once, woken by whoever calls the waker that `keep` is shown.
async fn woken_by(keep: impl Fn(&Waker)) {
    let mut is_polled = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_polled, true) {
            return Poll::Ready(());
        }
        keep(cx.waker());
        Poll::Pending
    })
    .await;
}

#[test]
fn a_kept_waker_wakes_the_task_it_is_a_clone_of() {
    simulate(async {
        let kept = RefCell::new(Vec::new());
        let keep = |waker: &Waker| kept.borrow_mut().push(waker.clone());
        // The first time it is a lent waker that is cloned, then one that travels already.
        for _ in 0..2 {
            woken_by(|waker| {
                keep(waker);
                waker.wake_by_ref();
            })
            .await;
        }
        let [first, second] = kept.take().try_into().expect("one of each");
        woken_by(|_| first.wake_by_ref()).await;
        woken_by(|_| second.wake_by_ref()).await;
        // What waits within the thread is woken, too, when the task's waker is one that travels.
        let event = Rc::new(Event::new());
        drop(spawn({
            let event = Rc::clone(&event);
            async move { event.set() }
        }));
        event.wait().await;
    });
}

#[test]
fn a_waker_may_outlive_its_task_and_its_runtime() {
    let (ended, left) = run(async {
        let wakers = Rc::new(RefCell::new(Vec::new()));
        for is_ready in [true, false] {
            let wakers = Rc::clone(&wakers);
            drop(spawn(poll_fn(move |cx| {
                wakers.borrow_mut().push(cx.waker().clone());
                if is_ready {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })));
        }
        yield_now().await;
        let mut wakers = wakers.take().into_iter();
        let ended: Waker = wakers.next().unwrap();
        ended.wake_by_ref();
        thread::spawn(move || {
            ended.wake_by_ref();
            ended
        })
        .join()
        .map(|ended| (ended, wakers.next().unwrap()))
        .unwrap()
    });
    ended.wake();
    thread::spawn(move || left.wake()).join().unwrap();
}

#[test]
fn a_waker_that_is_late_does_not_wake_the_next_task_in_the_same_place() {
    run(async {
        let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
        spawn({
            let waker = Rc::clone(&waker);
            poll_fn(move |cx| {
                waker.replace(Some(cx.waker().clone()));
                Poll::Ready(())
            })
        })
        .await
        .unwrap();
        let polls = Rc::new(Cell::new(0));
        drop(spawn({
            let polls = Rc::clone(&polls);
            poll_fn(move |_| -> Poll<()> {
                polls.set(polls.get() + 1);
                Poll::Pending
            })
        }));
        yield_now().await;
        let waker = waker.take().unwrap();
        waker.wake_by_ref();
        thread::scope(|scope| {
            scope.spawn(|| waker.wake_by_ref());
        });
        for _ in 0..5 {
            yield_now().await;
        }
        assert_eq!(polls.get(), 1);
    });
}

#[test]
fn what_is_woken_between_two_runs_goes_on_in_the_next() {
    let mut runner = runner(Order::Fifo);
    let letterbox = Arc::new(Mutex::default());
    let shared = Arc::clone(&letterbox);
    let outcome = runner.run(async {
        let task = spawn(receive(shared));
        yield_now().await;
        [task]
    });
    let [task] = outcome.unwrap();
    thread::spawn(move || send(&letterbox, 7)).join().unwrap();
    assert_eq!(runner.run(task).unwrap().unwrap(), 7);
}

#[test]
fn tasks_of_two_runners_may_wait_for_each_other() {
    let queue = Rc::new(Queue::unbounded());
    let (mut one, mut other) = (runner(Order::Fifo), runner(Order::Fifo));
    let get = |queue: Rc<Queue<u32>>| async move { queue.get().await.unwrap() };
    let shared = Rc::clone(&queue);
    let outcome = one.run(async move {
        let task = spawn(get(shared));
        yield_now().await;
        [task]
    });
    let [task] = outcome.unwrap();
    other
        .run(async move { queue.put(5).await.unwrap() })
        .unwrap();
    assert_eq!(one.run(task).unwrap().unwrap(), 5);
}

/// A waker of somebody else's making, which says that it has been woken and passes it on.
struct Relay {
    is_woken: AtomicBool,
    task: Waker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, SeqCst);
        self.task.wake_by_ref();
    }
}

/// Polls with a waker of its own, as those do that want to know which of several can go on.
async fn relayed<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut relay: Option<Arc<Relay>> = None;
    poll_fn(|cx| {
        if relay
            .as_ref()
            .is_some_and(|relay| !relay.is_woken.load(SeqCst))
        {
            return Poll::Pending;
        }
        let (is_woken, task) = (AtomicBool::new(false), cx.waker().clone());
        let waker = relay.insert(Arc::new(Relay { is_woken, task }));
        future
            .as_mut()
            .poll(&mut Context::from_waker(&Waker::from(Arc::clone(waker))))
    })
    .await
}

#[test]
fn futures_can_be_polled_with_wakers_of_others_making() {
    simulate(async {
        let queue = Rc::new(Queue::bounded(1));
        let putter = spawn({
            let queue = Rc::clone(&queue);
            relayed(async move {
                for number in 0..3 {
                    queue.put(number).await.unwrap();
                    roundel::sleep(std::time::Duration::from_secs(1)).await;
                }
                queue.shutdown();
            })
        });
        for number in 0..3 {
            assert_eq!(relayed(queue.get()).await.unwrap(), number);
        }
        relayed(putter).await.unwrap();
        assert!(matches!(queue.get().await, Err(Error::QueueShutDown)));
    });
}
