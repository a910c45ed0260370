//! Tasks that live no longer than a piece of the program.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::Poll;

use super::deadlock::note;
use super::runtime::Core;
use super::task::{JoinHandle, Task, TaskWaker};

/// Runs `body` and the tasks that it spawns into its group, and gives what `body` comes to when all
/// of them have ended.
///
/// The first failure, be it the body's or a task's, ends the others, and is what this gives once
/// they have ended: a body that has failed, or that a task has failed, is dropped where it is. If
/// what this gives is dropped, so are the body and all the tasks, before anything else happens. So
/// no task is ever left behind.
///
/// The body is not a task of its own, and may borrow whatever it likes; the tasks may not.
///
/// # Errors
///
/// Gives the first error of the body or of a task.
///
/// # Panics
///
/// Panics as the first that does. Polling it panics if this thread runs no runtime.
///
/// # Cancel safety
///
/// To drop it ends all that is under way in it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Error, Order, Runner, sleep, task_group};
///
/// async fn measure(seconds: u64) -> Result<u64, Error> {
///     sleep(Duration::from_secs(seconds)).await;
///     Ok(seconds)
/// }
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let sum = runner.run(task_group(async |group| {
///     let (one, other) = (group.spawn(measure(1)), group.spawn(measure(2)));
///     Ok::<_, Error>(one.await? + other.await?)
/// }))?;
/// assert_eq!(sum.unwrap(), 3);
///
/// let outcome = runner.run(task_group(async |group| {
///     group.spawn(async { Err::<(), _>("no way") });
///     sleep(Duration::from_secs(3600)).await;
///     Ok("not any more")
/// }))?;
/// assert_eq!(outcome, Err("no way"));
/// # Ok::<(), Error>(())
/// ```
///
/// Source: `asyncio.TaskGroup`. Differs: one error is given, not a group of them.
pub async fn task_group<T, E, B>(body: B) -> Result<T, E>
where
    E: 'static,
    B: AsyncFnOnce(&TaskGroup<E>) -> Result<T, E>,
{
    let group = TaskGroup::new();
    let outcome = group.run(body).await;
    group.wait_for_all().await;
    match (group.state.failure.take(), outcome) {
        (Some(Failure::Error(error)), _) => Err(error),
        (Some(Failure::Panic(payload)), _) => resume_unwind(payload),
        (None, Some(outcome)) => outcome,
        (None, None) => unreachable!("the body has been dropped because of a failure"),
    }
}

/// Where a [`task_group`]'s body spawns its tasks.
///
/// # Examples
///
/// ```
/// use roundel::{Error, TaskGroup, task_group};
///
/// /// Has the group do it, and does not wait for it.
/// fn print_later(group: &TaskGroup<Error>, line: &'static str) {
///     group.spawn(async move {
///         println!("{line}");
///         Ok(())
///     });
/// }
///
/// roundel::run(task_group(async |group| {
///     print_later(group, "one");
///     print_later(group, "two");
///     assert_eq!(group.len(), 2);
///     Ok(())
/// }))?;
/// # Ok::<(), Error>(())
/// ```
pub struct TaskGroup<E> {
    state: Rc<State<E>>,
}

struct State<E> {
    /// The tasks that have not ended, by the number that each knows, in order.
    tasks: RefCell<BTreeMap<u64, Task>>,
    spawned: Cell<u64>,
    failure: Cell<Option<Failure<E>>>,
    has_failed: Cell<bool>,
    /// Who awaits the end of the tasks, or their failure.
    waiter: Cell<Option<TaskWaker>>,
}

enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

impl<E: 'static> TaskGroup<E> {
    fn new() -> Self {
        Self {
            state: Rc::new(State {
                tasks: RefCell::default(),
                spawned: Cell::new(0),
                failure: Cell::new(None),
                has_failed: Cell::new(false),
                waiter: Cell::new(None),
            }),
        }
    }

    /// Starts a task of the group.
    ///
    /// If it fails, the others are cancelled, and the group gives its error, or panics as it does.
    /// Its handle then says that it has been cancelled. To cancel it by its handle is no failure. In
    /// a group that has failed already the task ends before it begins.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, task_group};
    ///
    /// let sum = roundel::run(task_group(async |group| {
    ///     let tasks = [1, 2, 3].map(|number| group.spawn(async move { Ok(number * number) }));
    ///     let mut sum = 0;
    ///     for task in tasks {
    ///         sum += task.await?;
    ///     }
    ///     Ok::<_, Error>(sum)
    /// }))?;
    /// assert_eq!(sum, 14);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// Source: `TaskGroup.create_task`.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> JoinHandle<T>
    where
        T: 'static,
        F: Future<Output = Result<T, E>> + 'static,
    {
        let number = self.state.spawned.get();
        self.state.spawned.set(number + 1);
        let member = Member {
            group: Rc::downgrade(&self.state),
            number,
        };
        let handle = Core::current().spawn(member.watch(future), Location::caller());
        if self.state.has_failed.get() {
            handle.cancel();
        }
        self.state.tasks.borrow_mut().insert(number, handle.task());
        handle
    }

    /// Returns how many tasks of the group have not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, task_group};
    ///
    /// roundel::run(task_group(async |group| {
    ///     let task = group.spawn(async { Ok::<(), Error>(()) });
    ///     assert_eq!(group.len(), 1);
    ///     task.await?;
    ///     assert_eq!(group.len(), 0);
    ///     Ok(())
    /// }))?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.state.tasks.borrow().len()
    }

    /// Returns whether all tasks of the group have ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, task_group};
    ///
    /// roundel::run(task_group(async |group| {
    ///     assert!(group.is_empty());
    ///     group.spawn(async { Ok::<(), Error>(()) });
    ///     assert!(!group.is_empty());
    ///     Ok(())
    /// }))?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cancels all tasks that the group has at present, which is no failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, Event, task_group};
    ///
    /// let outcome = roundel::run(task_group(async |group| {
    ///     group.spawn(async {
    ///         Event::new().wait().await;
    ///         Ok::<(), Error>(())
    ///     });
    ///     group.cancel(); // The group would never end without this.
    ///     Ok("done")
    /// }));
    /// assert_eq!(outcome?, "done");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// Source: `TaskGroup.cancel` (3.15).
    pub fn cancel(&self) {
        for task in self.state.members() {
            task.cancel();
        }
    }

    /// Polls the body until it is ready, or a task has failed.
    async fn run<T, B>(&self, body: B) -> Option<Result<T, E>>
    where
        B: AsyncFnOnce(&Self) -> Result<T, E>,
    {
        let outcome = {
            let mut body = pin!(body(self));
            poll_fn(|cx| {
                if self.state.has_failed.get() {
                    return Poll::Ready(None);
                }
                // Before the body is polled: a task that it steps might fail at once.
                let replaced = self.state.waiter.replace(Some(TaskWaker::of(cx)));
                drop(replaced);
                body.as_mut().poll(cx).map(Some)
            })
            .await
        };
        match outcome {
            Some(Err(error)) => {
                self.state.fail(Failure::Error(error));
                None
            }
            outcome => outcome,
        }
    }

    async fn wait_for_all(&self) {
        poll_fn(|cx| {
            if self.is_empty() {
                return Poll::Ready(());
            }
            let replaced = self.state.waiter.replace(Some(TaskWaker::of(cx)));
            drop(replaced);
            note(|| format!("the end of a group of {} tasks", self.len()));
            Poll::Pending
        })
        .await;
    }
}

impl<E> Drop for TaskGroup<E> {
    fn drop(&mut self) {
        self.state.has_failed.set(true);
        for task in self.state.members() {
            task.abandon();
        }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("pending", &self.state.tasks.borrow().len())
            .field("has_failed", &self.state.has_failed.get())
            .finish_non_exhaustive()
    }
}

impl<E> State<E> {
    /// Hears that a task has ended.
    fn leave(&self, number: u64) {
        let task = self.tasks.borrow_mut().remove(&number);
        drop(task);
        if self.tasks.borrow().is_empty() {
            self.wake();
        }
    }

    fn members(&self) -> Vec<Task> {
        self.tasks.borrow().values().cloned().collect()
    }

    /// Keeps the first failure, and ends the tasks.
    fn fail(&self, failure: Failure<E>) {
        if self.has_failed.replace(true) {
            return;
        }
        self.failure.set(Some(failure));
        for task in self.members() {
            task.cancel();
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}

/// A task of a group, which tells it of its end however that comes about.
struct Member<E> {
    /// Weak, as the group might be kept by one of its tasks else.
    group: Weak<State<E>>,
    number: u64,
}

impl<E> Member<E> {
    /// Awaits `future`, and tells the group if it fails.
    async fn watch<T>(self, future: impl Future<Output = Result<T, E>>) -> T {
        let failure = {
            let mut future = pin!(future);
            let outcome =
                poll_fn(
                    |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
                        Ok(poll) => poll.map_err(Failure::Error),
                        Err(payload) => Poll::Ready(Err(Failure::Panic(payload))),
                    },
                );
            match outcome.await {
                Ok(output) => return output,
                Err(failure) => failure,
            }
        };
        if let Some(group) = self.group.upgrade() {
            group.fail(failure);
        }
        // The group has just cancelled this task, too.
        std::future::pending().await
    }
}

impl<E> Drop for Member<E> {
    fn drop(&mut self) {
        if let Some(group) = self.group.upgrade() {
            group.leave(self.number);
        }
    }
}
