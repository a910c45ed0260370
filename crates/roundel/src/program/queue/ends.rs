//! The two ends of a queue as futures, as a stream and as a sink.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;

use super::store::Store;
use super::{Queue, Refused};
use crate::program::error::Error;
use crate::program::waiters::Place;

/// A future of an item's being in the queue: see [`Queue::put`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Queue, queue::Put, timeout};
///
/// roundel::run(async {
///     let queue = Queue::bounded(1);
///     queue.try_put("one").unwrap();
///     let mut put: Put<'_, _, _> = queue.put("two");
///     assert!(timeout(Duration::ZERO, &mut put).await.is_err());
///     // It has the item still, and its place in line.
///     assert_eq!(queue.try_get().unwrap(), "one");
///     put.await.unwrap();
///     assert_eq!(queue.try_get().unwrap(), "two");
/// });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Put<'q, T, S: Store<T>> {
    queue: &'q Queue<T, S>,
    /// There until the future is ready.
    item: Option<T>,
    place: Place,
}

// The item is never pinned.
impl<T, S: Store<T>> Unpin for Put<'_, T, S> {}

impl<'q, T, S: Store<T>> Put<'q, T, S> {
    #[inline]
    pub(super) fn new(queue: &'q Queue<T, S>, item: T) -> Self {
        Self {
            queue,
            item: Some(item),
            place: Place::none(),
        }
    }

    #[inline(never)]
    fn wait(&mut self, cx: &Context<'_>) -> Poll<bool> {
        let queue = self.queue;
        self.place
            .poll(&queue.putters, cx, || queue.describe("put"))
    }
}

impl<T, S: Store<T>> Future for Put<'_, T, S> {
    type Output = Result<(), Refused<T>>;

    #[expect(
        clippy::inline_always,
        reason = "a result that is returned in memory costs 10 ns"
    )]
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let queue = this.queue;
        if this.place.is_taken() || queue.is_full() && !queue.is_shut_down() {
            ready!(this.wait(cx));
        }
        let item = this.item.take();
        let item = item.expect("a future is not polled after its end");
        if queue.is_shut_down() {
            let error = Error::QueueShutDown;
            return Poll::Ready(Err(Refused { item, error }));
        }
        queue.add(item);
        Poll::Ready(Ok(()))
    }
}

impl<T, S: Store<T>> Drop for Put<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if self.place.leave(&self.queue.putters) {
            self.queue.grant_room();
        }
    }
}

impl<T, S: Store<T>> fmt::Debug for Put<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").finish_non_exhaustive()
    }
}

/// A future of an item out of the queue: see [`Queue::get`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Queue, queue::Get, timeout};
///
/// roundel::run(async {
///     let queue = Queue::unbounded();
///     let mut get: Get<'_, _, _> = queue.get();
///     assert!(timeout(Duration::ZERO, &mut get).await.is_err());
///     queue.try_put(7).unwrap();
///     assert!(queue.try_get().is_err(), "it belongs to who came first");
///     assert_eq!(get.await.unwrap(), 7);
/// });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Get<'q, T, S: Store<T>> {
    queue: &'q Queue<T, S>,
    place: Place,
}

impl<'q, T, S: Store<T>> Get<'q, T, S> {
    #[inline]
    pub(super) fn new(queue: &'q Queue<T, S>) -> Self {
        Self {
            queue,
            place: Place::none(),
        }
    }
}

impl<T, S: Store<T>> Future for Get<'_, T, S> {
    type Output = Result<T, Error>;

    #[expect(
        clippy::inline_always,
        reason = "a result that is returned in memory costs 10 ns"
    )]
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        poll_get(this.queue, &mut this.place, cx)
    }
}

impl<T, S: Store<T>> Drop for Get<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        if self.place.leave(&self.queue.getters) {
            self.queue.grant_item();
        }
    }
}

impl<T, S: Store<T>> fmt::Debug for Get<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get").finish_non_exhaustive()
    }
}

/// Takes the next item, or has `place` wait for one.
#[expect(
    clippy::inline_always,
    reason = "a result that is returned in memory costs 10 ns"
)]
#[inline(always)]
fn poll_get<T, S: Store<T>>(
    queue: &Queue<T, S>,
    place: &mut Place,
    cx: &Context<'_>,
) -> Poll<Result<T, Error>> {
    if !place.is_taken() {
        if let Some(item) = queue.take() {
            return Poll::Ready(Ok(item));
        }
        if queue.is_shut_down() {
            return Poll::Ready(Err(Error::QueueShutDown));
        }
    }
    let item = ready!(wait_for_item(queue, place, cx));
    Poll::Ready(item.ok_or(Error::QueueShutDown))
}

#[inline(never)]
fn wait_for_item<T, S: Store<T>>(
    queue: &Queue<T, S>,
    place: &mut Place,
    cx: &Context<'_>,
) -> Poll<Option<T>> {
    let is_granted = ready!(place.poll(&queue.getters, cx, || queue.describe("get")));
    Poll::Ready(is_granted.then(|| queue.take_promised()).flatten())
}

/// A queue that is somebody else's, or shared.
pub(super) enum QueueRef<'q, T, S> {
    Lent(&'q Queue<T, S>),
    Shared(Rc<Queue<T, S>>),
}

impl<T, S> Deref for QueueRef<'_, T, S> {
    type Target = Queue<T, S>;

    fn deref(&self) -> &Queue<T, S> {
        match self {
            Self::Lent(queue) => queue,
            Self::Shared(queue) => queue,
        }
    }
}

impl<'q, T, S> From<&'q Queue<T, S>> for QueueRef<'q, T, S> {
    fn from(queue: &'q Queue<T, S>) -> Self {
        Self::Lent(queue)
    }
}

impl<T, S> From<Rc<Queue<T, S>>> for QueueRef<'_, T, S> {
    fn from(queue: Rc<Queue<T, S>>) -> Self {
        Self::Shared(queue)
    }
}

/// The items of a queue as a stream: see [`Queue::items`].
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use futures_lite::StreamExt;
/// use roundel::{Queue, queue::{Fifo, Items}};
///
/// struct Subscription {
///     items: Items<'static, u32, Fifo<u32>>,
/// }
///
/// roundel::run(async {
///     let queue = Rc::new(Queue::unbounded());
///     let mut subscription = Subscription { items: Rc::clone(&queue).into_items() };
///     queue.try_put(7).unwrap();
///     assert_eq!(subscription.items.next().await, Some(7));
/// });
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Items<'q, T, S: Store<T>> {
    queue: QueueRef<'q, T, S>,
    place: Place,
}

impl<'q, T, S: Store<T>> Items<'q, T, S> {
    pub(super) fn new(queue: QueueRef<'q, T, S>) -> Self {
        Self {
            queue,
            place: Place::none(),
        }
    }
}

impl<T, S: Store<T>> Stream for Items<'_, T, S> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        poll_get(&this.queue, &mut this.place, cx).map(Result::ok)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.queue.len(), None)
    }
}

impl<T, S: Store<T>> Drop for Items<'_, T, S> {
    fn drop(&mut self) {
        if self.place.leave(&self.queue.getters) {
            self.queue.grant_item();
        }
    }
}

impl<T, S: Store<T>> fmt::Debug for Items<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}

/// The side of a queue where items are pushed in: see [`Queue::inlet`].
///
/// It is ready once it has room of its own, which goes to the next one in line if it is dropped.
///
/// # Examples
///
/// ```
/// use futures_util::SinkExt;
/// use roundel::{Queue, queue::Inlet};
///
/// roundel::run(async {
///     let queue = Queue::bounded(2);
///     let mut inlet: Inlet<'_, _, _> = queue.inlet();
///     inlet.send("one").await.unwrap();
///     inlet.close().await.unwrap();
///     assert!(queue.is_shut_down());
///     assert_eq!(queue.get().await.unwrap(), "one");
/// });
/// ```
#[must_use = "sinks do nothing unless polled"]
pub struct Inlet<'q, T, S: Store<T>> {
    queue: QueueRef<'q, T, S>,
    place: Place,
    has_room: bool,
}

impl<'q, T, S: Store<T>> Inlet<'q, T, S> {
    pub(super) fn new(queue: QueueRef<'q, T, S>) -> Self {
        Self {
            queue,
            place: Place::none(),
            has_room: false,
        }
    }

    /// Gives back the room that has been reserved, if some has.
    fn give_back_room(&mut self) -> bool {
        if self.has_room {
            self.queue.putters.unreserve();
        }
        std::mem::take(&mut self.has_room)
    }
}

impl<T, S: Store<T>> Sink<T> for Inlet<'_, T, S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = &mut *self;
        let queue = &*this.queue;
        if this.has_room && !queue.is_shut_down() {
            return Poll::Ready(Ok(()));
        }
        if this.place.is_taken() || queue.is_full() && !queue.is_shut_down() {
            let describe = || queue.describe("inlet");
            ready!(this.place.poll(&queue.putters, cx, describe));
        }
        if queue.is_shut_down() {
            return Poll::Ready(Err(Error::QueueShutDown));
        }
        queue.putters.reserve();
        this.has_room = true;
        Poll::Ready(Ok(()))
    }

    fn start_send(mut self: Pin<&mut Self>, item: T) -> Result<(), Error> {
        self.give_back_room();
        Ok(self.queue.try_put(item)?)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.queue.shutdown();
        Poll::Ready(Ok(()))
    }
}

impl<T, S: Store<T>> Drop for Inlet<'_, T, S> {
    fn drop(&mut self) {
        let was_granted = self.place.leave(&self.queue.putters);
        if self.give_back_room() || was_granted {
            self.queue.grant_room();
        }
    }
}

// The items are the queue's, and never pinned.
impl<T, S: Store<T>> Unpin for Inlet<'_, T, S> {}

impl<T, S: Store<T>> fmt::Debug for Inlet<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet")
            .field("has_room", &self.has_room)
            .finish_non_exhaustive()
    }
}
