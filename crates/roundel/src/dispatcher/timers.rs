//! What is to become ready at a time.
//!
//! A cancelled timer stays where it is until it comes to the front, as taking it out of the
//! middle would cost more than leaving it; but when the cancelled ones get the upper hand they
//! are all dropped at once, so that timeouts which hardly ever strike leave nothing behind.

use std::cell::{Cell, RefCell};

use super::heap::Heap;
use super::job::Job;

/// Below so many cancelled timers it isn't worth the trouble to look for them.
const TOLERATED: usize = 100;

/// When a timer is due, and how many were set before it, which decides between equal deadlines.
type Key = (u64, u64);

/// A heap of jobs by deadline; of equal deadlines, the one set first comes first.
pub(super) struct Timers<J> {
    heap: RefCell<Heap<Key, J>>,
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
        self.heap.borrow_mut().push((deadline, number), job);
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
        let (dead, alive): (Vec<_>, _) =
            timers.into_iter().partition(|(_, job)| job.is_cancelled());
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
            let ((deadline, _), job) = heap.peek()?;
            if !job.is_cancelled() {
                return Some(*deadline);
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
        if heap.peek()?.0.0 > now {
            return None;
        }
        let (_, job) = heap.pop()?;
        if job.is_cancelled() {
            self.forget_cancelled();
        }
        Some(job)
    }

    fn forget_cancelled(&self) {
        self.cancelled.set(self.cancelled.get().saturating_sub(1));
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&J)) {
        self.heap.borrow().iter().for_each(|(_, job)| visit(job));
    }

    /// Takes all jobs out, in no particular order.
    pub(super) fn take(&self) -> Vec<J> {
        self.cancelled.set(0);
        let timers = self.heap.take().into_vec();
        timers.into_iter().map(|(_, job)| job).collect()
    }
}
