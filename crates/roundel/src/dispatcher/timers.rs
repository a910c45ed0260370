//! What is to become ready at a time.
//!
//! A cancelled timer stays where it is until it comes to the front, as taking it out of the
//! middle would cost more than leaving it; but when the cancelled ones get the upper hand they
//! are all dropped at once, so that timeouts which hardly ever strike leave nothing behind.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::job::Job;

/// Below so many cancelled timers it isn't worth the trouble to look for them.
const TOLERATED: usize = 100;

/// A heap of jobs by deadline; of equal deadlines, the one set first comes first.
pub(super) struct Timers<J> {
    heap: RefCell<BinaryHeap<Timer<J>>>,
    set_so_far: Cell<u64>,
    cancelled: Cell<usize>,
}

impl<J: Job> Timers<J> {
    pub(super) fn new() -> Self {
        Self {
            heap: RefCell::default(),
            set_so_far: Cell::new(0),
            cancelled: Cell::new(0),
        }
    }

    pub(super) fn push(&self, deadline: u64, job: J) {
        let number = self.set_so_far.get();
        self.set_so_far.set(number + 1);
        self.heap.borrow_mut().push(Timer {
            deadline,
            number,
            job,
        });
    }

    pub(super) fn len(&self) -> usize {
        self.heap.borrow().len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.heap.borrow().is_empty()
    }

    /// Counts a cancelled timer, and drops all of them if they have become too many.
    pub(super) fn count_cancelled(&self) {
        let cancelled = self.cancelled.get() + 1;
        self.cancelled.set(cancelled);
        if cancelled < TOLERATED || 2 * cancelled <= self.len() {
            return;
        }
        let timers = self.heap.take().into_vec();
        let (dead, alive): (Vec<_>, _) = timers
            .into_iter()
            .partition(|timer| timer.job.is_cancelled());
        self.heap.replace(alive.into());
        self.cancelled.set(0);
        // This may run a face's code, so it comes after everything else.
        drop(dead);
    }

    /// Returns when the next timer is due, having dropped the cancelled ones before it.
    ///
    /// Dropping them may run a face's code, which may make something ready.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        loop {
            let mut heap = self.heap.borrow_mut();
            let next = heap.peek()?;
            if !next.job.is_cancelled() {
                return Some(next.deadline);
            }
            let dead = heap.pop();
            drop(heap);
            self.forget_cancelled();
            drop(dead);
        }
    }

    /// Removes and returns the next job whose time has come.
    pub(super) fn pop_due(&self, now: u64) -> Option<J> {
        let mut heap = self.heap.borrow_mut();
        if heap.peek()?.deadline > now {
            return None;
        }
        let job = heap.pop()?.job;
        if job.is_cancelled() {
            self.forget_cancelled();
        }
        Some(job)
    }

    fn forget_cancelled(&self) {
        self.cancelled.set(self.cancelled.get().saturating_sub(1));
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&J)) {
        self.heap
            .borrow()
            .iter()
            .for_each(|timer| visit(&timer.job));
    }

    /// Takes all jobs out, in no particular order.
    pub(super) fn take(&self) -> Vec<J> {
        self.cancelled.set(0);
        self.heap
            .take()
            .into_iter()
            .map(|timer| timer.job)
            .collect()
    }
}

struct Timer<J> {
    deadline: u64,
    number: u64,
    job: J,
}

impl<J> Ord for Timer<J> {
    /// The earlier timer is the greater one, since the heap hands out the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.deadline, other.number).cmp(&(self.deadline, self.number))
    }
}

impl<J> PartialOrd for Timer<J> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<J> PartialEq for Timer<J> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<J> Eq for Timer<J> {}
