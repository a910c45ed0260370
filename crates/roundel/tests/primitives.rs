//! Random programs on the primitives, beside models that are slow and obvious.
//!
//! A program is a list of acts, each done in a turn of its own and followed by what everybody does who
//! can go on. After each act, who has got what must be as the model says.

#[path = "support/program.rs"]
mod support;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use roundel::{
    Condition, Error, JoinHandle, LifoQueue, Lock, PriorityQueue, Queue, Semaphore, ThreadQueue,
    now, sleep, spawn, watch,
};
use support::simulate;

/// Lets everybody go on who can: on a virtual clock the next moment comes when all of them wait.
async fn settle() {
    sleep(Duration::from_nanos(1)).await;
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A task puts, or acquires, or waits.
    Put(u8),
    Get,
    TryPut(u8),
    TryGet,
    /// The task that was started so-manieth is cancelled.
    Cancel(usize),
    ShutDown,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => any::<u8>().prop_map(Act::Put),
        6 => Just(Act::Get),
        2 => any::<u8>().prop_map(Act::TryPut),
        2 => Just(Act::TryGet),
        3 => (0..20_usize).prop_map(Act::Cancel),
        1 => Just(Act::ShutDown),
    ];
    vec(act, 1..40)
}

/// In which order a model gives back what it is given.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Fifo,
    Lifo,
    Priority,
}

/// A queue as one would explain it: whenever something has changed, whoever can be served is.
struct Model {
    kind: Kind,
    limit: usize,
    items: Vec<u8>,
    getters: VecDeque<usize>,
    putters: VecDeque<(usize, u8)>,
    is_shut_down: bool,
    /// What each task has come to, by its number: an item, or that it was put; or an error.
    outcomes: Vec<Option<Outcome>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Got(u8),
    Put,
    ShutDown,
    Cancelled,
}

impl Model {
    fn take(&mut self) -> Option<u8> {
        let place = match self.kind {
            Kind::Fifo => 0,
            Kind::Lifo => self.items.len().checked_sub(1)?,
            Kind::Priority => {
                let greatest = *self.items.iter().max()?;
                self.items.iter().position(|item| *item == greatest)?
            }
        };
        (place < self.items.len()).then(|| self.items.remove(place))
    }

    fn serve(&mut self) {
        loop {
            if self.is_shut_down {
                for (putter, _) in self.putters.drain(..) {
                    self.outcomes[putter] = Some(Outcome::ShutDown);
                }
            }
            if !self.items.is_empty()
                && let Some(getter) = self.getters.pop_front()
            {
                self.outcomes[getter] = self.take().map(Outcome::Got);
            } else if self.items.len() < self.limit
                && let Some((putter, item)) = self.putters.pop_front()
            {
                self.items.push(item);
                self.outcomes[putter] = Some(Outcome::Put);
            } else {
                break;
            }
        }
        if self.is_shut_down {
            for getter in self.getters.drain(..) {
                self.outcomes[getter] = Some(Outcome::ShutDown);
            }
        }
    }

    fn start(&mut self) -> usize {
        self.outcomes.push(None);
        self.outcomes.len() - 1
    }

    fn cancel(&mut self, number: usize) {
        if let Some(outcome @ None) = self.outcomes.get_mut(number) {
            *outcome = Some(Outcome::Cancelled);
            self.getters.retain(|getter| *getter != number);
            self.putters.retain(|(putter, _)| *putter != number);
        }
    }
}

/// Runs a program on a queue and on its model.
macro_rules! compare {
    ($make:expr, $kind:expr, $limit:expr, $acts:expr) => {{
        let (limit, acts): (usize, Vec<Act>) = ($limit, $acts);
        simulate(async move {
            let queue = Rc::new($make(limit));
            let mut model = Model {
                kind: $kind,
                limit,
                items: Vec::new(),
                getters: VecDeque::new(),
                putters: VecDeque::new(),
                is_shut_down: false,
                outcomes: Vec::new(),
            };
            let outcomes = Rc::new(RefCell::new(Vec::<Option<Outcome>>::new()));
            let mut tasks: Vec<JoinHandle<()>> = Vec::new();
            for act in acts {
                match act {
                    Act::Put(item) => {
                        let number = model.start();
                        model.putters.push_back((number, item));
                        outcomes.borrow_mut().push(None);
                        let (queue, outcomes) = (Rc::clone(&queue), Rc::clone(&outcomes));
                        tasks.push(spawn(async move {
                            let outcome = match queue.put(item).await {
                                Ok(()) => Outcome::Put,
                                Err(_) => Outcome::ShutDown,
                            };
                            outcomes.borrow_mut()[number] = Some(outcome);
                        }));
                    }
                    Act::Get => {
                        let number = model.start();
                        model.getters.push_back(number);
                        outcomes.borrow_mut().push(None);
                        let (queue, outcomes) = (Rc::clone(&queue), Rc::clone(&outcomes));
                        tasks.push(spawn(async move {
                            let outcome = queue.get().await.map_or(Outcome::ShutDown, Outcome::Got);
                            outcomes.borrow_mut()[number] = Some(outcome);
                        }));
                    }
                    Act::TryPut(item) => {
                        let is_put = !model.is_shut_down && model.items.len() < limit;
                        assert_eq!(queue.try_put(item).is_ok(), is_put);
                        if is_put {
                            model.items.push(item);
                        }
                    }
                    Act::TryGet => match queue.try_get() {
                        Ok(item) => assert_eq!(Some(item), model.take()),
                        Err(Error::QueueShutDown) => assert!(model.is_shut_down),
                        Err(_) => assert!(model.items.is_empty()),
                    },
                    Act::Cancel(number) => {
                        model.cancel(number);
                        if let (Some(task), Some(outcome)) =
                            (tasks.get(number), outcomes.borrow_mut().get_mut(number))
                        {
                            task.cancel();
                            outcome.get_or_insert(Outcome::Cancelled);
                        }
                    }
                    Act::ShutDown => {
                        queue.shutdown();
                        model.is_shut_down = true;
                    }
                }
                model.serve();
                settle().await;
                assert_eq!(*outcomes.borrow(), model.outcomes, "after {act:?}");
                assert_eq!(queue.len(), model.items.len(), "after {act:?}");
            }
            queue.shutdown();
            for task in tasks {
                drop(task.await);
            }
        });
    }};
}

/// What is done to a semaphore of a few permits.
#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    /// Who came so-manieth gives back what it has, or gives up.
    Leave(usize),
    Add,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 300 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_as_its_model(limit in 1..4_usize, acts in acts()) {
        compare!(Queue::<u8>::bounded, Kind::Fifo, limit, acts);
    }

    #[test]
    fn a_lifo_queue_does_as_its_model(limit in 1..4_usize, acts in acts()) {
        compare!(LifoQueue::<u8>::bounded, Kind::Lifo, limit, acts);
    }

    #[test]
    fn a_priority_queue_does_as_its_model(limit in 1..4_usize, acts in acts()) {
        compare!(PriorityQueue::<u8>::bounded, Kind::Priority, limit, acts);
    }

    #[test]
    fn a_thread_queue_does_as_its_model(limit in 1..4_usize, acts in acts()) {
        compare!(ThreadQueue::<u8>::bounded, Kind::Fifo, limit, acts);
    }

    #[test]
    fn a_semaphore_does_as_its_model(
        permits in 0..3_usize,
        steps in vec(prop_oneof![
            3 => Just(Step::Acquire),
            3 => (0..10_usize).prop_map(Step::Leave),
            1 => Just(Step::Add),
        ], 1..40),
    ) {
        simulate(async move {
            let semaphore = Rc::new(Semaphore::new(permits));
            let holding = Rc::new(RefCell::new(Vec::new()));
            let (mut free, mut line, mut held) = (permits, VecDeque::new(), Vec::new());
            let mut tasks = Vec::new();
            for step in steps {
                match step {
                    Step::Acquire => {
                        let number = tasks.len();
                        line.push_back(number);
                        let (semaphore, holding) = (Rc::clone(&semaphore), Rc::clone(&holding));
                        tasks.push(spawn(async move {
                            let _permit = semaphore.acquire().await;
                            holding.borrow_mut().push(number);
                            std::future::pending::<()>().await;
                        }));
                    }
                    Step::Leave(number) => {
                        if let Some(task) = tasks.get(number) {
                            task.cancel();
                            line.retain(|other| *other != number);
                            free += usize::from(held.contains(&number));
                            held.retain(|other| *other != number);
                            holding.borrow_mut().retain(|other| *other != number);
                        }
                    }
                    Step::Add => {
                        semaphore.add_permits(1);
                        free += 1;
                    }
                }
                while free > 0 && let Some(next) = line.pop_front() {
                    free -= 1;
                    held.push(next);
                }
                settle().await;
                assert_eq!(*holding.borrow(), held);
                assert_eq!(semaphore.available(), free);
            }
        });
    }

    #[test]
    fn a_condition_wakes_the_first_who_wait(counts in vec(0..4_usize, 1..12), waiting in 1..8_usize) {
        simulate(async move {
            let shared = Rc::new((Lock::new(Vec::new()), Condition::new()));
            let tasks: Vec<_> = (0..waiting).map(|number| {
                let shared = Rc::clone(&shared);
                spawn(async move {
                    let guard = shared.0.acquire().await;
                    shared.1.wait(guard).await.push(number);
                })
            }).collect();
            settle().await;
            let mut woken = 0;
            for count in counts {
                shared.1.notify(count);
                woken = (woken + count).min(waiting);
                settle().await;
                assert_eq!(*shared.0.acquire().await, (0..woken).collect::<Vec<_>>());
            }
            shared.1.notify_all();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }

    #[test]
    fn whoever_watches_sees_each_settled_value(values in vec(any::<u8>(), 1..20)) {
        simulate(async move {
            let (sender, mut receiver) = watch::channel(None);
            let seen = Rc::new(RefCell::new(Vec::new()));
            let task = spawn({
                let seen = Rc::clone(&seen);
                async move {
                    while receiver.changed().await.is_ok() {
                        seen.borrow_mut().push(*receiver.latest());
                    }
                }
            });
            settle().await;
            for value in &values {
                sender.send(None);
                sender.send(Some(*value));
                settle().await;
            }
            drop(sender);
            task.await.unwrap();
            assert!(seen.take().into_iter().flatten().eq(values));
        });
    }

    #[test]
    fn sleeps_end_in_the_order_of_their_deadlines(lengths in vec(0..1_000_u64, 1..30)) {
        let ended = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&ended);
        let expected = {
            let mut sorted: Vec<_> = lengths.iter().copied().zip(0..).collect();
            sorted.sort_unstable();
            sorted
        };
        simulate(async move {
            let began = now();
            roundel::gather(lengths.into_iter().zip(0..).map(|(length, number)| {
                let ended = Rc::clone(&ended);
                async move {
                    sleep(Duration::from_nanos(length)).await;
                    assert_eq!((now() - began).as_nanos(), u128::from(length));
                    ended.borrow_mut().push((length, number));
                }
            })).await;
        });
        prop_assert_eq!(&*seen.borrow(), &expected);
    }
}
