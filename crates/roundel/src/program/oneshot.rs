//! One value, from one task to another.
//!
//! What asyncio uses a bare `Future` for, with its two sides apart.
//!
//! ```
//! use roundel::{oneshot, spawn};
//!
//! roundel::run(async {
//!     let (sender, receiver) = oneshot::channel();
//!     drop(spawn(async move { sender.send(7) }));
//!     assert_eq!(receiver.await.unwrap(), 7);
//! });
//! ```

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::deadlock::note;
use super::error::Error;
use super::task::TaskWaker;

/// Makes a way for one value.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Queue, oneshot, spawn};
///
/// roundel::run(async {
///     let questions = Rc::new(Queue::<(u32, oneshot::Sender<u32>)>::unbounded());
///     let asked = Rc::clone(&questions);
///     drop(spawn(async move {
///         while let Ok((number, answer)) = asked.get().await {
///             answer.send(number * number).unwrap();
///         }
///     }));
///     let (sender, receiver) = oneshot::channel();
///     questions.put((7, sender)).await.unwrap();
///     assert_eq!(receiver.await.unwrap(), 49);
/// });
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: Cell::new(None),
        is_closed: Cell::new(false),
        waker: Cell::new(None),
        origin: Location::caller(),
    });
    let sender = Sender {
        shared: Rc::clone(&shared),
    };
    (sender, Receiver { shared })
}

struct Shared<T> {
    value: Cell<Option<T>>,
    /// One of the ends is gone.
    is_closed: Cell<bool>,
    waker: Cell<Option<TaskWaker>>,
    origin: &'static Location<'static>,
}

/// The end that sends.
///
/// # Examples
///
/// ```
/// use roundel::{Error, oneshot};
///
/// roundel::run(async {
///     let (sender, receiver) = oneshot::channel::<u32>();
///     drop(sender);
///     assert!(matches!(receiver.await, Err(Error::Closed)));
/// });
/// ```
#[derive(Debug)]
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends the value.
    ///
    /// # Errors
    ///
    /// Gives the value back if nobody will receive it.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::oneshot;
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(sender.send("one"), Ok(()));
    /// assert_eq!(receiver.try_get().unwrap(), "one");
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send("two"), Err("two"));
    /// ```
    pub fn send(self, value: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(value);
        }
        self.shared.value.set(Some(value));
        Ok(())
    }

    /// Returns whether the receiver is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = roundel::oneshot::channel::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.get()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.is_closed.set(true);
        if let Some(waker) = self.shared.waker.take() {
            waker.wake();
        }
    }
}

/// The end that receives: a future of the value.
///
/// # Errors
///
/// Awaiting it gives [`Error::Closed`] if the sender is dropped without having sent anything.
///
/// # Cancel safety
///
/// The value is dropped with the receiver; borrow that to wait for it in several places.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{oneshot, timeout};
///
/// roundel::run(async {
///     let (sender, mut receiver) = oneshot::channel();
///     assert!(timeout(Duration::ZERO, &mut receiver).await.is_err());
///     sender.send(7).unwrap();
///     assert_eq!(receiver.await.unwrap(), 7);
/// });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Returns the value, if it has been sent.
    ///
    /// # Errors
    ///
    /// Gives [`Error::QueueEmpty`] if it has not been sent yet, and [`Error::Closed`] if it will
    /// never be.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, oneshot};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert!(matches!(receiver.try_get(), Err(Error::QueueEmpty)));
    /// sender.send(7).unwrap();
    /// assert_eq!(receiver.try_get().unwrap(), 7);
    /// assert!(matches!(receiver.try_get(), Err(Error::Closed)));
    /// ```
    pub fn try_get(&mut self) -> Result<T, Error> {
        self.shared.value.take().ok_or_else(|| {
            if self.shared.is_closed.get() {
                Error::Closed
            } else {
                Error::QueueEmpty
            }
        })
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.try_get() {
            Err(Error::QueueEmpty) => {}
            outcome => return Poll::Ready(outcome),
        }
        let replaced = self.shared.waker.replace(Some(TaskWaker::of(cx)));
        drop(replaced);
        note(|| format!("oneshot::Receiver, of that made at {}", self.shared.origin));
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.is_closed.set(true);
        drop(self.shared.waker.take());
        drop(self.shared.value.take());
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("is_closed", &self.is_closed.get())
            .finish_non_exhaustive()
    }
}
