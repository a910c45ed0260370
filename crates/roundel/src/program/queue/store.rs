//! In which order a queue gives back what it is given.

use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

/// How a queue keeps its items: [`Fifo`], [`Lifo`] or [`Priority`].
///
/// # Examples
///
/// ```
/// use roundel::{Queue, queue::Store};
///
/// /// Takes a queue of any kind.
/// fn fill<S: Store<u32>>(queue: &Queue<u32, S>) {
///     (1..=3).for_each(|number| queue.try_put(number).unwrap());
/// }
///
/// let (queue, lifo) = (Queue::unbounded(), roundel::LifoQueue::unbounded());
/// fill(&queue);
/// fill(&lifo);
/// assert_eq!((queue.try_get().unwrap(), lifo.try_get().unwrap()), (1, 3));
/// ```
pub trait Store<T>: Default + sealed::Sealed {
    #[doc(hidden)]
    fn count(&self) -> usize;

    #[doc(hidden)]
    fn push(&mut self, item: T);

    /// Takes the next item that comes after as many as have been promised to others.
    #[doc(hidden)]
    fn take(&mut self, promised: usize) -> Option<T>;

    /// Returns all items in the order in which they would have been taken.
    #[doc(hidden)]
    fn into_vec(self) -> Vec<T>;
}

mod sealed {
    pub trait Sealed {}

    impl<T> Sealed for super::Fifo<T> {}
    impl<T> Sealed for super::Lifo<T> {}
    impl<T> Sealed for super::Priority<T> {}
}

/// First in, first out.
///
/// # Examples
///
/// ```
/// use roundel::{Queue, queue::Fifo};
///
/// let queue: Queue<u32, Fifo<u32>> = Queue::unbounded(); // As every `Queue<u32>` is.
/// (1..=3).for_each(|number| queue.try_put(number).unwrap());
/// assert_eq!(queue.shutdown_now(), [1, 2, 3]);
/// ```
pub struct Fifo<T>(VecDeque<T>);

impl<T> Store<T> for Fifo<T> {
    #[inline]
    fn count(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    #[inline]
    fn take(&mut self, promised: usize) -> Option<T> {
        if promised == 0 {
            self.0.pop_front()
        } else {
            self.take_from_within(promised)
        }
    }

    fn into_vec(self) -> Vec<T> {
        self.0.into()
    }
}

impl<T> Fifo<T> {
    /// Not inlined, so that what is mostly done is.
    #[cold]
    fn take_from_within(&mut self, place: usize) -> Option<T> {
        self.0.remove(place)
    }
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Fifo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Last in, first out.
///
/// # Examples
///
/// ```
/// use roundel::{LifoQueue, Queue, queue::Lifo};
///
/// let stack = LifoQueue::unbounded();
/// (1..=3).for_each(|number| stack.try_put(number).unwrap());
/// let queue: &Queue<u32, Lifo<u32>> = &stack;
/// assert_eq!(queue.shutdown_now(), [3, 2, 1]);
/// ```
pub struct Lifo<T>(Vec<T>);

impl<T> Store<T> for Lifo<T> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    fn take(&mut self, _promised: usize) -> Option<T> {
        self.0.pop()
    }

    fn into_vec(mut self) -> Vec<T> {
        self.0.reverse();
        self.0
    }
}

impl<T> Default for Lifo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Lifo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The greatest first; which of equals comes first is not said.
///
/// # Examples
///
/// ```
/// use roundel::{PriorityQueue, Queue, queue::Priority};
///
/// let heap = PriorityQueue::unbounded();
/// [2, 3, 1].into_iter().for_each(|number| heap.try_put(number).unwrap());
/// let queue: &Queue<u32, Priority<u32>> = &heap;
/// assert_eq!(queue.shutdown_now(), [3, 2, 1]);
/// ```
pub struct Priority<T>(BinaryHeap<T>);

impl<T: Ord> Store<T> for Priority<T> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    fn take(&mut self, _promised: usize) -> Option<T> {
        self.0.pop()
    }

    fn into_vec(self) -> Vec<T> {
        let mut items = self.0.into_sorted_vec();
        items.reverse();
        items
    }
}

impl<T: Ord> Default for Priority<T> {
    fn default() -> Self {
        Self(BinaryHeap::new())
    }
}

impl<T: fmt::Debug> fmt::Debug for Priority<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
