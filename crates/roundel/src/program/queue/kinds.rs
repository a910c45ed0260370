//! Queues in another order than that of their items' arrival.

use std::fmt;
use std::ops::Deref;

use super::Queue;
use super::store::{Lifo, Priority};

/// A [`Queue`] that gives its greatest item first, and has all of a queue's methods.
///
/// For the smallest first, as asyncio has it, put [`Reverse`](std::cmp::Reverse)d items in. Which of
/// equal items comes first is not said. A getter that has been woken takes the greatest item there
/// is when its turn comes.
///
/// The items' [`Ord`] is asked in the middle of the queue's work: it panics if it uses the queue.
///
/// # Examples
///
/// ```
/// use std::cmp::Reverse;
/// use roundel::PriorityQueue;
///
/// roundel::run(async {
///     let queue = PriorityQueue::unbounded();
///     for number in [2, 3, 1] {
///         queue.put(Reverse(number)).await.unwrap();
///     }
///     assert_eq!(queue.get().await.unwrap(), Reverse(1));
/// });
/// ```
///
/// Source: `asyncio.PriorityQueue`. Differs: the greatest item comes first, as in Rust's heaps.
pub struct PriorityQueue<T: Ord>(Queue<T, Priority<T>>);

/// A [`Queue`] that gives its latest item first, and has all of a queue's methods.
///
/// A getter that has been woken takes the latest item there is when its turn comes.
///
/// # Examples
///
/// ```
/// use roundel::LifoQueue;
///
/// roundel::run(async {
///     let queue = LifoQueue::bounded(2);
///     queue.put("first").await.unwrap();
///     queue.put("second").await.unwrap();
///     assert_eq!(queue.get().await.unwrap(), "second");
/// });
/// ```
///
/// Source: `asyncio.LifoQueue`.
pub struct LifoQueue<T>(Queue<T, Lifo<T>>);

/// Gives a kind of queue its constructors and the methods of [`Queue`].
macro_rules! kind {
    ($kind:ident, $store:ident $(, $bound:ident)?) => {
        impl<T $(: $bound)?> $kind<T> {
            /// Makes a queue without a limit.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = roundel::", stringify!($kind), "::unbounded();")]
            /// assert!((0..1000).all(|number| queue.try_put(number).is_ok()));
            /// assert_eq!(queue.try_get()?, 999, "the greatest one, and the latest one");
            /// # Ok::<(), roundel::Error>(())
            /// ```
            #[track_caller]
            pub fn unbounded() -> Self {
                Self(Queue::of(usize::MAX))
            }

            /// Makes a queue for at most `limit` items.
            ///
            /// # Panics
            ///
            /// Panics if `limit` is 0.
            ///
            /// # Examples
            ///
            /// ```
            #[doc = concat!("let queue = roundel::", stringify!($kind), "::bounded(1);")]
            /// assert!(queue.try_put("one").is_ok());
            /// assert!(queue.try_put("two").is_err());
            /// ```
            #[track_caller]
            pub fn bounded(limit: usize) -> Self {
                Self(Queue::of(limit))
            }
        }

        impl<T $(: $bound)?> Deref for $kind<T> {
            type Target = Queue<T, $store<T>>;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<T: fmt::Debug $(+ $bound)?> fmt::Debug for $kind<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

kind!(PriorityQueue, Priority, Ord);
kind!(LifoQueue, Lifo);
