//! Several futures, of which the first one counts.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

/// Awaits several futures at once, and goes on with the one that is ready first.
///
/// Each line is a pattern, a future and what to do with what that comes to; the others are dropped
/// before. The futures are polled by the task itself: they may borrow, and need not be of one type.
/// When several are ready at once, the first line wins, so that it is the same in every run.
///
/// # Cancel safety
///
/// The futures that lose are dropped, possibly in the middle: all of this crate's bear it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Queue, Runner, first_completed, sleep};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let said = runner.run(async {
///     let queue = Queue::<u32>::unbounded();
///     first_completed! {
///         item = queue.get() => format!("{item:?}"),
///         () = sleep(Duration::from_secs(1)) => "nothing came".to_owned(),
///     }
/// })?;
/// assert_eq!(said, "nothing came");
/// # Ok::<(), roundel::Error>(())
/// ```
///
/// Source: `asyncio.wait(return_when=FIRST_COMPLETED)`. Differs: the others do not go on.
#[macro_export]
macro_rules! first_completed {
    (@race $future:expr) => { $future };
    (@race $future:expr, $($rest:expr),+) => {
        $crate::Race::new($future, $crate::first_completed!(@race $($rest),+))
    };
    (@go_on $winner:expr; $pattern:pat => $body:expr) => {
        match $winner { $pattern => $body }
    };
    (@go_on $winner:expr; $pattern:pat => $body:expr, $($rest:tt)+) => {
        match $winner {
            $crate::Winner::First($pattern) => $body,
            $crate::Winner::Later(winner) => $crate::first_completed!(@go_on winner; $($rest)+),
        }
    };
    ($($pattern:pat = $future:expr => $body:expr),+ $(,)?) => {
        $crate::first_completed!(
            @go_on $crate::first_completed!(@race $($future),+).await; $($pattern => $body),+
        )
    };
}

/// Awaits several futures of one type at once, and gives the place and the result of the first one
/// that is ready; the others are dropped with what this gives.
///
/// When several are ready at once, the one that comes first in the list wins. The futures are
/// polled by the task itself, all of them whenever one has been woken: for hundreds of them,
/// spawn tasks that put into a [`Queue`](crate::Queue).
///
/// # Cancel safety
///
/// That of each of the futures.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, first_completed, sleep};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let sleeps = [3, 1, 2].map(|seconds| sleep(Duration::from_secs(seconds)));
///     assert_eq!(first_completed(sleeps).await, (1, ()));
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
///
/// Without any future it is never ready.
pub fn first_completed<I>(futures: I) -> FirstCompleted<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator<Item: IntoFuture>,
{
    FirstCompleted {
        futures: futures
            .into_iter()
            .map(|future| Box::pin(future.into_future()))
            .collect(),
    }
}

/// A future of the first of several: see [`first_completed`](fn@first_completed).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, FirstCompleted, Order, Runner, Sleep, first_completed, sleep};
///
/// fn shortest(seconds: &[u64]) -> FirstCompleted<Sleep> {
///     first_completed(seconds.iter().map(|&seconds| sleep(Duration::from_secs(seconds))))
/// }
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let (place, ()) = runner.run(shortest(&[30, 20, 40]))?;
/// assert_eq!(place, 1);
/// # Ok::<(), roundel::Error>(())
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct FirstCompleted<F> {
    futures: Vec<Pin<Box<F>>>,
}

impl<F: Future> Future for FirstCompleted<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        for (place, future) in self.futures.iter_mut().enumerate() {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready((place, output));
            }
        }
        Poll::Pending
    }
}

impl<F> fmt::Debug for FirstCompleted<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstCompleted")
            .field("futures", &self.futures.len())
            .finish()
    }
}

/// Which of the futures of a [`first_completed!`](crate::first_completed!) was the first.
#[doc(hidden)]
#[derive(Debug)]
pub enum Winner<A, B> {
    First(A),
    Later(B),
}

pin_project! {
    /// The first of two futures, of which the second one may be another such pair.
    #[doc(hidden)]
    #[derive(Debug)]
    pub struct Race<A, B> {
        #[pin]
        first: A,
        #[pin]
        later: B,
    }
}

impl<A, B> Race<A, B> {
    pub fn new(
        first: impl IntoFuture<IntoFuture = A>,
        later: impl IntoFuture<IntoFuture = B>,
    ) -> Self {
        Self {
            first: first.into_future(),
            later: later.into_future(),
        }
    }
}

impl<A: Future, B: Future> Future for Race<A, B> {
    type Output = Winner<A::Output, B::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.first.poll(cx) {
            return Poll::Ready(Winner::First(output));
        }
        this.later.poll(cx).map(Winner::Later)
    }
}
