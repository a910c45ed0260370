//! A meeting of so many tasks.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;

use super::error::Error;
use super::waiters::Waiters;

/// A point that tasks pass together: none before so many have come.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Barrier, gather};
///
/// roundel::run(async {
///     let barrier = Rc::new(Barrier::new(3));
///     let meet = || {
///         let barrier = Rc::clone(&barrier);
///         async move { barrier.wait().await.unwrap() }
///     };
///     assert_eq!(gather([meet(), meet(), meet()]).await, [false, false, true]);
/// });
/// ```
///
/// Source: `asyncio.Barrier`.
pub struct Barrier {
    parties: usize,
    is_broken: Cell<bool>,
    waiters: Waiters,
    origin: &'static Location<'static>,
}

impl Barrier {
    /// Makes a barrier for so many tasks at a time.
    ///
    /// # Panics
    ///
    /// Panics if `parties` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// let barrier = roundel::Barrier::new(3);
    /// assert_eq!((barrier.parties(), barrier.waiting()), (3, 0));
    /// ```
    #[track_caller]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier is for one task at least");
        Self {
            parties,
            is_broken: Cell::new(false),
            waiters: Waiters::default(),
            origin: Location::caller(),
        }
    }

    /// Waits until enough tasks wait, and gives whether this was the one they waited for.
    ///
    /// # Errors
    ///
    /// Gives [`Error::BrokenBarrier`] once the barrier has been [aborted](Self::abort).
    ///
    /// # Cancel safety
    ///
    /// Who is cancelled has not come: the others wait for one more.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::Barrier;
    ///
    /// roundel::run(async {
    ///     let barrier = Barrier::new(2);
    ///     let (first, last) = zip(barrier.wait(), barrier.wait()).await;
    ///     assert_eq!((first.unwrap(), last.unwrap()), (false, true));
    /// });
    /// ```
    ///
    /// Source: `Barrier.wait`. Differs: asyncio numbers the tasks.
    pub async fn wait(&self) -> Result<bool, Error> {
        if self.is_broken() {
            return Err(Error::BrokenBarrier);
        }
        if self.waiting() + 1 == self.parties {
            self.waiters.grant_all();
            return Ok(true);
        }
        let describe = || format!("Barrier::wait, of the barrier made at {}", self.origin);
        if self.waiters.turn(|| (), describe).await {
            Ok(false)
        } else {
            Err(Error::BrokenBarrier)
        }
    }

    /// Sends everybody away who waits, and everybody who comes, with an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::{Barrier, Error};
    ///
    /// roundel::run(async {
    ///     let barrier = Barrier::new(2);
    ///     let (waiting, ()) = zip(barrier.wait(), async { barrier.abort() }).await;
    ///     assert!(matches!(waiting, Err(Error::BrokenBarrier)));
    /// });
    /// ```
    pub fn abort(&self) {
        self.is_broken.set(true);
        self.waiters.send_away();
    }

    /// Makes a barrier that has been aborted as good as new; who waits meanwhile gets the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::Barrier;
    ///
    /// roundel::run(async {
    ///     let barrier = Barrier::new(1);
    ///     barrier.abort();
    ///     assert!(barrier.wait().await.is_err());
    ///     barrier.reset();
    ///     assert!(barrier.wait().await.is_ok());
    /// });
    /// ```
    pub fn reset(&self) {
        self.waiters.send_away();
        self.is_broken.set(false);
    }

    /// Returns how many tasks wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use roundel::{Barrier, spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let barrier = Rc::new(Barrier::new(2));
    ///     let other = Rc::clone(&barrier);
    ///     drop(spawn(async move { other.wait().await }));
    ///     yield_now().await;
    ///     assert_eq!(barrier.waiting(), 1);
    /// });
    /// ```
    #[doc(alias = "n_waiting")]
    pub fn waiting(&self) -> usize {
        self.waiters.waiting()
    }

    /// Returns how many tasks it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(roundel::Barrier::new(3).parties(), 3);
    /// ```
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// Returns whether the barrier has been aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// let barrier = roundel::Barrier::new(3);
    /// barrier.abort();
    /// assert!(barrier.is_broken());
    /// ```
    #[doc(alias = "broken")]
    pub fn is_broken(&self) -> bool {
        self.is_broken.get()
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .field("is_broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}
