//! Letting others go first.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets everybody who is ready go first.
///
/// # Examples
///
/// ```
/// use roundel::{spawn, yield_now};
///
/// roundel::run(async {
///     let other = spawn(async {});
///     yield_now().await;
///     assert!(other.is_finished());
/// });
/// ```
///
/// Source: `asyncio.sleep(0)`.
pub fn yield_now() -> YieldNow {
    YieldNow { has_yielded: false }
}

/// A future that is ready when it is polled again: see [`yield_now`].
///
/// # Examples
///
/// ```
/// use roundel::{YieldNow, spawn, yield_now};
///
/// /// The type has a name, for a field of a struct or the result of a function.
/// fn pause() -> YieldNow {
///     yield_now()
/// }
///
/// roundel::run(async {
///     let other = spawn(async {});
///     pause().await;
///     assert!(other.is_finished());
/// });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    has_yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_yielded {
            return Poll::Ready(());
        }
        self.has_yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
