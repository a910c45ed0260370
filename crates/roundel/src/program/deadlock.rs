//! Who waits for what, when nothing can happen any more.
//!
//! Nothing is recorded beforehand. Once the dispatcher finds that nothing is left to wait for,
//! every task is polled once more, as a task may be at any time, and each of this crate's futures
//! that is still not ready says what it waits for. If any task does get on by this, it was no
//! deadlock.

use std::cell::{Cell, RefCell};
use std::fmt;

use super::runtime::Core;
use super::task::Task;

thread_local! {
    /// A task is being asked.
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
    /// What it has answered so far.
    static ANSWERS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Says what a future that is not ready waits for, if anybody wants to know.
#[inline]
pub(crate) fn note(describe: impl FnOnce() -> String) {
    if IS_ASKED.get() {
        answer(describe());
    }
}

#[cold]
fn answer(answer: String) {
    ANSWERS.with_borrow_mut(|answers| answers.push(answer));
}

/// Tasks that wait for each other, or for what nobody will ever do.
///
/// # Examples
///
/// ```
/// use roundel::{Clock, Error, Event, Order, Runner};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let outcome = runner.run(async { Event::new().wait().await });
/// let Err(Error::Deadlock(deadlock)) = outcome else { panic!("nobody sets the event") };
/// assert_eq!(deadlock.blocked()[0].task(), "main");
/// assert!(deadlock.blocked()[0].awaits()[0].starts_with("Event::wait"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// In a box, so that a result with an error in it is not larger for this rare one.
    report: Box<Report>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Report {
    blocked: Vec<Blocked>,
}

impl Deadlock {
    /// Asks every task what it waits for; there is no deadlock if one of them gets on by that.
    pub(super) fn find(core: &Core) -> Option<Self> {
        let tasks = core.tasks.all();
        let blocked = tasks.iter().map(|task| Blocked::ask(task, core));
        let blocked = blocked.collect::<Option<Vec<_>>>()?;
        let dispatcher = &core.dispatcher;
        let is_idle = dispatcher.ready_len() == 0 && dispatcher.timer_count() == 0;
        let report = Box::new(Report { blocked });
        is_idle.then_some(Self { report })
    }

    /// Returns the tasks that can't go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Error, Event, Order, Runner, spawn};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// let outcome = runner.run(async {
    ///     let forlorn = spawn(async { Event::new().wait().await });
    ///     forlorn.await
    /// });
    /// let Err(Error::Deadlock(deadlock)) = outcome else { panic!("nobody sets the event") };
    /// assert_eq!(deadlock.blocked().len(), 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn blocked(&self) -> &[Blocked] {
        &self.report.blocked
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: no task can go on, and nothing is left that could wake one")?;
        self.blocked()
            .iter()
            .try_for_each(|blocked| write!(f, "\n  {blocked}"))
    }
}

/// A task that can't go on, and what it awaits.
///
/// # Examples
///
/// ```
/// use roundel::{Clock, Error, Order, Queue, Runner};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
/// let outcome = runner.run(async { Queue::<u32>::unbounded().get().await });
/// let Err(Error::Deadlock(deadlock)) = outcome else { panic!("nobody puts anything") };
/// let report = deadlock.blocked()[0].to_string();
/// assert!(report.starts_with("main awaits Queue::get, of the queue made at "), "{report}");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    task: String,
    awaits: Vec<String>,
}

impl Blocked {
    /// Polls a task and returns what it awaits, unless it has come to its end by that.
    fn ask(task: &Task, core: &Core) -> Option<Self> {
        IS_ASKED.set(true);
        task.clone().step(core);
        IS_ASKED.set(false);
        let awaits = ANSWERS.take();
        (!task.has_ended()).then(|| Self {
            task: task.to_string(),
            awaits,
        })
    }

    /// Returns the task's name or, if it has none, where it was spawned.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Error, Event, Order, Runner, spawn_named};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// let outcome = runner.run(async {
    ///     let forlorn = spawn_named("forlorn", async { Event::new().wait().await });
    ///     forlorn.await
    /// });
    /// let Err(Error::Deadlock(deadlock)) = outcome else { panic!("nobody sets the event") };
    /// assert!(deadlock.blocked().iter().any(|blocked| blocked.task() == "forlorn"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Returns what the task awaits: several things if it awaits any of them, and none if that is
    /// nothing of this crate's.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Error, Order, Runner, spawn_named};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// let outcome = runner.run(async {
    ///     let forlorn = spawn_named("forlorn", std::future::pending::<()>());
    ///     forlorn.await
    /// });
    /// let Err(Error::Deadlock(deadlock)) = outcome else { panic!("it is never ready") };
    /// for blocked in deadlock.blocked() {
    ///     match blocked.task() {
    ///         "main" => assert_eq!(blocked.awaits(), ["the end of forlorn"]),
    ///         _ => assert!(blocked.awaits().is_empty(), "nothing of this crate's"),
    ///     }
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    pub fn awaits(&self) -> &[String] {
        &self.awaits
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let awaits = match &*self.awaits {
            [] => "something unknown to roundel".to_owned(),
            awaits => awaits.join(" and "),
        };
        write!(f, "{} awaits {awaits}", self.task)
    }
}
