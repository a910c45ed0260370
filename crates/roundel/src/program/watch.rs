//! A value that changes, and those who want to know its latest state.
//!
//! Unlike a queue it keeps one value only: who comes late sees the last one, and has missed those
//! before.
//!
//! ```
//! use roundel::{spawn, watch, yield_now};
//!
//! roundel::run(async {
//!     let (sender, mut receiver) = watch::channel("starting");
//!     drop(spawn(async move {
//!         sender.send("working");
//!         sender.send("done");
//!     }));
//!     receiver.changed().await.unwrap();
//!     assert_eq!(*receiver.latest(), "done");
//!     assert!(receiver.changed().await.is_err(), "the sender is gone");
//! });
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::error::Error;
use super::waiters::Waiters;

/// Makes a value that can be watched, with its first state.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = roundel::watch::channel("starting");
/// assert_eq!(*receiver.latest(), "starting");
/// sender.send("working");
/// assert_eq!(*receiver.latest(), "working");
/// ```
#[track_caller]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: RefCell::new(Rc::new(value)),
        version: Cell::new(0),
        is_closed: Cell::new(false),
        waiters: Waiters::default(),
        origin: Location::caller(),
    });
    let receiver = Receiver {
        shared: Rc::clone(&shared),
        seen: 0,
    };
    (Sender { shared }, receiver)
}

struct Shared<T> {
    value: RefCell<Rc<T>>,
    version: Cell<u64>,
    /// The sender is gone.
    is_closed: Cell<bool>,
    waiters: Waiters,
    origin: &'static Location<'static>,
}

/// Who changes the value.
///
/// # Examples
///
/// ```
/// use roundel::{Error, watch};
///
/// roundel::run(async {
///     let (sender, mut receiver) = watch::channel(0);
///     sender.send(1);
///     drop(sender);
///     // The last value can be seen all the same.
///     assert!(receiver.changed().await.is_ok());
///     assert_eq!(*receiver.latest(), 1);
///     assert!(matches!(receiver.changed().await, Err(Error::Closed)));
/// });
/// ```
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Changes the value, which everybody who watches will see.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = roundel::watch::channel(1);
    /// let other = receiver.clone();
    /// sender.send(2);
    /// sender.send(3); // Nobody will know that it has ever been 2.
    /// assert_eq!((*receiver.latest(), *other.latest()), (3, 3));
    /// ```
    pub fn send(&self, value: T) {
        let replaced = self.shared.value.replace(Rc::new(value));
        self.shared.version.set(self.shared.version.get() + 1);
        self.shared.waiters.grant_all();
        drop(replaced);
    }

    /// Returns the value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, _receiver) = roundel::watch::channel(1);
    /// sender.send(*sender.latest() + 1);
    /// assert_eq!(*sender.latest(), 2);
    /// ```
    pub fn latest(&self) -> Rc<T> {
        self.shared.value.borrow().clone()
    }

    /// Returns one more receiver, which has seen the present value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{timeout, watch};
    ///
    /// roundel::run(async {
    ///     let (sender, mut first) = watch::channel(0);
    ///     sender.send(1);
    ///     let mut second = sender.subscribe();
    ///     assert!(timeout(Duration::ZERO, first.changed()).await.is_ok());
    ///     assert!(timeout(Duration::ZERO, second.changed()).await.is_err(), "it has seen the 1");
    ///     assert_eq!(*second.latest(), 1);
    /// });
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver {
            shared: Rc::clone(&self.shared),
            seen: self.shared.version.get(),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.is_closed.set(true);
        self.shared.waiters.grant_all();
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.latest()).finish()
    }
}

/// Who watches the value. A clone has seen what the original has.
///
/// # Examples
///
/// ```
/// use futures_lite::future::zip;
/// use roundel::watch;
///
/// roundel::run(async {
///     let (sender, mut one) = watch::channel("starting");
///     let mut other = one.clone();
///     let change = async { sender.send("working") };
///     let ((heard, also_heard), ()) = zip(zip(one.changed(), other.changed()), change).await;
///     assert!(heard.is_ok() && also_heard.is_ok());
/// });
/// ```
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The last version that this one has been told of.
    seen: u64,
}

impl<T> Receiver<T> {
    /// Returns the value, which does not count as seen by that.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::watch;
    ///
    /// roundel::run(async {
    ///     let (sender, mut receiver) = watch::channel(1);
    ///     sender.send(2);
    ///     assert_eq!(*receiver.latest(), 2);
    ///     receiver.changed().await.unwrap(); // It does not count as seen before.
    /// });
    /// ```
    pub fn latest(&self) -> Rc<T> {
        self.shared.value.borrow().clone()
    }

    /// Waits until there is a value that this one has not seen, which it has then.
    ///
    /// # Errors
    ///
    /// Gives [`Error::Closed`] if there is none, and the sender is gone.
    ///
    /// # Cancel safety
    ///
    /// No change is missed: the value is seen only when this is ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{spawn, watch, yield_now};
    ///
    /// roundel::run(async {
    ///     let (sender, mut receiver) = watch::channel(0);
    ///     let last = spawn(async move {
    ///         let mut seen = Vec::new();
    ///         while receiver.changed().await.is_ok() {
    ///             seen.push(*receiver.latest());
    ///         }
    ///         seen
    ///     });
    ///     for number in 1..=3 {
    ///         sender.send(number);
    ///         yield_now().await;
    ///     }
    ///     drop(sender);
    ///     assert_eq!(last.await.unwrap(), [1, 2, 3]);
    /// });
    /// ```
    pub async fn changed(&mut self) -> Result<(), Error> {
        let shared = &*self.shared;
        if shared.version.get() == self.seen && !shared.is_closed.get() {
            let describe = || format!("watch::Receiver, of that made at {}", shared.origin);
            shared.waiters.turn(|| (), describe).await;
        }
        if shared.version.get() == self.seen {
            return Err(Error::Closed);
        }
        self.seen = shared.version.get();
        Ok(())
    }

    /// Waits until the value is such as `predicate` wants it, which it may be already, and gives it.
    ///
    /// # Errors
    ///
    /// Gives [`Error::Closed`] if it is not, and the sender is gone.
    ///
    /// # Cancel safety
    ///
    /// No change is missed.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::watch;
    ///
    /// roundel::run(async {
    ///     let (sender, mut receiver) = watch::channel(0);
    ///     let count = async {
    ///         (1..=5).for_each(|number| sender.send(number));
    ///     };
    ///     let (five, ()) = zip(receiver.wait_for(|&number| number >= 5), count).await;
    ///     assert_eq!(*five.unwrap(), 5);
    /// });
    /// ```
    pub async fn wait_for(
        &mut self,
        mut predicate: impl FnMut(&T) -> bool,
    ) -> Result<Rc<T>, Error> {
        loop {
            self.seen = self.shared.version.get();
            let latest = self.latest();
            if predicate(&latest) {
                return Ok(latest);
            }
            self.changed().await?;
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
            seen: self.seen,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.latest()).finish()
    }
}
