//! What is to become ready at a time.
//!
//! A cancelled timer stays where it is until it comes to the front, as taking it out of the
//! middle would cost more than leaving it; but one that lies at the very end, as that of a brief
//! wait mostly does, goes at once. When the cancelled ones get the upper hand they are all dropped,
//! so that timeouts which hardly ever strike leave nothing behind.

use std::cell::{Cell, RefCell};

use super::buckets::sort;
use super::heap::Heap;
use super::job::Job;

/// Below so many cancelled timers it isn't worth the trouble to look for them.
const TOLERATED: usize = 100;

/// So many timers are taken off one after the other before it is asked how many more are due.
const ONE_BY_ONE: usize = 64;

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

    /// Drops a cancelled timer if that is easily done, and all of them if they have become too many.
    pub(super) fn count_cancelled(&self) {
        let last = self.heap.borrow_mut().pop_last_if(Job::is_cancelled);
        if last.is_some() {
            // One more is cancelled, and one less is there: be it the same or not.
            return;
        }
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

    /// Hands `ready`, in order, the jobs whose time has come. It must not call the timers.
    pub(super) fn collect_due(&self, now: u64, mut ready: impl FnMut(J)) {
        let mut heap = self.heap.borrow_mut();
        for _ in 0..ONE_BY_ONE {
            if heap.peek().is_none_or(|((deadline, _), _)| *deadline > now) {
                return;
            }
            if let Some((_, job)) = heap.pop() {
                self.hand_over(job, &mut ready);
            }
        }
        let last = (now, u64::MAX);
        let due = heap.count_up_to(&last);
        if due >= heap.len() / 8 {
            let mut jobs = heap.split_up_to(&last);
            sort(&mut jobs);
            return jobs
                .into_iter()
                .for_each(|(_, job)| self.hand_over(job, &mut ready));
        }
        for _ in 0..due {
            if let Some((_, job)) = heap.pop() {
                self.hand_over(job, &mut ready);
            }
        }
    }

    fn hand_over(&self, job: J, ready: &mut impl FnMut(J)) {
        if job.is_cancelled() {
            self.forget_cancelled();
        }
        ready(job);
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
