//! Random programs of jobs and timers, on the dispatcher and on a model that is slow and obvious.
//!
//! A program is a table of plans: what a job does when it is run. The dispatcher's run is
//! recorded turn by turn; then the model replays it, and objects to a job that it would not have
//! run in that turn, at that time, or in that place. When cancelled timers are dropped is up to the
//! dispatcher, so of that the model takes the record's word.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::ControlFlow::{self, Break, Continue};
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use roundel::{Clock, Dispatcher, Host, Job, Order};

/// After so many jobs a program is not allowed to make any more.
const MOST_JOBS: usize = 200;

#[derive(Clone, Debug)]
enum Act {
    Push { plan: usize },
    PushAt { delay: u64, plan: usize },
    Cancel { job: usize },
    Break,
}

#[derive(Clone, Debug)]
struct Plan {
    fixed: bool,
    acts: Vec<Act>,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..8_usize).prop_map(|plan| Act::Push { plan }),
        4 => (0..5_u64, 0..8_usize).prop_map(|(delay, plan)| Act::PushAt { delay, plan }),
        2 => (0..MOST_JOBS).prop_map(|job| Act::Cancel { job }),
        1 => Just(Act::Break),
    ]
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    vec(
        (any::<bool>(), vec(acts(), 0..4)).prop_map(|(fixed, acts)| Plan { fixed, acts }),
        8,
    )
}

/// A record: the turns, and which timers were left whenever one had been cancelled.
struct Record {
    turns: Vec<Turn>,
    left: VecDeque<Vec<usize>>,
}

/// A turn of the record: what was run, what the time was then, and how the turn ended.
#[derive(Debug)]
struct Turn {
    may_block: bool,
    jobs: Vec<usize>,
    now: u64,
    flow: ControlFlow<()>,
}

#[derive(Clone)]
struct Step {
    number: usize,
    plan: usize,
    fixed: bool,
    cancelled: Rc<RefCell<Vec<bool>>>,
}

impl Job for Step {
    type Remote = ();

    fn from_remote((): ()) -> Self {
        unreachable!("no other thread takes part")
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.borrow()[self.number]
    }

    fn is_reorderable(&self) -> bool {
        !self.fixed
    }
}

/// The program on the dispatcher.
struct Recorder<'p> {
    plans: &'p [Plan],
    dispatcher: &'p Dispatcher<Step>,
    cancelled: Rc<RefCell<Vec<bool>>>,
    timers: RefCell<Vec<usize>>,
    left: RefCell<VecDeque<Vec<usize>>>,
    run: Vec<usize>,
}

impl Recorder<'_> {
    fn make(&self, plan: usize) -> Option<Step> {
        let mut cancelled = self.cancelled.borrow_mut();
        let number = cancelled.len();
        (number < MOST_JOBS).then(|| {
            cancelled.push(false);
            let fixed = self.plans[plan].fixed;
            Step {
                number,
                plan,
                fixed,
                cancelled: Rc::clone(&self.cancelled),
            }
        })
    }

    fn act(&self, act: &Act) -> ControlFlow<()> {
        match *act {
            Act::Push { plan } => {
                if let Some(step) = self.make(plan) {
                    self.dispatcher.push(step);
                }
            }
            Act::PushAt { delay, plan } => {
                if let Some(step) = self.make(plan) {
                    self.timers.borrow_mut().push(step.number);
                    self.dispatcher.push_at(self.dispatcher.now() + delay, step);
                }
            }
            Act::Cancel { job } => {
                let known = self
                    .cancelled
                    .borrow_mut()
                    .get_mut(job)
                    .map(|flag| *flag = true);
                if known.is_some() && self.timers.borrow().contains(&job) {
                    self.dispatcher.timer_cancelled();
                    let left = self.dispatcher.timer_jobs();
                    let left = left.iter().map(|step| step.number).collect();
                    self.left.borrow_mut().push_back(left);
                }
            }
            Act::Break => return Break(()),
        }
        Continue(())
    }
}

impl Host<Step> for Recorder<'_> {
    fn run(&mut self, job: Step) -> ControlFlow<()> {
        self.run.push(job.number);
        if job.is_cancelled() {
            return Continue(());
        }
        self.plans[job.plan]
            .acts
            .iter()
            .try_for_each(|act| self.act(act))
    }

    fn block(&mut self, _wait: &mut dyn FnMut()) {
        unreachable!("a virtual clock has nothing to wait for here")
    }

    fn idle(&mut self) -> ControlFlow<()> {
        Break(())
    }
}

fn record(plans: &[Plan], order: Order, turns: &[bool]) -> Record {
    let dispatcher = Dispatcher::new(Clock::virtual_time(), order).expect("descriptors to be had");
    let mut recorder = Recorder {
        plans,
        dispatcher: &dispatcher,
        cancelled: Rc::default(),
        timers: RefCell::default(),
        left: RefCell::default(),
        run: Vec::new(),
    };
    assert!((0..4).all(|plan| recorder.act(&Act::Push { plan }).is_continue()));
    let turns = turns
        .iter()
        .map(|&may_block| {
            let flow = dispatcher
                .run_once(&mut recorder, may_block)
                .expect("an open dispatcher");
            let jobs = std::mem::take(&mut recorder.run);
            Turn {
                may_block,
                jobs,
                now: dispatcher.now(),
                flow,
            }
        })
        .collect();
    let left = recorder.left.take();
    Record { turns, left }
}

/// The program on the model.
struct Model<'p> {
    plans: &'p [Plan],
    now: u64,
    /// Number and plan of each job that is ready.
    ready: Vec<(usize, usize)>,
    /// Deadline, number and plan of each timer; numbers grow, so they tell who was first.
    timers: Vec<(u64, usize, usize)>,
    cancelled: Vec<bool>,
    /// The numbers of all timers ever set.
    set: Vec<usize>,
    /// Which timers the dispatcher has left at each cancelling.
    left: VecDeque<Vec<usize>>,
}

impl Model<'_> {
    fn act(&mut self, act: &Act) -> ControlFlow<()> {
        let number = self.cancelled.len();
        match *act {
            Act::Break => return Break(()),
            Act::Cancel { job } if job < number => {
                self.cancelled[job] = true;
                self.drop_cancelled(job);
            }
            Act::Push { plan } if number < MOST_JOBS => {
                self.cancelled.push(false);
                self.ready.push((number, plan));
            }
            Act::PushAt { delay, plan } if number < MOST_JOBS => {
                self.cancelled.push(false);
                self.set.push(number);
                self.timers.push((self.now + delay, number, plan));
            }
            _ => {}
        }
        Continue(())
    }

    /// Drops the cancelled timers that the dispatcher has dropped; too many can't be left.
    fn drop_cancelled(&mut self, job: usize) {
        if !self.set.contains(&job) {
            return;
        }
        let left = self
            .left
            .pop_front()
            .expect("the dispatcher has cancelled it, too");
        let cancelled = &self.cancelled;
        self.timers.retain(|timer| {
            let is_left = left.contains(&timer.1);
            assert!(is_left || cancelled[timer.1], "{timer:?} has been dropped");
            is_left
        });
        let dead = left.iter().filter(|&&number| cancelled[number]).count();
        assert!(dead < 100 || 2 * dead <= left.len());
    }

    /// Returns what is to run in the next turn, in the order of FIFO, or nothing if it's all over.
    fn batch(&mut self, may_block: bool) -> Option<Vec<(usize, usize)>> {
        self.timers.sort_unstable();
        if may_block && self.ready.is_empty() {
            let is_alive = |timer: &(u64, usize, usize)| !self.cancelled[timer.1];
            let first = self.timers.iter().position(is_alive);
            self.timers.drain(..first.unwrap_or(self.timers.len()));
            self.now = self.now.max(self.timers.first()?.0);
        }
        let due = self.timers.partition_point(|timer| timer.0 <= self.now);
        for (_, number, plan) in self.timers.drain(..due) {
            self.ready.push((number, plan));
        }
        Some(std::mem::take(&mut self.ready))
    }

    /// Runs a turn, taking the word of the record for the order of what may be reordered.
    fn replay(&mut self, turn: &Turn, order: Order) -> ControlFlow<()> {
        let Some(mut batch) = self.batch(turn.may_block) else {
            return Break(());
        };
        assert_eq!(turn.now, self.now);
        let mut flow = Continue(());
        for (place, &number) in turn.jobs.iter().enumerate() {
            assert!(flow.is_continue(), "{number} ran after the end of the turn");
            let is_next = |job: &(usize, usize)| job.0 == number;
            let taken = batch[place..].iter().position(is_next);
            let taken = place + taken.unwrap_or_else(|| panic!("{number} is not in {batch:?}"));
            if taken != place {
                let fixed = [place, taken].map(|place| self.plans[batch[place].1].fixed);
                assert_eq!(fixed, [false; 2], "{number} has changed places");
                assert_ne!(order, Order::Fifo);
            }
            batch.swap(place, taken);
            if !self.cancelled[number] {
                let plans = self.plans;
                let acts = &plans[batch[place].1].acts;
                flow = acts.iter().try_for_each(|act| self.act(act));
            }
        }
        let rest = batch.split_off(turn.jobs.len());
        assert!(
            flow.is_break() || rest.is_empty(),
            "{rest:?} did not get their turn"
        );
        self.ready.splice(..0, rest);
        flow
    }
}

fn compare(plans: &[Plan], order: Order, turns: &[bool]) {
    let record = record(plans, order, turns);
    let mut model = Model {
        plans,
        now: 0,
        ready: Vec::new(),
        timers: Vec::new(),
        cancelled: Vec::new(),
        set: Vec::new(),
        left: record.left,
    };
    assert!((0..4).all(|plan| model.act(&Act::Push { plan }).is_continue()));
    for turn in record.turns {
        let flow = model.replay(&turn, order);
        assert_eq!(turn.flow, flow, "{turn:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_dispatcher_does_what_the_model_does(plans in plans(), turns in vec(any::<bool>(), 60)) {
        compare(&plans, Order::Fifo, &turns);
    }

    #[test]
    fn a_seeded_order_is_one_that_the_model_allows(
        plans in plans(),
        seed in any::<u64>(),
        turns in vec(any::<bool>(), 60),
    ) {
        compare(&plans, Order::Seeded(seed), &turns);
    }
}

#[test]
fn the_model_has_something_to_do() {
    let most = Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let outcome = runner.run(&plans(), |plans| {
        let turns = record(&plans, Order::Fifo, &[true; 60]).turns;
        most.set(
            most.get()
                .max(turns.iter().map(|turn| turn.jobs.len()).sum()),
        );
        Ok(())
    });
    outcome.unwrap();
    assert!(most.get() > 100);
}
