//! A queue between tasks of a runtime and ordinary threads. Checked by loom in `tests/loom.rs`.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::deadlock::note;
use super::error::Error;
use super::external::{ExternalWork, external_work};
use super::queue::Refused;
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A queue whose items tasks await, while threads block for them: first in, first out.
///
/// This is the side of the runtime, which has as many tasks on it as you like;
/// [`thread_end`](Self::thread_end) gives the other one. While a task waits here and there is such
/// an end, a thread counts as being at work: a virtual clock does not jump.
///
/// # Examples
///
/// ```
/// use std::thread;
/// use roundel::ThreadQueue;
///
/// roundel::run(async {
///     let queue = ThreadQueue::bounded(2);
///     let end = queue.thread_end();
///     let thread = thread::spawn(move || {
///         for number in 1..=3 {
///             end.put(number).unwrap();
///         }
///         end.shutdown();
///     });
///     let mut sum = 0;
///     while let Ok(number) = queue.get().await {
///         sum += number;
///     }
///     assert_eq!(sum, 6);
///     thread.join().unwrap();
/// });
/// ```
pub struct ThreadQueue<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    limit: usize,
    has_item: Condvar,
    has_room: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    is_shut_down: bool,
    /// How many ends there are in threads.
    ends: usize,
    getters: Line,
    putters: Line,
}

/// Tasks in line to be woken, each with the number it knows.
#[derive(Default)]
struct Line {
    waiting: VecDeque<(u64, Waker)>,
    entered: u64,
}

impl<T: Send> ThreadQueue<T> {
    /// Makes a queue without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::ThreadQueue::unbounded();
    /// assert!((0..1000).all(|number| queue.try_put(number).is_ok()));
    /// ```
    pub fn unbounded() -> Self {
        Self::bounded(usize::MAX)
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
    /// let queue = roundel::ThreadQueue::bounded(1);
    /// assert!(queue.try_put("one").is_ok());
    /// assert!(queue.try_put("two").is_err());
    /// ```
    #[track_caller]
    pub fn bounded(limit: usize) -> Self {
        assert!(limit > 0, "a queue must have room for an item");
        let state = State {
            items: VecDeque::new(),
            is_shut_down: false,
            ends: 0,
            getters: Line::default(),
            putters: Line::default(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                limit,
                has_item: Condvar::new(),
                has_room: Condvar::new(),
            }),
        }
    }

    /// Returns an end for threads, which can be cloned and sent.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::ThreadQueue::unbounded();
    /// let end = queue.thread_end();
    /// std::thread::spawn(move || end.put(7)).join().unwrap().unwrap();
    /// assert_eq!(queue.try_get().unwrap(), 7);
    /// ```
    pub fn thread_end(&self) -> ThreadEnd<T> {
        ThreadEnd::new(&self.shared)
    }

    /// Puts an item into the queue, waiting until there is room.
    ///
    /// # Errors
    ///
    /// Gives the item back with [`Error::QueueShutDown`] once the queue is shut down.
    ///
    /// # Cancel safety
    ///
    /// The item is either in the queue or dropped with the future; room that it has been woken for
    /// goes to the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// roundel::run(async {
    ///     let queue = roundel::ThreadQueue::bounded(1);
    ///     let end = queue.thread_end();
    ///     let thread = std::thread::spawn(move || (end.get(), end.get()));
    ///     queue.put(1).await.unwrap();
    ///     queue.put(2).await.unwrap(); // Not before the thread has got the first one.
    ///     assert!(matches!(thread.join().unwrap(), (Ok(1), Ok(2))));
    /// });
    /// ```
    pub async fn put(&self, item: T) -> Result<(), Refused<T>> {
        let mut item = Some(item);
        let mut waiting = Waiting::new(&self.shared, |state| &mut state.putters, "put");
        poll_fn(|cx| {
            let Some(given) = item.take() else {
                unreachable!("a future is not polled after its end")
            };
            match self.try_put(given) {
                Err(refused) if matches!(refused.error, Error::QueueFull) => {
                    item = Some(refused.item);
                    waiting.enter(cx, |shared, state| state.is_full(shared.limit))
                }
                outcome => waiting.end(outcome),
            }
        })
        .await
    }

    /// Removes and returns the next item, waiting until there is one.
    ///
    /// # Errors
    ///
    /// Gives [`Error::QueueShutDown`] once the queue is shut down and empty.
    ///
    /// # Cancel safety
    ///
    /// No item is lost: who has been woken for one lets the next in line have it.
    ///
    /// # Examples
    ///
    /// ```
    /// roundel::run(async {
    ///     let queue = roundel::ThreadQueue::bounded(1);
    ///     let end = queue.thread_end();
    ///     std::thread::spawn(move || end.put(7));
    ///     assert_eq!(queue.get().await.unwrap(), 7);
    /// });
    /// ```
    pub async fn get(&self) -> Result<T, Error> {
        let mut waiting = Waiting::new(&self.shared, |state| &mut state.getters, "get");
        poll_fn(|cx| match self.try_get() {
            Err(Error::QueueEmpty) => waiting.enter(cx, |_, state| state.items.is_empty()),
            outcome => waiting.end(outcome),
        })
        .await
    }
}

/// The side of a [`ThreadQueue`] for ordinary threads.
///
/// # Examples
///
/// ```
/// use roundel::{ThreadEnd, ThreadQueue};
///
/// fn square(numbers: ThreadEnd<u32>, squares: ThreadEnd<u32>) {
///     while let Ok(number) = numbers.get() {
///         squares.put(number * number).unwrap();
///     }
/// }
///
/// roundel::run(async {
///     let (numbers, squares) = (ThreadQueue::bounded(1), ThreadQueue::bounded(1));
///     let ends = (numbers.thread_end(), squares.thread_end());
///     std::thread::spawn(move || square(ends.0, ends.1));
///     numbers.put(7).await.unwrap();
///     assert_eq!(squares.get().await.unwrap(), 49);
///     numbers.shutdown();
/// });
/// ```
pub struct ThreadEnd<T> {
    shared: Arc<Shared<T>>,
}

impl<T> ThreadEnd<T> {
    fn new(shared: &Arc<Shared<T>>) -> Self {
        shared.lock().ends += 1;
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// Puts an item into the queue, and blocks this thread until there is room.
    ///
    /// # Errors
    ///
    /// Gives the item back with [`Error::QueueShutDown`] once the queue is shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// let end = roundel::ThreadQueue::unbounded().thread_end();
    /// end.put("one").unwrap();
    /// end.shutdown();
    /// assert_eq!(end.put("late").unwrap_err().item, "late");
    /// ```
    pub fn put(&self, mut item: T) -> Result<(), Refused<T>> {
        loop {
            match self.try_put(item) {
                Err(refused) if matches!(refused.error, Error::QueueFull) => item = refused.item,
                outcome => return outcome,
            }
            let limit = self.shared.limit;
            self.shared
                .block(&self.shared.has_room, |state| state.is_full(limit));
        }
    }

    /// Removes and returns the next item, and blocks this thread until there is one.
    ///
    /// # Errors
    ///
    /// Gives [`Error::QueueShutDown`] once the queue is shut down and empty.
    ///
    /// # Examples
    ///
    /// ```
    /// let end = roundel::ThreadQueue::unbounded().thread_end();
    /// end.put(7).unwrap();
    /// end.shutdown();
    /// assert_eq!(end.get().unwrap(), 7);
    /// assert!(end.get().is_err());
    /// ```
    pub fn get(&self) -> Result<T, Error> {
        loop {
            match self.try_get() {
                Err(Error::QueueEmpty) => {}
                outcome => return outcome,
            }
            self.shared
                .block(&self.shared.has_item, |state| state.items.is_empty());
        }
    }
}

/// What both sides can do without waiting.
macro_rules! without_waiting {
    ($side:ident) => {
        impl<T> $side<T> {
            /// Puts an item into the queue, if there is room.
            ///
            /// # Errors
            ///
            /// Gives the item back with [`Error::QueueFull`] if there is none, and with
            /// [`Error::QueueShutDown`] once the queue is shut down.
            ///
            /// # Examples
            ///
            /// ```
            /// let queue = roundel::ThreadQueue::bounded(1);
            /// queue.try_put("one").unwrap();
            /// assert_eq!(queue.thread_end().try_put("two").unwrap_err().item, "two");
            /// ```
            pub fn try_put(&self, item: T) -> Result<(), Refused<T>> {
                self.shared.try_put(item)
            }

            /// Removes and returns the next item, if there is one.
            ///
            /// # Errors
            ///
            /// Gives [`Error::QueueEmpty`] if there is none, and [`Error::QueueShutDown`] if there
            /// will never be one.
            ///
            /// # Examples
            ///
            /// ```
            /// let queue = roundel::ThreadQueue::unbounded();
            /// queue.try_put(7).unwrap();
            /// assert_eq!(queue.thread_end().try_get().unwrap(), 7);
            /// assert!(matches!(queue.try_get(), Err(roundel::Error::QueueEmpty)));
            /// ```
            pub fn try_get(&self) -> Result<T, Error> {
                self.shared.try_get()
            }

            /// Lets nobody put any more, and nobody get once the queue is empty.
            ///
            /// # Examples
            ///
            /// ```
            /// let queue = roundel::ThreadQueue::unbounded();
            /// queue.thread_end().shutdown();
            /// assert!(queue.try_put(7).is_err());
            /// ```
            pub fn shutdown(&self) {
                let mut state = self.shared.lock();
                state.is_shut_down = true;
                self.shared.wake_all(state);
            }

            /// Returns whether the queue has been shut down.
            ///
            /// # Examples
            ///
            /// ```
            /// let queue = roundel::ThreadQueue::<u32>::unbounded();
            /// queue.shutdown();
            /// assert!(queue.thread_end().is_shut_down());
            /// ```
            pub fn is_shut_down(&self) -> bool {
                self.shared.lock().is_shut_down
            }

            /// Returns how many items there are.
            ///
            /// # Examples
            ///
            /// ```
            /// let queue = roundel::ThreadQueue::unbounded();
            /// queue.try_put(7).unwrap();
            /// assert_eq!((queue.len(), queue.thread_end().len()), (1, 1));
            /// ```
            pub fn len(&self) -> usize {
                self.shared.lock().items.len()
            }

            /// Returns whether there is no item.
            ///
            /// # Examples
            ///
            /// ```
            /// let queue = roundel::ThreadQueue::<u32>::unbounded();
            /// assert!(queue.is_empty() && queue.thread_end().is_empty());
            /// ```
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }

        impl<T> fmt::Debug for $side<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($side))
                    .field("len", &self.len())
                    .field("is_shut_down", &self.is_shut_down())
                    .finish_non_exhaustive()
            }
        }
    };
}

without_waiting!(ThreadQueue);
without_waiting!(ThreadEnd);

impl<T> Clone for ThreadQueue<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T> Clone for ThreadEnd<T> {
    fn clone(&self) -> Self {
        Self::new(&self.shared)
    }
}

impl<T> Drop for ThreadEnd<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ends -= 1;
        if state.ends == 0 {
            // Who waits does not wait for a thread any more.
            self.shared.wake_all(state);
        }
    }
}

impl<T> Shared<T> {
    /// Locks the state, which no panic can leave half-changed.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_put(&self, item: T) -> Result<(), Refused<T>> {
        let mut state = self.lock();
        let error = if state.is_shut_down {
            Error::QueueShutDown
        } else if state.is_full(self.limit) {
            Error::QueueFull
        } else {
            state.items.push_back(item);
            let getter = state.getters.first();
            drop(state);
            self.has_item.notify_one();
            getter.into_iter().for_each(Waker::wake);
            return Ok(());
        };
        drop(state);
        Err(Refused { item, error })
    }

    fn try_get(&self) -> Result<T, Error> {
        let mut state = self.lock();
        if let Some(item) = state.items.pop_front() {
            let putter = state.putters.first();
            drop(state);
            self.has_room.notify_one();
            putter.into_iter().for_each(Waker::wake);
            return Ok(item);
        }
        Err(if state.is_shut_down {
            Error::QueueShutDown
        } else {
            Error::QueueEmpty
        })
    }

    /// Blocks this thread as long as there is what keeps it from going on.
    fn block(&self, changed: &Condvar, mut is_kept: impl FnMut(&State<T>) -> bool) {
        let mut state = self.lock();
        while !state.is_shut_down && is_kept(&state) {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wake_all(&self, mut state: MutexGuard<'_, State<T>>) {
        let getters = mem::take(&mut state.getters.waiting);
        let putters = mem::take(&mut state.putters.waiting);
        drop(state);
        self.has_item.notify_all();
        self.has_room.notify_all();
        for (_, waker) in getters.into_iter().chain(putters) {
            waker.wake();
        }
    }
}

impl<T> State<T> {
    fn is_full(&self, limit: usize) -> bool {
        self.items.len() >= limit
    }
}

impl Line {
    fn first(&mut self) -> Option<Waker> {
        self.waiting.pop_front().map(|(_, waker)| waker)
    }

    /// Has somebody wait: at the back, or where it was, or first if it has been woken for nothing.
    fn enter(&mut self, number: &mut Option<u64>, waker: Waker) -> Option<Waker> {
        let Some(number) = *number else {
            *number = Some(self.entered);
            self.waiting.push_back((self.entered, waker));
            self.entered += 1;
            return None;
        };
        let mut waiting = self.waiting.iter_mut();
        if let Some((_, known)) = waiting.find(|(other, _)| *other == number) {
            return Some(mem::replace(known, waker));
        }
        self.waiting.push_front((number, waker));
        None
    }

    /// Takes who has that number out of the line, if it is there.
    fn leave(&mut self, number: u64) -> Option<Waker> {
        let place = self
            .waiting
            .iter()
            .position(|(other, _)| *other == number)?;
        self.waiting.remove(place).map(|(_, waker)| waker)
    }
}

/// A task that waits in one of the lines, as long as this is not dropped.
struct Waiting<'q, T> {
    shared: &'q Shared<T>,
    line: fn(&mut State<T>) -> &mut Line,
    method: &'static str,
    number: Option<u64>,
    /// Threads may be at work meanwhile, as far as a virtual clock is concerned.
    work: Option<ExternalWork>,
}

impl<'q, T> Waiting<'q, T> {
    fn new(
        shared: &'q Shared<T>,
        line: fn(&mut State<T>) -> &mut Line,
        method: &'static str,
    ) -> Self {
        Self {
            shared,
            line,
            method,
            number: None,
            work: None,
        }
    }

    /// Gets into line, unless there is no reason for that any more: then the task is to try again.
    fn enter<P>(
        &mut self,
        cx: &Context<'_>,
        is_kept: impl Fn(&Shared<T>, &State<T>) -> bool,
    ) -> Poll<P> {
        // Whatever may be somebody else's code comes before the lock or after it.
        let waker = cx.waker().clone();
        self.work = None;
        let mut state = self.shared.lock();
        let has_ends = state.ends > 0;
        let line = (self.line)(&mut state);
        let replaced = line.enter(&mut self.number, waker);
        let must_retry = state.is_shut_down || !is_kept(self.shared, &state);
        drop(state);
        drop(replaced);
        if must_retry {
            cx.waker().wake_by_ref();
        } else if has_ends {
            self.work = Some(external_work());
        }
        note(|| format!("ThreadQueue::{}", self.method));
        Poll::Pending
    }
}

impl<T> Waiting<'_, T> {
    /// Leaves the line with what has been waited for.
    fn end<P>(&mut self, outcome: P) -> Poll<P> {
        if let Some(number) = self.number.take() {
            let mut state = self.shared.lock();
            let left = (self.line)(&mut state).leave(number);
            drop(state);
            drop(left);
        }
        Poll::Ready(outcome)
    }
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        let Some(number) = self.number.take() else {
            return;
        };
        let mut state = self.shared.lock();
        let line = (self.line)(&mut state);
        let left = line.leave(number);
        // It has been woken, and may not have made use of that: somebody else can.
        let next = if left.is_none() { line.first() } else { None };
        drop(state);
        drop(left);
        next.into_iter().for_each(Waker::wake);
    }
}
