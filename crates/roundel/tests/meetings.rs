//! Random programs on what tasks meet at, beside models that are slow and obvious.
//!
//! A program is a list of acts, each followed by what everybody does who can go on. After each act
//! everybody must have come as far as the model says.

#[path = "support/program.rs"]
mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use roundel::{Barrier, Error, Event, JoinHandle, Lock, oneshot, sleep, spawn};
use support::simulate;

/// Lets everybody go on who can: on a virtual clock the next moment comes when all of them wait.
async fn settle() {
    sleep(Duration::from_nanos(1)).await;
}

/// What has become of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waiting,
    Passed,
    /// Passed, and has been the one that all were waiting for.
    PassedLast,
    Refused,
    Cancelled,
}

/// Tasks by their numbers, and what has become of each.
#[derive(Default)]
struct Crowd {
    tasks: Vec<JoinHandle<()>>,
    fates: Rc<RefCell<Vec<Fate>>>,
}

impl Crowd {
    fn send(&mut self, wait: impl Future<Output = Fate> + 'static) {
        let (number, fates) = (self.tasks.len(), Rc::clone(&self.fates));
        fates.borrow_mut().push(Fate::Waiting);
        self.tasks.push(spawn(async move {
            let fate = wait.await;
            fates.borrow_mut()[number] = fate;
        }));
    }

    fn cancel(&self, number: usize) {
        if let Some(task) = self.tasks.get(number)
            && task.cancel()
        {
            self.fates.borrow_mut()[number] = Fate::Cancelled;
        }
    }
}

/// Tells those who wait in a model what has become of them.
fn release(fates: &mut [Fate], fate: Fate) {
    let waiting = fates.iter_mut().filter(|known| **known == Fate::Waiting);
    waiting.for_each(|known| *known = fate);
}

fn cancel(fates: &mut [Fate], number: usize) {
    if let Some(fate @ Fate::Waiting) = fates.get_mut(number) {
        *fate = Fate::Cancelled;
    }
}

#[derive(Clone, Copy, Debug)]
enum AtBarrier {
    Wait,
    Cancel(usize),
    Abort,
    Reset,
}

#[derive(Clone, Copy, Debug)]
enum AtEvent {
    Wait,
    Cancel(usize),
    Set,
    Clear,
    /// Those who wait go on, though the flag is down again by then.
    Flash,
}

#[derive(Clone, Copy, Debug)]
enum AtLock {
    Acquire,
    /// Whoever has it, or waits for it, gives up.
    Cancel(usize),
    Try,
}

#[derive(Clone, Copy, Debug)]
enum WithOneshot {
    Send,
    DropSender,
    Poll,
    TryGet,
    DropReceiver,
}

/// Counts how often it has been woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 300 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_barrier_does_as_its_model(
        parties in 1..4_usize,
        acts in vec(prop_oneof![
            6 => Just(AtBarrier::Wait),
            2 => (0..12_usize).prop_map(AtBarrier::Cancel),
            1 => Just(AtBarrier::Abort),
            1 => Just(AtBarrier::Reset),
        ], 1..40),
    ) {
        simulate(async move {
            let barrier = Rc::new(Barrier::new(parties));
            let (mut crowd, mut fates, mut is_broken) = (Crowd::default(), Vec::new(), false);
            for act in acts {
                match act {
                    AtBarrier::Wait => {
                        let barrier = Rc::clone(&barrier);
                        crowd.send(async move {
                            match barrier.wait().await {
                                Ok(false) => Fate::Passed,
                                Ok(true) => Fate::PassedLast,
                                Err(_) => Fate::Refused,
                            }
                        });
                        let waiting = fates.iter().filter(|fate| **fate == Fate::Waiting).count();
                        let fate = if is_broken {
                            Fate::Refused
                        } else if waiting + 1 == parties {
                            release(&mut fates, Fate::Passed);
                            Fate::PassedLast
                        } else {
                            Fate::Waiting
                        };
                        fates.push(fate);
                    }
                    AtBarrier::Cancel(number) => {
                        crowd.cancel(number);
                        cancel(&mut fates, number);
                    }
                    AtBarrier::Abort => {
                        barrier.abort();
                        is_broken = true;
                        release(&mut fates, Fate::Refused);
                    }
                    AtBarrier::Reset => {
                        barrier.reset();
                        is_broken = false;
                        release(&mut fates, Fate::Refused);
                    }
                }
                settle().await;
                assert_eq!(*crowd.fates.borrow(), fates, "after {act:?}");
                let waiting = fates.iter().filter(|fate| **fate == Fate::Waiting).count();
                assert_eq!((barrier.waiting(), barrier.is_broken()), (waiting, is_broken));
            }
        });
    }

    #[test]
    fn an_event_does_as_its_model(
        acts in vec(prop_oneof![
            4 => Just(AtEvent::Wait),
            2 => (0..12_usize).prop_map(AtEvent::Cancel),
            1 => Just(AtEvent::Set),
            1 => Just(AtEvent::Clear),
            1 => Just(AtEvent::Flash),
        ], 1..40),
    ) {
        simulate(async move {
            let event = Rc::new(Event::new());
            let (mut crowd, mut fates, mut is_set) = (Crowd::default(), Vec::new(), false);
            for act in acts {
                match act {
                    AtEvent::Wait => {
                        let event = Rc::clone(&event);
                        crowd.send(async move {
                            event.wait().await;
                            Fate::Passed
                        });
                        fates.push(if is_set { Fate::Passed } else { Fate::Waiting });
                    }
                    AtEvent::Cancel(number) => {
                        crowd.cancel(number);
                        cancel(&mut fates, number);
                    }
                    AtEvent::Set => {
                        event.set();
                        is_set = true;
                        release(&mut fates, Fate::Passed);
                    }
                    AtEvent::Clear => {
                        event.clear();
                        is_set = false;
                    }
                    AtEvent::Flash => {
                        event.set();
                        event.clear();
                        is_set = false;
                        release(&mut fates, Fate::Passed);
                    }
                }
                settle().await;
                assert_eq!(*crowd.fates.borrow(), fates, "after {act:?}");
                assert_eq!(event.is_set(), is_set);
            }
        });
    }

    #[test]
    fn a_lock_does_as_its_model(
        acts in vec(prop_oneof![
            4 => Just(AtLock::Acquire),
            4 => (0..12_usize).prop_map(AtLock::Cancel),
            1 => Just(AtLock::Try),
        ], 1..40),
    ) {
        simulate(async move {
            let lock = Rc::new(Lock::new(Vec::new()));
            // Who has had it, in order; who has it now; who waits.
            let (mut had, mut holder, mut line) = (Vec::new(), None, VecDeque::new());
            let mut tasks: Vec<JoinHandle<()>> = Vec::new();
            for act in acts {
                match act {
                    AtLock::Acquire => {
                        let (number, lock) = (tasks.len(), Rc::clone(&lock));
                        line.push_back(number);
                        tasks.push(spawn(async move {
                            lock.acquire().await.push(number);
                            let _guard = lock.acquire().await;
                            std::future::pending::<()>().await;
                        }));
                        // Between its two turns come all the others.
                    }
                    AtLock::Cancel(number) => {
                        if let Some(task) = tasks.get(number) {
                            task.cancel();
                        }
                        line.retain(|other| *other != number);
                        holder = holder.filter(|other| *other != number);
                    }
                    AtLock::Try => assert_eq!(lock.try_acquire().is_some(), holder.is_none()),
                }
                // Who has had its first turn waits at the back for the one that it keeps.
                while holder.is_none()
                    && let Some(next) = line.pop_front()
                {
                    if had.contains(&next) {
                        holder = Some(next);
                    } else {
                        had.push(next);
                        line.push_back(next);
                    }
                }
                settle().await;
                assert_eq!(lock.try_acquire().is_some(), holder.is_none(), "after {act:?}");
                if let Some(guard) = lock.try_acquire() {
                    assert_eq!(*guard, had);
                }
            }
        });
    }

    #[test]
    fn a_oneshot_does_as_its_model(
        acts in vec(prop_oneof![
            2 => Just(WithOneshot::Send),
            1 => Just(WithOneshot::DropSender),
            6 => Just(WithOneshot::Poll),
            2 => Just(WithOneshot::TryGet),
            1 => Just(WithOneshot::DropReceiver),
        ], 1..12),
    ) {
        simulate(async move {
            let (sender, receiver) = oneshot::channel();
            let (mut sender, mut receiver) = (Some(sender), Some(receiver));
            let (mut is_there, mut is_awaited) = (false, false);
            let bell = Arc::<Bell>::default();
            let mut rung = 0;
            for act in acts {
                match act {
                    WithOneshot::Send => {
                        if let Some(sender) = sender.take() {
                            assert_eq!(sender.is_closed(), receiver.is_none());
                            is_there = receiver.is_some();
                            assert_eq!(sender.send(7), if is_there { Ok(()) } else { Err(7) });
                            rung += usize::from(std::mem::take(&mut is_awaited));
                        }
                    }
                    WithOneshot::DropSender => {
                        if sender.take().is_some() {
                            rung += usize::from(std::mem::take(&mut is_awaited));
                        }
                    }
                    WithOneshot::Poll => {
                        let waker = Waker::from(Arc::clone(&bell));
                        let mut cx = Context::from_waker(&waker);
                        if let Some(receiver) = &mut receiver {
                            let poll = Pin::new(receiver).poll(&mut cx);
                            is_awaited = !is_there && sender.is_some();
                            match poll {
                                Poll::Ready(Ok(7)) => assert!(std::mem::take(&mut is_there)),
                                Poll::Ready(Err(Error::Closed)) => {
                                    assert!(!is_there && sender.is_none());
                                }
                                Poll::Pending => assert!(is_awaited),
                                other @ Poll::Ready(_) => panic!("{other:?}"),
                            }
                        }
                    }
                    WithOneshot::TryGet => {
                        match receiver.as_mut().map(oneshot::Receiver::try_get) {
                            Some(Ok(_)) => assert!(std::mem::take(&mut is_there)),
                            Some(Err(Error::QueueEmpty)) => assert!(sender.is_some()),
                            Some(Err(_)) => assert!(!is_there && sender.is_none()),
                            None => {}
                        }
                    }
                    WithOneshot::DropReceiver => {
                        receiver = None;
                        (is_there, is_awaited) = (false, false);
                    }
                }
                assert_eq!(bell.0.load(Ordering::Relaxed), rung, "after {act:?}");
            }
        });
    }
}
