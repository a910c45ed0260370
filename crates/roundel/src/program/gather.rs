//! Several futures side by side, handed over in one request.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::error::Error;
use super::runtime::Core;
use super::task::JoinHandle;

/// Runs each future as a task of its own, and gives a tuple of what they come to.
///
/// The tasks are spawned at once, in the order given; what this gives is a future that waits for
/// all of them. If that is dropped they are cancelled. If one of them panics, it panics likewise,
/// as soon as those before have ended.
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use roundel::gather;
///
/// roundel::run(async {
///     let (number, name) = gather!(async { 1 }, async { "one" }).await;
///     assert_eq!((number, name), (1, "one"));
/// });
/// ```
///
/// Source: `asyncio.gather`. Differs: a failure is a value like any other, and ends nothing early.
#[macro_export]
macro_rules! gather {
    // Each step of the recursion has a `child` of its own, since macros are hygienic.
    (@ []) => { async {} };
    (@ [$($child:ident)+]) => { async move { ($($child.await,)+) } };
    (@ [$($child:ident)*] $future:expr $(, $rest:expr)*) => {{
        let child = $crate::Child::spawn($future);
        $crate::gather!(@ [$($child)* child] $($rest),*)
    }};
    ($($future:expr),* $(,)?) => { $crate::gather!(@ [] $($future),*) };
}

/// Runs each future as a task of its own, and gives a list of what they come to, in their order.
///
/// As the macro [`gather!`](crate::gather!), for any number of futures of one type.
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use roundel::gather;
///
/// roundel::run(async {
///     let squares = gather((1..=3).map(|number| async move { number * number })).await;
///     assert_eq!(squares, [1, 4, 9]);
/// });
/// ```
#[track_caller]
pub fn gather<I>(futures: I) -> Gather<<I::Item as Future>::Output>
where
    I: IntoIterator,
    I::Item: Future + 'static,
{
    let origin = Location::caller();
    let pending = futures
        .into_iter()
        .map(|future| Child::new(future, origin))
        .collect();
    Gather {
        pending,
        results: Vec::new(),
    }
}

/// A future of what several tasks come to: see [`gather`](fn@gather).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, gather, sleep, timeout};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let seconds = [1, 2].map(Duration::from_secs);
///     let mut sleeps = gather(seconds.map(sleep));
///     // To borrow it is to be able to wait for it again.
///     assert!(timeout(seconds[0] / 2, &mut sleeps).await.is_err());
///     assert_eq!(sleeps.await.len(), 2);
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[must_use = "the tasks are cancelled when this is dropped"]
pub struct Gather<T> {
    pending: VecDeque<Child<T>>,
    results: Vec<T>,
}

// The results are never pinned, only the tasks that lead to them are.
impl<T> Unpin for Gather<T> {}

impl<T> Future for Gather<T> {
    type Output = Vec<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = &mut *self;
        while let Some(first) = this.pending.front_mut() {
            this.results.push(ready!(Pin::new(first).poll(cx)));
            this.pending.pop_front();
        }
        Poll::Ready(std::mem::take(&mut this.results))
    }
}

impl<T> fmt::Debug for Gather<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Gather");
        form.field("pending", &self.pending.len())
            .field("ready", &self.results.len())
            .finish()
    }
}

/// A task that lives no longer than whoever awaits it.
#[derive(Debug)]
#[must_use = "the task is cancelled when this is dropped"]
pub struct Child<T> {
    handle: JoinHandle<T>,
}

impl<T: 'static> Child<T> {
    /// Spawns a task, of which this is the handle.
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn(future: impl Future<Output = T> + 'static) -> Self {
        Self::new(future, Location::caller())
    }

    fn new(future: impl Future<Output = T> + 'static, origin: &'static Location<'static>) -> Self {
        Self {
            handle: Core::current().spawn(future, origin),
        }
    }
}

impl<T> Future for Child<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match ready!(Pin::new(&mut self.handle).poll(cx)) {
            Ok(output) => Poll::Ready(output),
            Err(Error::Panicked(panic)) => panic.resume(),
            Err(error) => panic!("a gathered task has ended without a result: {error}"),
        }
    }
}

impl<T> Drop for Child<T> {
    fn drop(&mut self) {
        self.handle.cancel();
    }
}
