//! Waiting until what a lock guards has changed.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;

use super::lock::LockGuard;
use super::waiters::Waiters;

/// A notice that what is under a [`Lock`](crate::Lock) has changed.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use roundel::{Condition, Lock, gather};
///
/// roundel::run(async {
///     let shared = Rc::new((Lock::new(0), Condition::new()));
///     let count = |shared: Rc<(Lock<u32>, Condition)>| async move {
///         *shared.0.acquire().await += 1;
///         shared.1.notify_all();
///     };
///     let wait = |shared: Rc<(Lock<u32>, Condition)>| async move {
///         let guard = shared.0.acquire().await;
///         *shared.1.wait_for(guard, |count| *count == 2).await
///     };
///     let (two, (), ()) = gather!(
///         wait(Rc::clone(&shared)),
///         count(Rc::clone(&shared)),
///         count(shared)
///     )
///     .await;
///     assert_eq!(two, 2);
/// });
/// ```
///
/// Source: `asyncio.Condition`. Differs: it has no lock of its own, but takes a guard; to notify, the
/// lock need not be held.
pub struct Condition {
    waiters: Waiters,
    origin: &'static Location<'static>,
}

impl Condition {
    /// Makes a condition that nobody waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Condition, Lock, timeout};
    ///
    /// roundel::run(async {
    ///     let (lock, condition) = (Lock::new(()), Condition::new());
    ///     condition.notify_all(); // Nobody waits, and it is not kept for who comes later.
    ///     let wait = condition.wait(lock.acquire().await);
    ///     assert!(timeout(Duration::ZERO, wait).await.is_err());
    /// });
    /// ```
    #[track_caller]
    pub fn new() -> Self {
        Self {
            waiters: Waiters::default(),
            origin: Location::caller(),
        }
    }

    /// Gives the lock back, waits to be notified, and acquires it again.
    ///
    /// # Cancel safety
    ///
    /// The lock is not held any more. A notification that has been given to who is cancelled is
    /// passed on to the next one who waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::{Condition, Lock};
    ///
    /// roundel::run(async {
    ///     let (lock, condition) = (Lock::new(0), Condition::new());
    ///     let wait = async {
    ///         let mut count = lock.acquire().await;
    ///         while *count < 1 {
    ///             count = condition.wait(count).await;
    ///         }
    ///         *count
    ///     };
    ///     let change = async {
    ///         *lock.acquire().await += 1;
    ///         condition.notify_all();
    ///     };
    ///     assert_eq!(zip(wait, change).await, (1, ()));
    /// });
    /// ```
    pub async fn wait<'l, T: ?Sized>(&self, guard: LockGuard<'l, T>) -> LockGuard<'l, T> {
        let lock = guard.lock();
        let mut baton = {
            let describe = || format!("Condition::wait, of the condition made at {}", self.origin);
            let mut turn = pin!(self.waiters.turn(|| self.notify(1), describe));
            let mut guard = Some(guard);
            poll_fn(|cx| {
                let poll = turn.as_mut().poll(cx);
                // Only when this one is in line, so that it hears of whatever comes next.
                drop(guard.take());
                poll.map(|_granted| Baton(Some(self)))
            })
            .await
        };
        let guard = lock.acquire().await;
        baton.0 = None;
        guard
    }

    /// Waits until `predicate` holds, of which it is asked at once and after each notification.
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::future::zip;
    /// use roundel::{Condition, Lock};
    ///
    /// roundel::run(async {
    ///     let (lock, condition) = (Lock::new(Vec::new()), Condition::new());
    ///     let take = async {
    ///         let guard = lock.acquire().await;
    ///         condition.wait_for(guard, |items| !items.is_empty()).await.pop()
    ///     };
    ///     let add = async {
    ///         lock.acquire().await.push(7);
    ///         condition.notify(1);
    ///     };
    ///     assert_eq!(zip(take, add).await.0, Some(7));
    /// });
    /// ```
    pub async fn wait_for<'l, T: ?Sized>(
        &self,
        mut guard: LockGuard<'l, T>,
        mut predicate: impl FnMut(&mut T) -> bool,
    ) -> LockGuard<'l, T> {
        while !predicate(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Wakes the first `count` of those who wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use roundel::{Condition, Lock, spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let shared = Rc::new((Lock::new(()), Condition::new()));
    ///     let [first, second] = [Rc::clone(&shared), Rc::clone(&shared)].map(|shared| {
    ///         spawn(async move { drop(shared.1.wait(shared.0.acquire().await).await) })
    ///     });
    ///     yield_now().await;
    ///     shared.1.notify(1);
    ///     first.await.unwrap();
    ///     assert!(!second.is_finished());
    /// });
    /// ```
    pub fn notify(&self, count: usize) {
        for _ in 0..count {
            if !self.waiters.grant_first() {
                return;
            }
        }
    }

    /// Wakes everybody who waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    /// use roundel::{Condition, Lock, spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let shared = Rc::new((Lock::new(()), Condition::new()));
    ///     let tasks = [Rc::clone(&shared), Rc::clone(&shared)].map(|shared| {
    ///         spawn(async move { drop(shared.1.wait(shared.0.acquire().await).await) })
    ///     });
    ///     yield_now().await;
    ///     shared.1.notify_all();
    ///     for task in tasks {
    ///         task.await.unwrap();
    ///     }
    /// });
    /// ```
    pub fn notify_all(&self) {
        self.waiters.grant_all();
    }
}

impl Default for Condition {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("waiting", &self.waiters.waiting())
            .finish_non_exhaustive()
    }
}

/// A notification that goes to somebody else, if it is dropped.
struct Baton<'c>(Option<&'c Condition>);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        if let Some(condition) = self.0 {
            condition.notify(1);
        }
    }
}
