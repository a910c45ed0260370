//! A value for one task at a time, across what it awaits.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::runtime::{Core, running_id};
use super::task::TaskId;
use super::waiters::{Place, Waiters};

/// A value that one task at a time may hold, whatever it awaits meanwhile.
///
/// The lock is handed over in the order in which tasks have come for it: who gives it back and
/// wants it again gets into line.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Lock, gather, yield_now};
///
/// roundel::run(async {
///     let sum = Rc::new(Lock::new(0));
///     let add = |number| {
///         let sum = Rc::clone(&sum);
///         async move {
///             let mut sum = sum.acquire().await;
///             let before = *sum;
///             yield_now().await;
///             *sum = before + number;
///         }
///     };
///     gather!(add(1), add(2)).await;
///     assert_eq!(*sum.acquire().await, 3);
/// });
/// ```
///
/// Source: `asyncio.Lock`. Differs: the lock has its value inside, and a guard gives it back.
pub struct Lock<T: ?Sized = ()> {
    is_held: Cell<bool>,
    /// Who has acquired it last, for reports.
    holder: Cell<Option<TaskId>>,
    waiters: Waiters,
    origin: &'static Location<'static>,
    value: RefCell<T>,
}

impl<T> Lock<T> {
    /// Puts `value` under a lock, which nobody holds.
    ///
    /// # Examples
    ///
    /// ```
    /// // To be shared by tasks; without a value it merely lets one at a time do something.
    /// let lock = std::rc::Rc::new(roundel::Lock::new(()));
    /// assert!(!lock.is_held());
    /// ```
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self {
            is_held: Cell::new(false),
            holder: Cell::new(None),
            waiters: Waiters::default(),
            origin: Location::caller(),
            value: RefCell::new(value),
        }
    }

    /// Takes the value out of the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = roundel::Lock::new(vec![1, 2]);
    /// assert_eq!(lock.into_inner(), [1, 2]);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Waits until nobody holds the lock, and holds it until the guard is dropped.
    ///
    /// # Cancel safety
    ///
    /// A place in line is lost, but never the lock: it goes to the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Lock, timeout};
    ///
    /// roundel::run(async {
    ///     let lock = Lock::new(0);
    ///     let mut guard = lock.acquire().await;
    ///     assert!(timeout(Duration::ZERO, lock.acquire()).await.is_err(), "it is held");
    ///     *guard += 1;
    ///     drop(guard);
    ///     assert_eq!(*lock.acquire().await, 1);
    /// });
    /// ```
    #[inline]
    pub fn acquire(&self) -> Acquire<'_, T> {
        Acquire {
            lock: self,
            place: Place::none(),
        }
    }

    /// Holds the lock until the guard is dropped, if nobody does.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = roundel::Lock::new(0);
    /// let guard = lock.try_acquire().expect("nobody holds it");
    /// assert!(lock.try_acquire().is_none());
    /// drop(guard);
    /// assert!(lock.try_acquire().is_some());
    /// ```
    pub fn try_acquire(&self) -> Option<LockGuard<'_, T>> {
        (!self.is_held.replace(true)).then(|| self.guard())
    }

    /// Returns whether somebody holds the lock, or has been given it just now.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = roundel::Lock::new(0);
    /// let guard = lock.try_acquire();
    /// assert!(lock.is_held());
    /// drop(guard);
    /// assert!(!lock.is_held());
    /// ```
    #[doc(alias = "locked")]
    pub fn is_held(&self) -> bool {
        self.is_held.get()
    }

    fn guard(&self) -> LockGuard<'_, T> {
        self.holder.set(running_id());
        LockGuard {
            lock: self,
            value: Some(self.value.borrow_mut()),
        }
    }

    /// Hands the lock to the first one in line.
    fn release(&self) {
        let is_handed_over = self.waiters.grant_first();
        self.is_held.set(is_handed_over);
    }

    fn describe(&self) -> String {
        let task = |id| Core::try_current().and_then(|core| core.tasks.find(id));
        let holder = match self.holder.get().and_then(task) {
            Some(holder) => format!(" and held by {holder}"),
            None => String::new(),
        };
        format!("Lock::acquire, of the lock made at {}{holder}", self.origin)
    }
}

impl<T: Default> Default for Lock<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Lock");
        if let Ok(value) = self.value.try_borrow() {
            form.field("value", &&*value);
        }
        form.field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}

/// A future of a lock's being held: see [`Lock::acquire`].
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire<'l, T: ?Sized> {
    lock: &'l Lock<T>,
    place: Place,
}

impl<'l, T: ?Sized> Future for Acquire<'l, T> {
    type Output = LockGuard<'l, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<LockGuard<'l, T>> {
        let this = &mut *self;
        let lock = this.lock;
        if this.place.is_taken() || lock.is_held.replace(true) {
            ready!(this.place.poll(&lock.waiters, cx, || lock.describe()));
        }
        Poll::Ready(lock.guard())
    }
}

impl<T: ?Sized> Drop for Acquire<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.place.leave(&self.lock.waiters) {
            self.lock.release();
        }
    }
}

impl<T: ?Sized> fmt::Debug for Acquire<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}

/// The value of a lock, for as long as it is held.
///
/// # Examples
///
/// ```
/// use roundel::{Lock, LockGuard, yield_now};
///
/// async fn sum_up(mut numbers: LockGuard<'_, Vec<u32>>) -> u32 {
///     yield_now().await; // The lock is held meanwhile, and given back at the end.
///     numbers.drain(..).sum()
/// }
///
/// roundel::run(async {
///     let numbers = Lock::new(vec![1, 2, 3]);
///     assert_eq!(sum_up(numbers.acquire().await).await, 6);
///     assert!(numbers.into_inner().is_empty());
/// });
/// ```
#[must_use = "the lock is given back when this is dropped"]
pub struct LockGuard<'l, T: ?Sized> {
    lock: &'l Lock<T>,
    /// There until the guard is dropped.
    value: Option<RefMut<'l, T>>,
}

impl<'l, T: ?Sized> LockGuard<'l, T> {
    /// Returns the lock that this holds.
    pub(crate) fn lock(&self) -> &'l Lock<T> {
        self.lock
    }
}

impl<T: ?Sized> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("the guard has not been dropped")
    }
}

impl<T: ?Sized> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("the guard has not been dropped")
    }
}

impl<T: ?Sized> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        // The value first: whoever is woken might take it at once.
        drop(self.value.take());
        self.lock.release();
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
