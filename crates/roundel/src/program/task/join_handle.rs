//! What one has in hand of a task.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::cell::OutcomeRef;
use super::{ENDED, Task, TaskWaker, Travelling};
use crate::program::deadlock::note;
use crate::program::error::Error;

/// A task that has been spawned: a future of what it will come to.
///
/// To drop it is to let the task go on by itself.
///
/// # Errors
///
/// Awaiting it gives [`Error::Cancelled`] if the task has been cancelled, and [`Error::Panicked`],
/// with the panic's payload, if it has panicked.
///
/// # Examples
///
/// ```
/// use roundel::{Error, spawn};
///
/// roundel::run(async {
///     let task = spawn(async { panic!("no way") });
///     assert!(matches!(task.await, Err(Error::Panicked(_))));
/// });
/// ```
pub struct JoinHandle<T> {
    task: OutcomeRef<T>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(task: OutcomeRef<T>) -> Self {
        Self { task }
    }

    /// Gives the task a name, which is used in reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::spawn;
    ///
    /// roundel::run(async {
    ///     let task = spawn(async { 6 * 7 }).named("answer");
    ///     assert_eq!(task.name(), "answer");
    /// });
    /// ```
    #[must_use = "dropping the handle lets the task go on by itself"]
    pub fn named(self, name: impl Into<Rc<str>>) -> Self {
        self.task.set_name(name.into());
        self
    }

    /// Returns the task's name or, if it has none, where it was spawned.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::spawn;
    ///
    /// roundel::run(async {
    ///     let task = spawn(async {});
    ///     assert!(task.name().starts_with("the task spawned at "));
    /// });
    /// ```
    pub fn name(&self) -> String {
        self.task.to_string()
    }

    /// Has the task end without being polled again, and returns whether it had not ended yet.
    ///
    /// Its future is dropped in the next turn, or after the present poll if the task cancels
    /// itself: not within this call, so that whatever is dropped finds nobody in the middle of
    /// something. A future that is ready in that very poll counts as finished.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, Event, spawn};
    ///
    /// roundel::run(async {
    ///     let task = spawn(async { Event::new().wait().await });
    ///     assert!(task.cancel());
    ///     assert!(matches!(task.await, Err(Error::Cancelled)));
    /// });
    /// ```
    pub fn cancel(&self) -> bool {
        self.task().cancel()
    }

    /// Returns the task without what it comes to, which can be shared.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, Event, spawn};
    ///
    /// roundel::run(async {
    ///     let waiting = spawn(async { Event::new().wait().await });
    ///     let task = waiting.task();
    ///     drop(spawn(async move { task.cancel() }));
    ///     assert!(matches!(waiting.await, Err(Error::Cancelled)));
    /// });
    /// ```
    pub fn task(&self) -> Task {
        Task((*self.task).clone())
    }

    /// Returns what other threads know the task by.
    pub(crate) fn travelling(&self) -> Arc<Travelling> {
        self.task.travelling()
    }

    /// Takes what the task has come to, when it has ended.
    pub(crate) fn take_outcome(&self) -> Result<T, Error> {
        self.task.take()
    }

    /// Returns whether the task has ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{spawn, yield_now};
    ///
    /// roundel::run(async {
    ///     let task = spawn(async { 6 * 7 });
    ///     assert!(!task.is_finished(), "it has not even begun");
    ///     yield_now().await;
    ///     assert!(task.is_finished());
    /// });
    /// ```
    pub fn is_finished(&self) -> bool {
        self.task.is(ENDED)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_finished() {
            return Poll::Ready(self.task.take());
        }
        let replaced = self.task.joiner.replace(Some(TaskWaker::of(cx)));
        drop(replaced);
        note(|| format!("the end of {}", **self.task));
        Poll::Pending
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        drop(self.task.joiner.take());
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finished = self.is_finished();
        let mut form = f.debug_struct("JoinHandle");
        form.field("task", &self.name())
            .field("finished", &finished)
            .finish_non_exhaustive()
    }
}
