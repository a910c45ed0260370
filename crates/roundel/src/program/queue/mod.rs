//! Queues between tasks, which can also wait until all that was in them is done.
//!
//! [`Queue`], [`LifoQueue`] and [`PriorityQueue`] are at the crate's root, too; here is what they
//! give and are made of.

mod ends;
mod kinds;
mod store;

pub use ends::{Get, Inlet, Items, Put};
pub use kinds::{LifoQueue, PriorityQueue};
pub use store::{Fifo, Lifo, Priority, Store};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

use super::error::Error;
use super::waiters::Waiters;

/// A queue between tasks, first in, first out.
///
/// Tasks share it by reference, usually in an [`Rc`](std::rc::Rc). Getters are served first come,
/// first served, and so are putters: an item or a room that a task has been woken for is its own.
///
/// [`LifoQueue`] and [`PriorityQueue`] are queues in another order. To other parts of the async
/// world a queue has two ends: [`items`](Self::items) is a [`Stream`](futures_core::Stream), and
/// [`inlet`](Self::inlet) a [`Sink`](futures_sink::Sink), by which a producer sets the pace.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Queue, spawn};
///
/// roundel::run(async {
///     let queue = Rc::new(Queue::bounded(1));
///     let producer = spawn({
///         let queue = Rc::clone(&queue);
///         async move {
///             for number in 1..=3 {
///                 queue.put(number).await.unwrap();
///             }
///             queue.shutdown();
///         }
///     });
///     let mut sum = 0;
///     while let Ok(number) = queue.get().await {
///         sum += number;
///         queue.task_done();
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
///
/// Source: `asyncio.Queue` (3.13).
pub struct Queue<T, S = Fifo<T>> {
    items: RefCell<S>,
    limit: usize,
    /// How many items have been put for which nobody has said that they are done.
    unfinished: Cell<usize>,
    is_shut_down: Cell<bool>,
    /// Each turn granted here stands for an item.
    getters: Waiters,
    /// Each turn granted here stands for room for an item.
    putters: Waiters,
    joiners: Waiters,
    origin: &'static Location<'static>,
    _item: PhantomData<T>,
}

impl<T> Queue<T> {
    /// Makes a queue without a limit.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::unbounded();
    /// assert!((0..1000).all(|number| queue.try_put(number).is_ok()));
    /// ```
    #[track_caller]
    pub fn unbounded() -> Self {
        Self::bounded(usize::MAX)
    }

    /// Makes a queue for at most `limit` items.
    ///
    /// # Panics
    ///
    /// Panics if `limit` is 0. Differs: to asyncio this is no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::bounded(1);
    /// assert!(queue.try_put("one").is_ok());
    /// assert!(queue.try_put("two").is_err());
    /// ```
    #[track_caller]
    pub fn bounded(limit: usize) -> Self {
        Self::of(limit)
    }
}

impl<T, S: Store<T>> Queue<T, S> {
    /// Makes a queue of any kind.
    #[track_caller]
    fn of(limit: usize) -> Self {
        assert!(limit > 0, "a queue must have room for an item");
        Self {
            items: RefCell::default(),
            limit,
            unfinished: Cell::new(0),
            is_shut_down: Cell::new(false),
            getters: Waiters::default(),
            putters: Waiters::default(),
            joiners: Waiters::default(),
            origin: Location::caller(),
            _item: PhantomData,
        }
    }

    /// Puts an item into the queue, waiting until there is room.
    ///
    /// # Errors
    ///
    /// Gives the item back with [`Error::QueueShutDown`] once the queue is shut down.
    ///
    /// # Cancel safety
    ///
    /// The item is either in the queue or dropped with the future, and room is never lost: a
    /// cancelled putter passes its turn on.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    ///
    /// roundel::run(async {
    ///     let queue = roundel::Queue::bounded(1);
    ///     queue.put(1).await.unwrap();
    ///     // The second one waits until the first one has been got.
    ///     let (put, got) = zip(queue.put(2), queue.get()).await;
    ///     assert!(put.is_ok() && got.unwrap() == 1);
    /// });
    /// ```
    #[inline]
    pub fn put(&self, item: T) -> Put<'_, T, S> {
        Put::new(self, item)
    }

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
    /// use roundel::{Error, Queue};
    ///
    /// let queue = Queue::bounded(1);
    /// queue.try_put("one")?;
    /// let refused = queue.try_put("two").expect_err("it is full");
    /// assert!(matches!(refused.error, Error::QueueFull));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "put_nowait")]
    pub fn try_put(&self, item: T) -> Result<(), Refused<T>> {
        if self.is_shut_down() {
            return Err(Refused {
                item,
                error: Error::QueueShutDown,
            });
        }
        if self.is_full() {
            return Err(Refused {
                item,
                error: Error::QueueFull,
            });
        }
        self.add(item);
        Ok(())
    }

    /// Removes and returns the next item, waiting until there is one.
    ///
    /// # Errors
    ///
    /// Gives [`Error::QueueShutDown`] once the queue is shut down and empty.
    ///
    /// # Cancel safety
    ///
    /// No item is lost: a cancelled getter passes its turn on.
    ///
    /// # Examples
    ///
    /// ```
    /// roundel::run(async {
    ///     let queue = roundel::Queue::unbounded();
    ///     queue.put(7).await.unwrap();
    ///     queue.shutdown();
    ///     assert_eq!(queue.get().await.unwrap(), 7);
    ///     assert!(queue.get().await.is_err());
    /// });
    /// ```
    #[inline]
    pub fn get(&self) -> Get<'_, T, S> {
        Get::new(self)
    }

    /// Removes and returns the next item, if there is one.
    ///
    /// # Errors
    ///
    /// Gives [`Error::QueueEmpty`] if there is none, and [`Error::QueueShutDown`] if there will
    /// never be one.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, Queue};
    ///
    /// let queue = Queue::unbounded();
    /// assert!(matches!(queue.try_get(), Err(Error::QueueEmpty)));
    /// queue.try_put(7)?;
    /// assert_eq!(queue.try_get()?, 7);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "get_nowait")]
    pub fn try_get(&self) -> Result<T, Error> {
        match self.take() {
            Some(item) => Ok(item),
            None if self.is_shut_down() => Err(Error::QueueShutDown),
            None => Err(Error::QueueEmpty),
        }
    }

    /// Says that an item which has been got is done.
    ///
    /// # Panics
    ///
    /// Panics if it has been called as often as items have been put.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::unbounded();
    /// queue.try_put(7)?;
    /// assert_eq!(queue.try_get()?, 7);
    /// queue.task_done();
    /// roundel::run(async move { queue.join().await }); // It would wait for ever else.
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn task_done(&self) {
        let unfinished = self.unfinished.get().checked_sub(1);
        self.unfinished
            .set(unfinished.expect("task_done() called too many times"));
        self.finish();
    }

    /// Waits until all items that have been put are done.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost, as everybody who waits is woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    ///
    /// roundel::run(async {
    ///     let queue = roundel::Queue::unbounded();
    ///     queue.put(7).await.unwrap();
    ///     let work = async {
    ///         queue.get().await.unwrap();
    ///         queue.task_done();
    ///     };
    ///     zip(queue.join(), work).await;
    ///     assert!(queue.is_empty());
    /// });
    /// ```
    pub async fn join(&self) {
        if self.unfinished.get() > 0 {
            self.joiners.turn(|| (), || self.describe("join")).await;
        }
    }

    /// Lets nobody put any more, and nobody get once the queue is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::unbounded();
    /// queue.try_put(1)?;
    /// queue.shutdown();
    /// assert!(queue.try_put(2).is_err());
    /// assert_eq!(queue.try_get()?, 1);
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn shutdown(&self) {
        self.is_shut_down.set(true);
        self.putters.send_away();
        self.getters.send_away();
    }

    /// Lets nobody put or get any more, and returns what has been left, which counts as done.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::unbounded();
    /// queue.try_put(1)?;
    /// assert_eq!(queue.shutdown_now(), [1]);
    /// assert!(queue.try_get().is_err());
    /// # Ok::<(), roundel::Error>(())
    /// ```
    #[doc(alias = "shutdown")]
    pub fn shutdown_now(&self) -> Vec<T> {
        let items = self.items.take();
        self.unfinished
            .set(self.unfinished.get().saturating_sub(items.count()));
        self.shutdown();
        self.finish();
        items.into_vec()
    }

    /// Returns the items as a stream, which takes each out of the queue and ends when the queue is
    /// shut down and empty.
    ///
    /// # Cancel safety
    ///
    /// No item is lost with a stream that is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use roundel::Queue;
    ///
    /// roundel::run(async {
    ///     let queue = Queue::unbounded();
    ///     (1..=3).for_each(|number| queue.try_put(number).unwrap());
    ///     queue.shutdown();
    ///     assert_eq!(queue.items().collect::<Vec<_>>().await, [1, 2, 3]);
    /// });
    /// ```
    pub fn items(&self) -> Items<'_, T, S> {
        Items::new(self.into())
    }

    /// As [`items`](Self::items), with the queue in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::StreamExt;
    ///
    /// let queue = std::rc::Rc::new(roundel::Queue::unbounded());
    /// (1..=3).for_each(|number| queue.try_put(number).unwrap());
    /// queue.shutdown();
    /// assert_eq!(roundel::run(queue.into_items().collect::<Vec<_>>()), [1, 2, 3]);
    /// ```
    pub fn into_items(self: Rc<Self>) -> Items<'static, T, S>
    where
        T: 'static,
        S: 'static,
    {
        Items::new(self.into())
    }

    /// Returns the side where items are pushed in: a sink that is ready when there is room, and
    /// shuts the queue down when it is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use futures_util::{SinkExt, StreamExt, stream};
    /// use roundel::{Error, Queue, gather};
    ///
    /// roundel::run(async {
    ///     let queue = Rc::new(Queue::bounded(1));
    ///     let mut inlet = Rc::clone(&queue).into_inlet();
    ///     let push = async move {
    ///         inlet.send_all(&mut stream::iter(1..=3).map(Ok)).await?;
    ///         inlet.close().await
    ///     };
    ///     let pull = async move { queue.items().collect::<Vec<_>>().await };
    ///     let (pushed, pulled) = gather!(push, pull).await;
    ///     assert_eq!(pulled, [1, 2, 3]);
    ///     pushed
    /// })?;
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn inlet(&self) -> Inlet<'_, T, S> {
        Inlet::new(self.into())
    }

    /// As [`inlet`](Self::inlet), with the queue in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::SinkExt;
    ///
    /// roundel::run(async {
    ///     let queue = std::rc::Rc::new(roundel::Queue::unbounded());
    ///     let mut inlet = std::rc::Rc::clone(&queue).into_inlet();
    ///     drop(roundel::spawn(async move { inlet.send(7).await }));
    ///     assert_eq!(queue.get().await.unwrap(), 7);
    /// });
    /// ```
    pub fn into_inlet(self: Rc<Self>) -> Inlet<'static, T, S>
    where
        T: 'static,
        S: 'static,
    {
        Inlet::new(self.into())
    }

    /// Returns whether the queue has been shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::<u32>::unbounded();
    /// queue.shutdown();
    /// assert!(queue.is_shut_down());
    /// ```
    pub fn is_shut_down(&self) -> bool {
        self.is_shut_down.get()
    }

    /// Returns how many items there are to be got.
    ///
    /// Those that belong to a getter which has been woken for them do not count any more, neither
    /// here nor towards the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::unbounded();
    /// queue.try_put(7).unwrap();
    /// assert_eq!(queue.len(), 1);
    /// ```
    #[doc(alias = "qsize")]
    pub fn len(&self) -> usize {
        self.items
            .borrow()
            .count()
            .saturating_sub(self.getters.granted())
    }

    /// Returns whether [`try_get`](Self::try_get) would find nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::<u32>::unbounded();
    /// assert!(queue.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether [`try_put`](Self::try_put) would find no room.
    ///
    /// # Examples
    ///
    /// ```
    /// let queue = roundel::Queue::bounded(1);
    /// queue.try_put(7).unwrap();
    /// assert!(queue.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.len() + self.putters.granted() >= self.limit
    }

    /// Returns how many items there is room for; `usize::MAX` if there is no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(roundel::Queue::<u32>::bounded(3).limit(), 3);
    /// assert_eq!(roundel::Queue::<u32>::unbounded().limit(), usize::MAX);
    /// ```
    #[doc(alias = "maxsize")]
    pub fn limit(&self) -> usize {
        self.limit
    }

    #[inline]
    fn add(&self, item: T) {
        self.items.borrow_mut().push(item);
        self.unfinished.set(self.unfinished.get() + 1);
        self.grant_item();
    }

    /// Takes the first item that is not promised to anybody, if there is one.
    #[inline]
    fn take(&self) -> Option<T> {
        let promised = self.getters.granted();
        let mut items = self.items.borrow_mut();
        if items.count() <= promised {
            return None;
        }
        let item = items.take(promised);
        drop(items);
        self.grant_room();
        item
    }

    /// Takes the item that has been promised to who calls this. There is one, unless the queue has
    /// been emptied by shutting it down.
    fn take_promised(&self) -> Option<T> {
        let item = self.items.borrow_mut().take(0);
        self.grant_room();
        item
    }

    /// Promises an item to the first getter, if there is one that is promised to nobody.
    #[inline]
    fn grant_item(&self) {
        if self.getters.has_waiting() && !self.is_empty() {
            self.getters.grant_first();
        }
    }

    /// Promises room to the first putter, if there is some that is promised to nobody.
    #[inline]
    fn grant_room(&self) {
        if self.putters.has_waiting() && !self.is_full() {
            self.putters.grant_first();
        }
    }

    fn finish(&self) {
        if self.unfinished.get() == 0 {
            self.joiners.grant_all();
        }
    }

    fn describe(&self, method: &str) -> String {
        format!("Queue::{method}, of the queue made at {}", self.origin)
    }
}

impl<T, S: fmt::Debug> fmt::Debug for Queue<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("items", &self.items.borrow())
            .field("limit", &self.limit)
            .field("unfinished", &self.unfinished.get())
            .field("is_shut_down", &self.is_shut_down.get())
            .finish_non_exhaustive()
    }
}

/// An item that a queue would not take, and why.
///
/// # Examples
///
/// ```
/// let queue = roundel::Queue::unbounded();
/// queue.shutdown();
/// let refused = queue.try_put("late").expect_err("it is shut down");
/// assert_eq!(refused.item, "late");
/// assert_eq!(refused.to_string(), "the queue has been shut down");
/// ```
#[derive(Debug)]
pub struct Refused<T> {
    /// The item, which is the caller's again.
    pub item: T,
    /// The reason.
    pub error: Error,
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<T: fmt::Debug> std::error::Error for Refused<T> {}

impl<T> From<Refused<T>> for Error {
    fn from(refused: Refused<T>) -> Self {
        refused.error
    }
}
