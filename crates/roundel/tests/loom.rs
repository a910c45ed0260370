//! Every interleaving of senders and a dispatcher that falls asleep, as far as loom can tell.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --test loom` compiles the inbox anew, with loom's
//! locks and atomics and with a notifier that loom can see through.

#![cfg(loom)]

#[path = "../src/dispatcher/inbox.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for the crate, of which this is a part"
)]
mod inbox;

#[path = "../src/program"]
mod program {
    pub(crate) mod error {
        /// What the crate's error is to a promise and to a queue.
        #[derive(Debug, PartialEq, Eq)]
        pub(crate) enum Error {
            Closed,
            QueueEmpty,
            QueueFull,
            QueueShutDown,
        }
    }

    pub(crate) mod deadlock {
        /// Nobody wants to know.
        pub(crate) fn note(_describe: impl FnOnce() -> String) {}
    }

    pub(crate) mod external {
        /// There is no clock that could jump.
        pub(crate) struct ExternalWork;

        pub(crate) fn external_work() -> ExternalWork {
            ExternalWork
        }
    }

    pub(crate) mod queue {
        /// As the crate's.
        #[derive(Debug)]
        pub(crate) struct Refused<T> {
            pub(crate) item: T,
            pub(crate) error: super::error::Error,
        }
    }

    #[allow(
        dead_code,
        unreachable_pub,
        reason = "written for the crate, of which this is a part"
    )]
    pub(crate) mod thread_queue;

    #[allow(dead_code, reason = "written for the crate, of which this is a part")]
    pub(crate) mod promise;
}

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

mod sys {
    use loom::sync::{Condvar, Mutex};

    /// What an eventfd does, edge-triggered: a notification ends one wait, the present or the next.
    pub(crate) struct Notifier {
        pending: Mutex<bool>,
        changed: Condvar,
    }

    impl Notifier {
        pub(crate) fn new() -> Self {
            Self {
                pending: Mutex::new(false),
                changed: Condvar::new(),
            }
        }

        pub(crate) fn notify(&self) {
            *self.pending.lock().unwrap() = true;
            self.changed.notify_one();
        }

        pub(crate) fn wait(&self) {
            let mut pending = self.pending.lock().unwrap();
            while !*pending {
                pending = self.changed.wait(pending).unwrap();
            }
            *pending = false;
        }
    }
}

use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use inbox::Inbox;
use loom::thread;
use program::error::Error;
use program::promise::promise;
use program::thread_queue::ThreadQueue;
use sync::Arc;
use sys::Notifier;

/// Waits, as a dispatcher does that has nothing else to do, until `count` letters have come.
fn receive(inbox: &Inbox<u32>, notifier: &Notifier, count: usize) -> Vec<u32> {
    let mut received = Vec::new();
    while received.len() < count {
        if !inbox.has_mail() && inbox.fall_asleep() {
            notifier.wait();
            inbox.wake_up();
        }
        let mut letters = Vec::new();
        inbox.collect(&mut letters);
        received.extend(letters);
    }
    received
}

fn office() -> (Arc<Inbox<u32>>, Arc<Notifier>) {
    let notifier = Arc::new(Notifier::new());
    (Arc::new(Inbox::new(Arc::clone(&notifier))), notifier)
}

#[test]
fn a_letter_is_never_slept_through() {
    loom::model(|| {
        let (inbox, notifier) = office();
        let sender = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.push(1).unwrap()
        });
        assert_eq!(receive(&inbox, &notifier, 1), [1]);
        sender.join().unwrap();
    });
}

#[test]
fn letters_of_two_senders_all_arrive() {
    loom::model(|| {
        let (inbox, notifier) = office();
        let senders = [1, 2].map(|letter| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || inbox.push(letter).unwrap())
        });
        let mut received = receive(&inbox, &notifier, 2);
        received.sort_unstable();
        assert_eq!(received, [1, 2]);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn two_letters_of_one_sender_arrive_in_order() {
    loom::model(|| {
        let (inbox, notifier) = office();
        let sender = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || {
                inbox.push(1).unwrap();
                inbox.push(2).unwrap();
            }
        });
        assert_eq!(receive(&inbox, &notifier, 2), [1, 2]);
        sender.join().unwrap();
    });
}

#[test]
fn a_letter_is_either_handed_out_at_the_end_or_returned() {
    loom::model(|| {
        let (inbox, _notifier) = office();
        let sender = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.push(1)
        });
        let left = inbox.close();
        let outcome = sender.join().unwrap();
        assert_eq!(left.len() == 1, outcome.is_ok());
        assert_eq!(inbox.push(2), Err(2));
    });
}

/// A waker that counts, as the runtime's would wake a task.
#[derive(Default)]
struct Counter(std::sync::atomic::AtomicUsize);

impl Wake for Counter {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn a_promise_is_kept_however_it_is_waited_for() {
    loom::model(|| {
        let (promise, promised) = promise();
        let keeper = thread::spawn(move || promise.keep(Ok(7)));
        assert_eq!(promised.wait(), Ok(7));
        keeper.join().unwrap();
    });
    loom::model(|| {
        let (promise, promised) = promise();
        let keeper = thread::spawn(move || promise.keep(Ok(7)));
        let counter = std::sync::Arc::<Counter>::default();
        let waker = Waker::from(std::sync::Arc::clone(&counter));
        let first = promised.poll(&Context::from_waker(&waker));
        keeper.join().unwrap();
        if first.is_pending() {
            assert_eq!(counter.0.load(std::sync::atomic::Ordering::SeqCst), 1);
            let second = promised.poll(&Context::from_waker(&waker));
            assert_eq!(second, Poll::Ready(Ok(7)));
        }
    });
}

#[test]
fn a_promise_that_is_dropped_is_told_to_who_waits() {
    loom::model(|| {
        let (promise, promised) = promise::<u32>();
        let keeper = thread::spawn(move || drop(promise));
        assert_eq!(promised.wait(), Err(Error::Closed));
        keeper.join().unwrap();
    });
}

/// Polls a future to its end, and whenever it is pending waits to be woken, as a runtime does.
fn block_on<F: Future>(future: F) -> F::Output {
    let (inbox, notifier) = office();
    let waker = Waker::from(std::sync::Arc::new(Sender(inbox.clone())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        receive(&inbox, &notifier, 1);
    }
}

/// A waker that sends a letter, as the one of a task does that has gone to another thread.
struct Sender(Arc<Inbox<u32>>);

impl Wake for Sender {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.push(1).ok();
    }
}

#[test]
fn a_task_gets_what_a_thread_puts() {
    loom::model(|| {
        let queue = ThreadQueue::bounded(1);
        let end = queue.thread_end();
        let thread = thread::spawn(move || end.put(1).unwrap());
        assert_eq!(block_on(queue.get()), Ok(1));
        thread.join().unwrap();
    });
}

#[test]
fn a_thread_gets_what_a_task_puts() {
    loom::model(|| {
        let queue = ThreadQueue::bounded(1);
        let end = queue.thread_end();
        let thread = thread::spawn(move || [end.get(), end.get()]);
        block_on(async {
            queue.put(1).await.unwrap();
            queue.put(2).await.unwrap();
        });
        assert_eq!(thread.join().unwrap(), [Ok(1), Ok(2)]);
    });
}

#[test]
fn whoever_waits_hears_that_a_queue_is_shut_down() {
    loom::model(|| {
        let queue = ThreadQueue::<u32>::bounded(1);
        let end = queue.thread_end();
        let thread = thread::spawn(move || end.shutdown());
        assert_eq!(block_on(queue.get()), Err(Error::QueueShutDown));
        thread.join().unwrap();
    });
    loom::model(|| {
        let queue = ThreadQueue::<u32>::bounded(1);
        let end = queue.thread_end();
        let thread = thread::spawn(move || end.get());
        queue.shutdown();
        assert_eq!(thread.join().unwrap(), Err(Error::QueueShutDown));
    });
}

#[test]
fn an_item_is_not_lost_with_who_gives_up_waiting() {
    loom::model(|| {
        let queue = ThreadQueue::bounded(1);
        let end = queue.thread_end();
        let thread = thread::spawn(move || end.put(1).unwrap());
        {
            let counter = std::sync::Arc::<Counter>::default();
            let waker = Waker::from(counter);
            let mut impatient = pin!(queue.get());
            let poll = impatient.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(item) = poll {
                assert_eq!(item, Ok(1));
                return thread.join().unwrap();
            }
        }
        assert_eq!(block_on(queue.get()), Ok(1));
        thread.join().unwrap();
    });
}
