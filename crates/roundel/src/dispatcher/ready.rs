//! The queue of what can run.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;

use super::job::Job;
use super::order::{Order, Random};

/// A queue of jobs, first in, first out, and the order that may rearrange a turn's batch.
///
/// Each call borrows the queue for as long as it takes to move a job, which runs nobody's code.
pub(super) struct Ready<J: Job> {
    /// In this wrapper a job needs no landing pad for the case that the queue can't grow, and
    /// stays in registers on its way in: a tenth off the cost of a task switch.
    queue: RefCell<VecDeque<ManuallyDrop<J>>>,
    random: Option<Random>,
}

impl<J: Job> Ready<J> {
    pub(super) fn new(order: Order) -> Self {
        let random = match order {
            Order::Fifo => None,
            Order::Seeded(seed) => Some(Random::new(seed)),
        };
        Self {
            queue: RefCell::default(),
            random,
        }
    }

    #[inline]
    pub(super) fn push(&self, job: J) {
        let job = ManuallyDrop::new(job);
        self.queue.borrow_mut().push_back(job);
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<J> {
        self.queue
            .borrow_mut()
            .pop_front()
            .map(ManuallyDrop::into_inner)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// Permutes what may be permuted of the queue, which is the batch of the turn that begins.
    #[inline]
    pub(super) fn arrange(&self) {
        if let Some(random) = &self.random {
            let mut queue = self.queue.borrow_mut();
            let movable = |&place: &usize| queue[place].is_reorderable();
            let places: Vec<usize> = (0..queue.len()).filter(movable).collect();
            random.shuffle(&places, |a, b| queue.swap(a, b));
        }
    }

    pub(super) fn visit(&self, visit: &mut dyn FnMut(&J)) {
        self.queue.borrow().iter().for_each(|job| visit(job));
    }

    pub(super) fn take(&self) -> Vec<J> {
        self.queue
            .take()
            .into_iter()
            .map(ManuallyDrop::into_inner)
            .collect()
    }
}

impl<J: Job> Drop for Ready<J> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
