//! Running programs on the virtual clock.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::cell::RefCell;
use std::rc::Rc;

use roundel::{Clock, Error, Order, Runner};

/// How often to do it: under Miri, which is some hundred times as slow, a hundredth.
pub(crate) fn many(times: u64) -> u64 {
    if cfg!(miri) { times / 100 } else { times }
}

/// Runs a program on the virtual clock, first come, first served.
pub(crate) fn simulate<F: Future + 'static>(program: F) -> F::Output {
    simulate_in(Order::Fifo, program)
}

pub(crate) fn simulate_in<F: Future + 'static>(order: Order, program: F) -> F::Output {
    runner(order)
        .run(program)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a program that does not come to its end, and returns why.
pub(crate) fn fail<F: Future + 'static>(program: F) -> Error {
    let outcome = runner(Order::Fifo).run(program);
    outcome.err().expect("a program that does not end")
}

pub(crate) fn runner(order: Order) -> Runner {
    Runner::new(Clock::virtual_time(), order).expect("descriptors to be had")
}

/// What tasks have to say, in order.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Rc<RefCell<Vec<String>>>,
}

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.lines.borrow_mut().push(line.into());
    }

    /// Takes what has been said, in one line.
    pub(crate) fn said(&self) -> String {
        self.lines.take().join(" ")
    }
}

/// Adds a line to a log when dropped.
pub(crate) struct Farewell(pub(crate) Log, pub(crate) &'static str);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.add(self.1);
    }
}
