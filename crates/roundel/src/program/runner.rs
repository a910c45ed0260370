//! Running a program to its end.

use std::fmt;
use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::Location;
use std::rc::Rc;

use super::deadlock::Deadlock;
use super::error::Error;
use super::handle::Handle;
use super::panic::Panic;
use super::runtime::{Core, Entry};
use super::source::Readiness;
use super::task::Task;
use crate::dispatcher::{Clock, Host, Order, Tracer};
use crate::files::FileAccess;
use crate::reactor::StreamAccess;

/// Runs `main` to its end, on a real clock, and gives what it comes to.
///
/// Tasks that `main` has spawned and not awaited are dropped then.
///
/// # Panics
///
/// Panics if this thread runs a runtime already, if the operating system refuses the descriptors
/// that it takes, and as `main` does.
///
/// # Examples
///
/// ```
/// let answer = roundel::run(async { 6 * 7 });
/// assert_eq!(answer, 42);
/// ```
///
/// Source: `asyncio.run`.
#[track_caller]
pub fn run<F>(main: F) -> F::Output
where
    F: Future + 'static,
{
    let outcome = Runner::new(Clock::monotonic(), Order::Fifo).and_then(|mut runner| {
        runner.detect_deadlocks(false);
        runner.run(main)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

/// A runtime: runs one program after the other, on a clock and in an order of choice.
///
/// Tasks that have been spawned go on in the next run. They are dropped with the runner.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use roundel::{Clock, Order, Runner, gather, now, sleep};
///
/// let mut runner = Runner::new(Clock::virtual_time(), Order::Seeded(42))?;
/// runner.run(async {
///     let began = now();
///     gather!(sleep(Duration::from_secs(60)), sleep(Duration::from_secs(40))).await;
///     assert_eq!(now() - began, Duration::from_secs(60));
/// })?;
/// # Ok::<(), roundel::Error>(())
/// ```
///
/// Source: `asyncio.Runner`.
pub struct Runner {
    core: Rc<Core>,
    name: Rc<str>,
    detects_deadlocks: bool,
}

impl Runner {
    /// Makes a runtime.
    ///
    /// # Errors
    ///
    /// Gives [`Error::Io`] if the operating system refuses the descriptors that it takes.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Order, Runner};
    ///
    /// // Any run with this seed goes the same way.
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Seeded(7))?;
    /// assert_eq!(runner.run(async { 6 * 7 })?, 42);
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn new(clock: Clock, order: Order) -> Result<Self, Error> {
        let detects_deadlocks = clock.is_virtual();
        Ok(Self {
            core: Core::new(clock, order)?,
            name: "main".into(),
            detects_deadlocks,
        })
    }

    /// Says whether a run in which nothing can happen any more ends with an error, or waits.
    ///
    /// That is so on a virtual clock, and not so on a real one, unless this is called. Work in
    /// threads that will wake a task has to be declared then: see
    /// [`external_work`](crate::external_work).
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Error, Event, Order, Runner};
    ///
    /// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
    /// runner.detect_deadlocks(true);
    /// let outcome = runner.run(async { Event::new().wait().await });
    /// assert!(matches!(outcome, Err(Error::Deadlock(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn detect_deadlocks(&mut self, yes: bool) {
        self.detects_deadlocks = yes;
    }

    /// Has `handler` hear of each panic that nobody will hear of otherwise: of a task whose handle
    /// has been dropped, or of a callback.
    ///
    /// Such a panic has been printed by the panic hook, like any other, and ends nothing but its
    /// task. The handler is called when the last who could have asked for it has gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Order, Runner, spawn_named, yield_now};
    ///
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// runner.on_unheard_panic(move |panic| sender.send(panic.to_string()).expect("a receiver"));
    /// runner.run(async {
    ///     drop(spawn_named("careless", async { panic!("no way") }));
    ///     yield_now().await;
    /// })?;
    /// assert_eq!(receiver.recv().as_deref(), Ok("careless has panicked: no way"));
    /// # Ok::<(), roundel::Error>(())
    /// ```
    ///
    /// Source: `loop.set_exception_handler`.
    pub fn on_unheard_panic(&mut self, handler: impl Fn(Panic) + 'static) {
        self.core.set_panic_handler(Rc::new(handler));
    }

    /// Has `tracer` watch the dispatcher, or nobody.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    /// use roundel::{Clock, Order, Runner, Tracer, yield_now};
    ///
    /// #[derive(Default)]
    /// struct Turns(Cell<usize>);
    ///
    /// impl Tracer for Turns {
    ///     fn turn_began(&self, _jobs: usize) {
    ///         self.0.set(self.0.get() + 1);
    ///     }
    /// }
    ///
    /// let turns = Rc::new(Turns::default());
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// runner.set_tracer(Some(turns.clone()));
    /// runner.run(yield_now())?;
    /// assert_eq!(turns.0.get(), 2, "one for each poll");
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn set_tracer(&mut self, tracer: Option<Rc<dyn Tracer>>) {
        self.core.dispatcher.set_tracer(tracer);
    }

    /// Says which way files are read and written from now on.
    ///
    /// # Errors
    ///
    /// Returns an error while any is being read or written, and if there is no such way.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, FileAccess, Order, Runner, fs};
    ///
    /// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
    /// runner.set_file_access(FileAccess::Threads)?;
    /// let manifest = runner.run(fs::read("Cargo.toml"))?;
    /// assert!(manifest?.starts_with(b"[package]"));
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn set_file_access(&mut self, access: FileAccess) -> io::Result<()> {
        self.core.dispatcher.set_file_access(access)
    }

    /// Says which way connections are received from and sent to from now on.
    ///
    /// # Errors
    ///
    /// Returns an error while any is being received from or sent to by a ring, and if there is no such way.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Order, Runner, StreamAccess};
    ///
    /// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
    /// // Connections are received from and sent to as on a system without rings.
    /// assert!(runner.set_stream_access(StreamAccess::Poller).is_ok());
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn set_stream_access(&mut self, access: StreamAccess) -> io::Result<()> {
        self.core.dispatcher.set_stream_access(access)
    }

    /// Gives the runtime a name: its main task has it in reports, where it is `main` otherwise.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Order, Runner, current_task};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// runner.set_name("server");
    /// let name = runner.run(async { current_task().map(|task| task.name()) })?;
    /// assert_eq!(name.as_deref(), Some("server"));
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn set_name(&mut self, name: impl Into<Rc<str>>) {
        self.name = name.into();
    }

    /// Returns a handle by which other threads have something done in this runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Clock, Order, Runner};
    ///
    /// let mut runner = Runner::new(Clock::monotonic(), Order::Fifo)?;
    /// let handle = runner.handle();
    /// let thread = std::thread::spawn(move || handle.spawn(async { 6 * 7 }));
    /// let remote = thread.join().expect("it does not panic");
    /// assert_eq!(runner.run(remote)??, 42);
    /// # Ok::<(), roundel::Error>(())
    /// ```
    pub fn handle(&self) -> Handle {
        Handle::of(&self.core)
    }

    /// Runs `main` to its end, and gives what it comes to.
    ///
    /// # Errors
    ///
    /// Gives [`Error::Deadlock`] if nothing can happen any more, and [`Error::Io`] if the
    /// operating system fails. `main` is dropped then.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs a runtime already, and as `main` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use roundel::{Clock, Order, Runner, sleep, spawn};
    ///
    /// let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
    /// let task = runner.run(async {
    ///     spawn(async {
    ///         sleep(Duration::from_secs(5)).await;
    ///         "still there"
    ///     })
    /// })?;
    /// // What one run leaves goes on in the next one.
    /// assert_eq!(runner.run(task)??, "still there");
    /// # Ok::<(), roundel::Error>(())
    /// ```
    #[track_caller]
    pub fn run<F>(&mut self, main: F) -> Result<F::Output, Error>
    where
        F: Future + 'static,
    {
        assert!(
            Core::try_current().is_none(),
            "this thread runs a runtime already: await or spawn the future instead"
        );
        let _entered = self.core.enter();
        let (task, main) = Task::new(Rc::clone(&self.core), main, Location::caller());
        let main = main.named(Rc::clone(&self.name));
        task.clone().wake();
        if let Err(error) = self.run_until_ended(&task) {
            task.abandon();
            return Err(error);
        }
        match main.take_outcome() {
            Err(Error::Panicked(panic)) => panic.resume(),
            outcome => outcome,
        }
    }

    fn run_until_ended(&self, main: &Task) -> Result<(), Error> {
        let core = &*self.core;
        let mut host = Stepper {
            core,
            main,
            detects_deadlocks: self.detects_deadlocks,
        };
        while !main.has_ended() {
            let flow = core.dispatcher.run_once(&mut host, true)?;
            if flow.is_break()
                && !main.has_ended()
                && let Some(deadlock) = Deadlock::find(core)
            {
                return Err(Error::Deadlock(deadlock));
            }
        }
        Ok(())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _entered = self.core.enter();
        self.core.close();
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("name", &self.name)
            .field("dispatcher", &self.core.dispatcher)
            .finish_non_exhaustive()
    }
}

/// Does what the dispatcher has for this face to do.
struct Stepper<'r> {
    core: &'r Core,
    main: &'r Task,
    detects_deadlocks: bool,
}

impl Host<Entry> for Stepper<'_> {
    /// There is nothing to be done before and after a wait, so none is spared.
    const LOOKS_BEFORE_BLOCKING: bool = false;

    const READS_CLOCK_EACH_TURN: bool = false;

    #[inline]
    fn run(&mut self, job: Entry) -> ControlFlow<()> {
        match job {
            Entry::Step(task) => task.step(self.core),
            Entry::Timer(timer) => timer.fire(),
            Entry::Readable(source) => source.fire(Readiness::Readable),
            Entry::Writable(source) => source.fire(Readiness::Writable),
            Entry::Errand(errand) => errand.fire(),
            Entry::Call(call) => call
                .take()
                .into_iter()
                .for_each(|call| self.core.call(call)),
            Entry::Woken(travelling) => {
                if let Some(task) = travelling.task(self.core) {
                    task.step_if_idle(self.core);
                }
            }
        }
        if self.main.has_ended() {
            Break(())
        } else {
            Continue(())
        }
    }

    fn idle(&mut self) -> ControlFlow<()> {
        if self.detects_deadlocks {
            Break(())
        } else {
            Continue(())
        }
    }
}
