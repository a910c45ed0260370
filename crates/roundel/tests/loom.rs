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

    #[allow(dead_code, reason = "written for the crate, of which this is a part")]
    pub(crate) mod pool;

    pub(crate) mod task {
        pub(crate) mod lazy_arc;
    }
}

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};
    pub(crate) use loom::thread;
    pub(crate) use std::sync::PoisonError;

    use std::sync::LockResult;
    use std::time::Duration;

    loom::lazy_static! {
        static ref WAITED_FOR: Mutex<Vec<Arc<Waited>>> = Mutex::new(Vec::new());
    }

    /// Ends the patience of all who wait for no longer than a certain time.
    pub(crate) fn time_is_up() {
        for waited in WAITED_FOR.lock().unwrap().iter() {
            waited.is_over.store(true, Ordering::SeqCst);
            waited.changed.notify_all();
        }
    }

    /// loom's, but for the time that may run out.
    pub(crate) struct Condvar(Arc<Waited>);

    struct Waited {
        changed: loom::sync::Condvar,
        is_over: AtomicBool,
    }

    /// What `std`'s `WaitTimeoutResult` says.
    pub(crate) struct Outcome(bool);

    impl Outcome {
        pub(crate) fn timed_out(&self) -> bool {
            self.0
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(Arc::new(Waited {
                changed: loom::sync::Condvar::new(),
                is_over: AtomicBool::new(false),
            }))
        }

        pub(crate) fn notify_one(&self) {
            self.0.changed.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.changed.notify_all();
        }

        pub(crate) fn wait<'g, T>(
            &self,
            guard: MutexGuard<'g, T>,
        ) -> LockResult<MutexGuard<'g, T>> {
            self.0.changed.wait(guard)
        }

        pub(crate) fn wait_timeout<'g, T>(
            &self,
            guard: MutexGuard<'g, T>,
            _time: Duration,
        ) -> LockResult<(MutexGuard<'g, T>, Outcome)> {
            if !self.0.is_over.load(Ordering::SeqCst) {
                WAITED_FOR.lock().unwrap().push(Arc::clone(&self.0));
            }
            let guard = self.0.changed.wait(guard).unwrap();
            Ok((guard, Outcome(self.0.is_over.load(Ordering::SeqCst))))
        }
    }
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
use loom::cell::UnsafeCell;
use loom::thread;
use program::error::Error;
use program::pool::Pool;
use program::promise::promise;
use program::task::lazy_arc::LazyArc;
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

/// Something that whoever gets at it reads without asking anybody.
struct Made(UnsafeCell<u32>);

impl Made {
    fn new() -> Self {
        let made = Self(UnsafeCell::new(0));
        // SAFETY: nobody else has it yet.
        made.0.with_mut(|place| unsafe { *place = 7 });
        made
    }

    fn read(&self) -> u32 {
        // SAFETY: nobody changes it any more; loom looks whether that is seen.
        self.0.with(|place| unsafe { *place })
    }
}

// SAFETY: as above.
unsafe impl Sync for Made {}
// SAFETY: as above.
unsafe impl Send for Made {}

#[test]
fn all_who_ask_at_once_get_the_same() {
    loom::model(|| {
        let lazy = Arc::new(LazyArc::new());
        let others = [(); 2].map(|()| {
            let lazy = Arc::clone(&lazy);
            thread::spawn(move || {
                let kept = Arc::clone(&lazy.get_or_make(Made::new));
                assert_eq!(kept.read(), 7);
                kept
            })
        });
        if let Some(known) = lazy.get() {
            assert_eq!(known.read(), 7);
        }
        let [one, other] = others.map(|thread| thread.join().unwrap());
        assert!(Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&one, &lazy.get().unwrap()));
        assert_eq!(Arc::strong_count(&one), 3);
    });
}

#[test]
fn what_is_kept_outlives_who_has_lent_it() {
    loom::model(|| {
        let lazy = Arc::new(LazyArc::new());
        let thread = thread::spawn({
            let lazy = Arc::clone(&lazy);
            move || Arc::clone(&lazy.get_or_make(Made::new))
        });
        drop(lazy);
        assert_eq!(thread.join().unwrap().read(), 7);
    });
}

/// Checks what has too many interleavings: those in which threads are interrupted twice at the most.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(check);
}

/// Has a thread of the pool keep a promise.
fn push(pool: &Pool, number: u32) -> program::promise::Promised<u32> {
    let (promise, promised) = promise();
    pool.push(Box::new(move || promise.keep(Ok(number))))
        .unwrap();
    promised
}

#[test]
fn a_pool_does_all_that_it_was_given() {
    model(|| {
        let pool = Pool::new();
        let promised = [push(&pool, 1), push(&pool, 2)];
        assert_eq!(promised.map(|each| each.wait()), [Ok(1), Ok(2)]);
        pool.close();
    });
}

#[test]
fn what_comes_when_patience_ends_is_done() {
    model(|| {
        let pool = Pool::new();
        assert_eq!(push(&pool, 1).wait(), Ok(1));
        let clock = thread::spawn(sync::time_is_up);
        assert_eq!(push(&pool, 2).wait(), Ok(2));
        clock.join().unwrap();
        pool.close();
    });
}

#[test]
fn what_a_closed_pool_has_not_begun_is_dropped() {
    model(|| {
        let pool = Arc::new(Pool::new());
        let promised = push(&pool, 1);
        let closer = thread::spawn({
            let pool = Arc::clone(&pool);
            move || pool.close()
        });
        let outcome = promised.wait();
        assert!(matches!(outcome, Ok(1) | Err(Error::Closed)), "{outcome:?}");
        closer.join().unwrap();
        assert!(pool.push(Box::new(|| unreachable!())).is_err());
    });
}
