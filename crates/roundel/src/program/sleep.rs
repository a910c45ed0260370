//! Waiting for a time.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::deadlock::note;
use super::instant::Instant;
use super::runtime::{Core, Entry};
use super::task::TaskWaker;

/// Waits for so long, counted from when this is first polled: never less, on any clock.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, sleep};
///
/// // Takes no time at all, since the clock jumps over it.
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(sleep(Duration::from_secs(20)))?;
/// # Ok::<(), roundel::Error>(())
/// ```
///
/// Source: `asyncio.sleep`. Differs: a sleep of no length is a timer, too;
/// [`yield_now`](crate::yield_now) is what merely lets others go first.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep {
        until: Until::After(duration),
        set: None,
    }
}

/// Waits until `deadline` has come.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, now, sleep_until};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let deadline = now() + Duration::from_secs(5);
///     sleep_until(deadline).await;
///     assert_eq!(now(), deadline);
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        until: Until::At(deadline),
        set: None,
    }
}

/// A future that is ready when its time has come: see [`sleep`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Queue, Runner, first_completed, sleep};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// runner.run(async {
///     let queue = Queue::unbounded();
///     (1..=3).for_each(|number| queue.try_put(number).unwrap());
///     let (mut sum, mut limit) = (0, sleep(Duration::from_secs(5)));
///     // One sleep for all rounds: it is borrowed by each.
///     loop {
///         first_completed! {
///             item = queue.get() => sum += item.unwrap(),
///             () = &mut limit => break,
///         }
///     }
///     assert_eq!(sum, 6);
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    until: Until,
    /// Apart from the rest, so that to drop a sleep which nobody has polled is to look at one word.
    set: Option<Set>,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    After(Duration),
    At(Instant),
    /// The time has come.
    Over,
}

/// A timer that has been set.
struct Set {
    timer: Rc<Timer>,
    core: Rc<Core>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(Set { timer, .. }) = &self.set {
            if timer.has_fired() {
                self.until = Until::Over;
                self.set = None;
                return Poll::Ready(());
            }
            timer.rearm(TaskWaker::of(cx));
            note(|| "Sleep".to_owned());
            return Poll::Pending;
        }
        let core = Core::current();
        let deadline = match self.until {
            Until::After(duration) => Instant::from_nanoseconds(core.dispatcher.now()) + duration,
            Until::At(deadline) => deadline,
            Until::Over => return Poll::Ready(()),
        };
        let timer = Rc::new(Timer::new(TaskWaker::of(cx)));
        core.dispatcher
            .push_at(deadline.as_nanoseconds(), Entry::Timer(Rc::clone(&timer)));
        self.set = Some(Set { timer, core });
        Poll::Pending
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        if let Some(set) = self.set.take() {
            set.cancel();
        }
    }
}

impl Set {
    /// Kept out of who drops a sleep, as the timer of one is hardly ever set.
    #[inline(never)]
    fn cancel(self) {
        if self.timer.cancel() {
            self.core.dispatcher.timer_cancelled();
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut form = f.debug_struct("Sleep");
        match (&self.set, &self.until) {
            (Some(set), _) => form.field("over", &set.timer.has_fired()),
            (None, Until::After(duration)) => form.field("duration", duration),
            (None, Until::At(deadline)) => form.field("deadline", deadline),
            (None, Until::Over) => form.field("over", &true),
        };
        form.finish()
    }
}

/// What the dispatcher keeps until its time has come.
pub(crate) struct Timer {
    is_cancelled: Cell<bool>,
    /// Gone once the timer has fired or is cancelled.
    waker: Cell<Option<TaskWaker>>,
    has_fired: Cell<bool>,
}

impl Timer {
    fn new(waker: TaskWaker) -> Self {
        let waker = Cell::new(Some(waker));
        Self {
            is_cancelled: Cell::new(false),
            waker,
            has_fired: Cell::new(false),
        }
    }

    /// Wakes whoever waits for this time.
    pub(crate) fn fire(&self) {
        self.has_fired.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    fn has_fired(&self) -> bool {
        self.has_fired.get()
    }

    fn rearm(&self, waker: TaskWaker) {
        drop(self.waker.replace(Some(waker)));
    }

    /// Sees to it that nobody is woken, and returns whether somebody would have been.
    fn cancel(&self) -> bool {
        self.is_cancelled.set(true);
        drop(self.waker.take());
        !self.has_fired.get()
    }
}
