//! A flag that can be waited for.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waiters::{Place, Waiters};

/// A flag that tasks can wait for until another one sets it.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Event, spawn};
///
/// roundel::run(async {
///     let done = Rc::new(Event::new());
///     let waiting = spawn({
///         let done = Rc::clone(&done);
///         async move { done.wait().await }
///     });
///     done.set();
///     waiting.await.unwrap();
/// });
/// ```
///
/// Source: `asyncio.Event`.
pub struct Event {
    is_set: Cell<bool>,
    waiters: Waiters,
    origin: &'static Location<'static>,
}

impl Event {
    /// Makes a flag that is not set.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(!roundel::Event::new().is_set());
    /// ```
    #[track_caller]
    pub fn new() -> Self {
        let (is_set, waiters) = (Cell::new(false), Waiters::default());
        Self {
            is_set,
            waiters,
            origin: Location::caller(),
        }
    }

    /// Returns whether the flag is set.
    ///
    /// # Examples
    ///
    /// ```
    /// let event = roundel::Event::new();
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Sets the flag, and wakes everybody who waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::Event;
    ///
    /// roundel::run(async {
    ///     let event = Event::new();
    ///     zip(zip(event.wait(), event.wait()), async { event.set() }).await;
    ///     event.wait().await; // Who comes later need not wait at all.
    /// });
    /// ```
    pub fn set(&self) {
        self.is_set.set(true);
        self.waiters.grant_all();
    }

    /// Takes the flag back. Who has been woken by it is so all the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use roundel::{Event, spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let event = Rc::new(Event::new());
    ///     let other = Rc::clone(&event);
    ///     let waiting = spawn(async move { other.wait().await });
    ///     yield_now().await;
    ///     event.set();
    ///     event.clear();
    ///     assert!(!event.is_set());
    ///     waiting.await.unwrap();
    /// });
    /// ```
    pub fn clear(&self) {
        self.is_set.set(false);
    }

    /// Waits until the flag is set, if it isn't.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost, as everybody who waits is woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Event, timeout};
    ///
    /// roundel::run(async {
    ///     let event = Event::new();
    ///     assert!(timeout(Duration::ZERO, event.wait()).await.is_err());
    ///     event.set();
    ///     assert!(timeout(Duration::ZERO, event.wait()).await.is_ok());
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            event: self,
            place: Place::none(),
        }
    }
}

impl Default for Event {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish_non_exhaustive()
    }
}

/// A future of an event's being set: see [`Event::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'e> {
    event: &'e Event,
    place: Place,
}

impl Future for Wait<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.place.is_taken() && this.event.is_set() {
            return Poll::Ready(());
        }
        let describe = || format!("Event::wait, of the event made at {}", this.event.origin);
        this.place
            .poll(&this.event.waiters, cx, describe)
            .map(|_released| ())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.place.leave(&self.event.waiters);
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}
