//! The rules of a turn: who runs when, and what a job may do meanwhile.

mod support;

use std::cell::RefCell;
use std::ops::ControlFlow::Break;
use std::rc::Rc;
use std::time::Duration;

use roundel::{Clock, Order, Tracer};
use support::{Call, Desk};

#[test]
fn what_is_ready_runs_in_the_order_in_which_it_became_ready() {
    let desk = Desk::simulated();
    for name in ["a", "b", "c"] {
        desk.push(name);
    }
    assert!(desk.turn(false));
    assert_eq!(desk.said(), "a b c");
}

#[test]
fn what_becomes_ready_during_a_turn_waits_for_the_next() {
    let desk = Desk::simulated();
    desk.dispatcher.push(Call::new(|desk| {
        desk.log("a");
        desk.push("late");
    }));
    desk.push("b");
    desk.turn(true);
    assert_eq!(desk.said(), "a b");
    assert_eq!(desk.dispatcher.ready_len(), 1);
    desk.turn(true);
    assert_eq!(desk.said(), "late");
}

#[test]
fn a_job_that_breaks_ends_the_turn_and_leaves_the_rest_in_order() {
    let desk = Desk::simulated();
    desk.push("a");
    desk.dispatcher.push(Call::flow(|_| Break(())));
    desk.push("b");
    desk.push("c");
    assert!(!desk.turn(false));
    desk.push("d");
    desk.turn(false);
    assert_eq!(desk.said(), "a b c d");
}

#[test]
fn a_job_may_run_a_turn_of_its_own() {
    let desk = Desk::simulated();
    desk.dispatcher.push(Call::new(|desk| {
        desk.log("outer");
        desk.push("inner");
        desk.turn(false);
    }));
    desk.push("rest");
    desk.turn(false);
    assert_eq!(desk.said(), "outer rest inner");
}

#[test]
fn dropping_a_job_may_call_the_dispatcher() {
    struct Farewell(Rc<Desk>);
    impl Drop for Farewell {
        fn drop(&mut self) {
            self.0.push("farewell");
        }
    }

    let desk = Rc::new(Desk::simulated());
    let farewell = Farewell(Rc::clone(&desk));
    let timer = Call::new(move |_| {
        let _ = &farewell;
    });
    desk.dispatcher.push_at(5, timer.clone());
    timer.cancel();
    desk.dispatcher.timer_cancelled();
    drop(timer);
    desk.run();
    assert_eq!(desk.said(), "farewell");
    assert_eq!(desk.dispatcher.now(), 0);
}

#[test]
fn with_nothing_to_wait_for_the_host_is_asked_before_blocking_for_ever() {
    let desk = Desk::simulated();
    assert!(!desk.turn(true));
    assert_eq!((desk.idle.get(), desk.blocked.get()), (1, 0));
    assert!(desk.turn(false));
    assert_eq!(desk.idle.get(), 1);
}

#[test]
fn the_same_seed_gives_the_same_order() {
    let order_of = |seed| {
        let desk = Desk::new(Clock::virtual_time(), Order::Seeded(seed));
        (0..10).for_each(|name| desk.push(name.to_string()));
        desk.turn(false);
        desk.said()
    };
    assert_eq!(order_of(7), order_of(7));
    assert_ne!(order_of(7), order_of(8));
}

#[test]
fn a_seeded_order_moves_only_what_may_be_moved() {
    for seed in 0..50 {
        let desk = Desk::new(Clock::virtual_time(), Order::Seeded(seed));
        for name in ["x", "a", "y", "b", "z"] {
            let call = Call::log(name);
            desk.dispatcher.push(if "xyz".contains(name) {
                call.fixed()
            } else {
                call
            });
        }
        desk.turn(false);
        let said = desk.said();
        assert!(["x a y b z", "x b y a z"].contains(&&*said), "{said}");
    }
}

#[test]
fn closing_hands_out_every_job_and_refuses_letters() {
    let desk = Desk::simulated();
    let inbox = desk.dispatcher.inbox();
    desk.push("ready");
    desk.dispatcher.push_at(1, Call::log("timer"));
    inbox.push("letter".to_owned()).unwrap();
    assert_eq!(desk.dispatcher.close().len(), 3);
    assert_eq!(inbox.push("late".to_owned()), Err("late".to_owned()));
    assert!(desk.dispatcher.close().is_empty());
}

/// Writes down what it hears.
#[derive(Default)]
struct Witness(RefCell<Vec<String>>);

impl Tracer for Witness {
    fn wait_began(&self, limit: Option<Duration>) {
        self.0.borrow_mut().push(format!("wait {limit:?}"));
    }

    fn wait_ended(&self) {
        self.0.borrow_mut().push("woken".to_owned());
    }

    fn turn_began(&self, jobs: usize) {
        self.0.borrow_mut().push(format!("turn of {jobs}"));
    }

    fn turn_ended(&self) {
        self.0.borrow_mut().push("end".to_owned());
    }
}

#[test]
fn a_tracer_hears_of_waits_and_turns() {
    let desk = Desk::simulated();
    let witness = Rc::new(Witness::default());
    desk.dispatcher.set_tracer(Some(witness.clone()));
    desk.push("a");
    desk.push("b");
    desk.turn(true);
    desk.dispatcher.external_begin();
    let inbox = desk.dispatcher.inbox();
    // Once the dispatcher is about to sleep, so that it has something to be woken by.
    desk.on_block(move || inbox.push("letter".to_owned()).unwrap());
    desk.turn(true);
    desk.dispatcher.set_tracer(None);
    desk.turn(false);
    let heard = witness.0.take().join(", ");
    assert_eq!(heard, "turn of 2, end, wait None, woken, turn of 1, end");
    assert_eq!(Rc::strong_count(&witness), 1);
}
