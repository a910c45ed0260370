//! So many at a time.

use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::Location;

use super::waiters::Waiters;

/// A number of permits, which tasks acquire one by one and give back.
///
/// They are handed over in the order in which tasks have come for them.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Semaphore, gather, yield_now};
///
/// roundel::run(async {
///     let two_at_a_time = Rc::new(Semaphore::new(2));
///     gather((0..5).map(|_| {
///         let two_at_a_time = Rc::clone(&two_at_a_time);
///         async move {
///             let _permit = two_at_a_time.acquire().await;
///             yield_now().await;
///         }
///     }))
///     .await;
///     assert_eq!(two_at_a_time.available(), 2);
/// });
/// ```
///
/// Source: `asyncio.BoundedSemaphore`: a permit gives itself back, and does so once.
pub struct Semaphore {
    /// Permits that nobody has, and nobody has been promised.
    available: Cell<usize>,
    waiters: Waiters,
    origin: &'static Location<'static>,
}

impl Semaphore {
    /// Makes a semaphore of so many permits; with none, everybody waits for
    /// [`add_permits`](Self::add_permits).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Semaphore, timeout};
    ///
    /// roundel::run(async {
    ///     let closed = Semaphore::new(0);
    ///     assert!(timeout(Duration::ZERO, closed.acquire()).await.is_err());
    ///     closed.add_permits(1);
    ///     assert!(timeout(Duration::ZERO, closed.acquire()).await.is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self {
            available: Cell::new(permits),
            waiters: Waiters::default(),
            origin: Location::caller(),
        }
    }

    /// Waits until there is a permit, and has it until what this gives is dropped.
    ///
    /// # Cancel safety
    ///
    /// A place in line is lost, but never a permit: it goes to the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::Semaphore;
    ///
    /// roundel::run(async {
    ///     let semaphore = Semaphore::new(2);
    ///     {
    ///         let _permit = semaphore.acquire().await;
    ///         assert_eq!(semaphore.available(), 1);
    ///     }
    ///     assert_eq!(semaphore.available(), 2);
    /// });
    /// ```
    pub async fn acquire(&self) -> Permit<'_> {
        if !self.take() {
            let describe = || format!("Semaphore::acquire, of that made at {}", self.origin);
            self.waiters.turn(|| self.add_permits(1), describe).await;
        }
        Permit { semaphore: self }
    }

    /// Returns a permit, if there is one.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = roundel::Semaphore::new(1);
    /// let permit = semaphore.try_acquire();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_acquire().is_none());
    /// ```
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.take().then(|| Permit { semaphore: self })
    }

    /// Returns how many permits can be had at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = roundel::Semaphore::new(2);
    /// let _permit = semaphore.try_acquire();
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    pub fn available(&self) -> usize {
        self.available.get()
    }

    /// Adds permits.
    ///
    /// # Panics
    ///
    /// Panics if they are more than there are numbers.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::Semaphore;
    ///
    /// roundel::run(async {
    ///     let semaphore = Semaphore::new(0);
    ///     let (permit, ()) = zip(semaphore.acquire(), async { semaphore.add_permits(3) }).await;
    ///     assert_eq!(semaphore.available(), 2, "one has been waited for");
    ///     drop(permit);
    ///     assert_eq!(semaphore.available(), 3);
    /// });
    /// ```
    #[doc(alias = "release")]
    pub fn add_permits(&self, count: usize) {
        let promised = (0..count).take_while(|_| self.waiters.grant_first());
        let left = count - promised.count();
        let available = self.available.get().checked_add(left);
        self.available
            .set(available.expect("a semaphore of more permits than there are numbers"));
    }

    fn take(&self) -> bool {
        let rest = self.available.get().checked_sub(1);
        self.available.set(rest.unwrap_or(0));
        rest.is_some()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

/// One of a semaphore's permits.
///
/// # Examples
///
/// ```
/// use roundel::{Permit, Semaphore};
///
/// struct Connection<'s> {
///     _permit: Permit<'s>,
/// }
///
/// let semaphore = Semaphore::new(2);
/// let permit = semaphore.try_acquire().expect("nobody has one");
/// let connection = Connection { _permit: permit };
/// assert_eq!(semaphore.available(), 1);
/// drop(connection);
/// assert_eq!(semaphore.available(), 2);
/// ```
#[derive(Debug)]
#[must_use = "the permit is given back when this is dropped"]
pub struct Permit<'s> {
    semaphore: &'s Semaphore,
}

impl Permit<'_> {
    /// Keeps the permit for good: the semaphore has one less from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = roundel::Semaphore::new(2);
    /// semaphore.try_acquire().expect("nobody has one").forget();
    /// assert_eq!(semaphore.available(), 1);
    /// ```
    pub fn forget(self) {
        let _kept = ManuallyDrop::new(self);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.semaphore.add_permits(1);
    }
}
