//! A panic that has ended a task, and nothing else.

use std::any::Any;
use std::fmt;
use std::panic::resume_unwind;

/// What a task has panicked with, and which task that was.
///
/// # Examples
///
/// ```
/// use roundel::{Error, spawn_named};
///
/// roundel::run(async {
///     let task = spawn_named("careless", async { panic!("no way") });
///     let Err(Error::Panicked(panic)) = task.await else { panic!("it has not") };
///     assert_eq!(panic.to_string(), "careless has panicked: no way");
/// });
/// ```
pub struct Panic {
    /// In a box, so that a result with an error in it is not larger for this rare one.
    report: Box<Report>,
}

struct Report {
    task: String,
    payload: Box<dyn Any + Send>,
}

impl Panic {
    pub(crate) fn new(task: String, payload: Box<dyn Any + Send>) -> Self {
        Self {
            report: Box::new(Report { task, payload }),
        }
    }

    /// Returns the task's name or, if it has none, where it was spawned.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, spawn_named};
    ///
    /// roundel::run(async {
    ///     let task = spawn_named("careless", async { panic!("no way") });
    ///     let Err(Error::Panicked(panic)) = task.await else { panic!("it has not") };
    ///     assert_eq!(panic.task(), "careless");
    /// });
    /// ```
    pub fn task(&self) -> &str {
        &self.report.task
    }

    /// Returns the words of the panic, if it was one of words.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, spawn};
    ///
    /// roundel::run(async {
    ///     let task = spawn(async { panic!("no {}", "way") });
    ///     let Err(Error::Panicked(panic)) = task.await else { panic!("it has not") };
    ///     assert_eq!(panic.message(), Some("no way"));
    /// });
    /// ```
    pub fn message(&self) -> Option<&str> {
        let payload = &*self.report.payload;
        let text = payload.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| payload.downcast_ref::<&str>().copied())
    }

    /// Returns what the task has panicked with.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::panic::panic_any;
    /// use roundel::{Error, spawn};
    ///
    /// roundel::run(async {
    ///     let task = spawn(async { panic_any(7) });
    ///     let Err(Error::Panicked(panic)) = task.await else { panic!("it has not") };
    ///     assert_eq!(panic.into_payload().downcast_ref(), Some(&7));
    /// });
    /// ```
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.report.payload
    }

    /// Goes on with the panic here.
    ///
    /// # Panics
    ///
    /// Panics, without calling the panic hook once more.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Error, spawn};
    ///
    /// roundel::run(async {
    ///     let outer = spawn(async {
    ///         let inner = spawn(async { panic!("no way") });
    ///         match inner.await {
    ///             Err(Error::Panicked(panic)) => panic.resume(),
    ///             outcome => outcome,
    ///         }
    ///     });
    ///     let Err(Error::Panicked(panic)) = outer.await else { panic!("it has not") };
    ///     assert_eq!(panic.message(), Some("no way"));
    /// });
    /// ```
    pub fn resume(self) -> ! {
        resume_unwind(self.into_payload())
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has panicked", self.task())?;
        self.message()
            .map_or(Ok(()), |message| write!(f, ": {message}"))
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("task", &self.task())
            .field("message", &self.message())
            .finish_non_exhaustive()
    }
}
