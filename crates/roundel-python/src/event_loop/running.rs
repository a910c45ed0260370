//! The run loop: turns of the dispatcher until somebody says stop.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::os::fd::RawFd;

use roundel::Host;

use super::{EventLoop, nanoseconds, os_error};
use crate::callback::Callback;
use crate::channel::Channel;
use crate::future::Future;
use crate::handle::{Handle, leaves_loop, report};
use crate::hot::{
    Class, Float, IntoObject, Obj, Object, Raised, Result, Str, check_signals, detached,
    exceptions, none, thread_ident,
};
use crate::job::Job;
use crate::names::names;
use crate::task::Task;
use crate::waiter::Waiter;

thread_local! {
    /// The loop that runs in this thread.
    static RUNNING: RefCell<Option<Obj<EventLoop>>> = const { RefCell::new(None) };
}

/// What the loop lends its dispatcher.
struct Runner<'a> {
    event_loop: &'a Obj<EventLoop>,
    /// What made a turn end early.
    failure: Option<Object>,
}

impl Runner<'_> {
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn check(&mut self, result: Result<()>) -> ControlFlow<()> {
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(raised) => self.fail(raised),
        }
    }

    #[cold]
    fn fail(&mut self, raised: Raised) -> ControlFlow<()> {
        self.failure = Some(raised.fetch());
        ControlFlow::Break(())
    }

    /// Asks `time()`, which somebody may have replaced.
    #[cold]
    fn replaced_time(&mut self) -> ControlFlow<(), Option<u64>> {
        match EventLoop::time_by_method(self.event_loop) {
            Ok(time) => ControlFlow::Continue(Some(nanoseconds(time))),
            Err(raised) => {
                self.fail(raised)?;
                ControlFlow::Continue(None)
            }
        }
    }
}

impl Host<Job> for Runner<'_> {
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn run(&mut self, job: Job) -> ControlFlow<()> {
        let result = if self.event_loop.is_debug() {
            self.event_loop.run_timed(self.event_loop, &job)
        } else {
            EventLoop::run_job(self.event_loop, &job)
        };
        drop(job);
        self.check(result)
    }

    fn block(&mut self, wait: &mut dyn FnMut()) {
        if let Err(raised) = self.event_loop.clear_current() {
            self.failure = Some(raised.fetch());
        }
        self.event_loop.blocked.set(true);
        detached(wait);
        self.event_loop.blocked.set(false);
    }

    #[inline]
    fn now(&mut self) -> ControlFlow<(), Option<u64>> {
        if self.event_loop.is_pristine() {
            return ControlFlow::Continue(None);
        }
        self.replaced_time()
    }

    fn interrupted(&mut self) -> ControlFlow<()> {
        self.check(check_signals())
    }

    fn idle(&mut self) -> ControlFlow<()> {
        let idle = self.event_loop.as_any().call_method(&names()._on_idle, []);
        self.check(idle.map(drop))
    }
}

impl EventLoop {
    /// The loop that runs in this thread, if it is one of ours.
    #[inline]
    pub(crate) fn running() -> Option<Obj<Self>> {
        RUNNING.with_borrow(Clone::clone)
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn run_job(this: &Obj<Self>, job: &Job) -> Result<()> {
        match job {
            Job::Step(task) => match Task::step(task) {
                Ok(()) => Ok(()),
                Err(raised) => Self::step_failed(this, task, raised),
            },
            Job::Handle(handle) => Self::run_handle(this, handle),
            Job::Told(future) => Self::tell(this, future),
            Job::Alarm(callback) => Self::alarm(this, callback),
            Job::Wake(waiter) => Self::wake(waiter),
            Job::Channel(channel) => Self::run_channel(this, channel),
        }
    }

    #[inline(never)]
    fn wake(waiter: &Obj<Waiter>) -> Result<()> {
        Waiter::wake(waiter)
    }

    #[inline(never)]
    fn tell(this: &Obj<Self>, future: &Obj<Future>) -> Result<()> {
        this.clear_current()?;
        match Future::tell(future) {
            Ok(()) => Ok(()),
            Err((name, raised)) => Self::call_failed(this, name, future.as_any(), raised),
        }
    }

    #[inline(never)]
    fn alarm(this: &Obj<Self>, callback: &Obj<Callback>) -> Result<()> {
        this.clear_current()?;
        match Callback::run(callback, None) {
            Ok(()) => Ok(()),
            Err(raised) => Self::call_failed(this, callback.name(), callback.as_any(), raised),
        }
    }

    #[inline(never)]
    fn run_channel(this: &Obj<Self>, channel: &Obj<Channel>) -> Result<()> {
        if channel.is_cancelled() {
            return Ok(());
        }
        this.clear_current()?;
        Channel::run(channel, this)
    }

    /// Puts something off until the end of the turn; nothing else must be.
    pub(crate) fn put_off(&self, channel: Option<Obj<Channel>>) {
        self.put_off.set(channel);
    }

    /// Whether something was put off.
    pub(crate) fn puts_off(&self) -> bool {
        self.put_off.is_set()
    }

    /// Has the next turn ask for events, however much is ready: something was done that may be one for another descriptor
    /// of this loop, and asyncio asks in every turn.
    #[inline]
    pub(crate) fn poll_soon(&self) {
        if let Some(dispatcher) = self.dispatcher.get() {
            dispatcher.poll_soon();
        }
    }

    /// Whether the last that a transport has sent to in this turn is this descriptor, which it is from now on.
    #[inline]
    pub(crate) fn sends_again(&self, fd: RawFd) -> bool {
        self.sent_to.replace(fd) == fd
    }

    /// Does what was put off.
    #[inline]
    pub(crate) fn do_put_off(this: &Obj<Self>) -> Result<()> {
        match this.put_off.take() {
            Some(channel) => Channel::run(&channel, this),
            None => Ok(()),
        }
    }

    fn time_by_method(this: &Obj<Self>) -> Result<f64> {
        this.clear_current()?;
        Float::of(&this.as_any().call_method(&names().time, [])?)
    }

    #[inline(never)]
    fn run_handle(this: &Obj<Self>, handle: &Obj<Handle>) -> Result<()> {
        if handle.is_cancelled() {
            return Ok(());
        }
        handle.came_due();
        if !handle.only_resolves() {
            this.clear_current()?;
        }
        let run = Handle::run(handle);
        Handle::leave_loop(handle);
        run
    }

    /// Does with an exception that a step could not give to its task what is done for a callback.
    #[cold]
    fn step_failed(this: &Obj<Self>, task: &Obj<Task>, raised: Raised) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        let exception = raised.fetch();
        let message = format!(
            "Exception in callback {}._step()",
            Str::repr(task.as_any())?
        );
        report(this.as_any(), &message, &exception, None)
    }

    /// The same, of a callback of our own.
    #[cold]
    fn call_failed(this: &Obj<Self>, name: &str, about: &Object, raised: Raised) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        let exception = raised.fetch();
        let message = format!("Exception in callback {name}({})", Str::repr(about)?);
        report(this.as_any(), &message, &exception, None)
    }

    /// In debug mode: runs a job and reports one that took too long.
    #[cold]
    fn run_timed(&self, this: &Obj<Self>, job: &Job) -> Result<()> {
        if let Job::Handle(handle) = job {
            if handle.is_cancelled() {
                return Ok(());
            }
            self.running_handle.set(Some(handle.clone()));
        }
        let start = self.time()?;
        let result = Self::run_job(this, job).map_err(Raised::fetch);
        let took = self.time()? - start;
        self.running_handle.set(None);
        if took >= self.slow_callback_duration.get() {
            Self::report_slow(job, took)?;
        }
        result.map_err(Raised::restore)
    }

    fn report_slow(job: &Job, took: f64) -> Result<()> {
        let what = match job {
            Job::Handle(handle) => names().format_handle.call([handle.as_any()])?,
            Job::Step(task) => Str::repr(task.as_any())?.into_object()?,
            Job::Channel(channel) => channel.as_any().clone(),
            Job::Told(_) | Job::Alarm(_) | Job::Wake(_) => return Ok(()),
        };
        let logger = names().base_events.attr(&names().logger)?;
        let text = "Executing %s took %.3f seconds".into_object()?;
        logger.call_method(&names().warning, [&text, &what, &took.into_object()?])?;
        Ok(())
    }

    /// Runs turns until `stop()` was called or something leaves the loop.
    fn run_until_stopped(this: &Obj<Self>) -> Result<()> {
        this.check_may_run()?;
        set_running_loop(this.as_any())?;
        this.thread.set(thread_ident());
        // A short run sees what happened before it, as it does on asyncio, which asks in every turn.
        this.dispatcher()?.poll_soon();
        this.hold_tasks();
        let outer = RUNNING.replace(Some(this.clone()));
        let result = this.turn_until_stopped(this).map_err(Raised::fetch);
        let current = RUNNING.replace(outer);
        drop(current);
        this.release_tasks();
        this.release_handles();
        this.stopping.set(false);
        this.thread.set(0);
        this.clear_current()?;
        set_running_loop(&none())?;
        result.map_err(Raised::restore)
    }

    fn turn_until_stopped(&self, this: &Obj<Self>) -> Result<()> {
        self.turn(this, || self.stopping.get())
    }

    /// Turns of the loop until `over` says so: each waits for what happens next, and runs what is ready.
    fn turn(&self, this: &Obj<Self>, over: impl Fn() -> bool) -> Result<()> {
        let dispatcher = self.dispatcher()?;
        let mut runner = Runner {
            event_loop: this,
            failure: None,
        };
        // Within a turn that runs others, what it has put off would wait for them.
        Self::end_turn(this)?;
        loop {
            let turned = dispatcher.run_once(&mut runner, !self.stopping.get());
            Self::end_turn(this)?;
            if let Some(failure) = runner.failure.take() {
                return Err(Raised::restore(failure));
            }
            if let Err(error) = turned {
                return Err(os_error(&error));
            }
            if over() {
                return Ok(());
            }
        }
    }

    /// Does what a turn leaves to its end.
    #[inline]
    fn end_turn(this: &Obj<Self>) -> Result<()> {
        this.sent_to.set(-1);
        if this.put_off.is_set() {
            return Self::do_all_put_off(this);
        }
        Ok(())
    }

    /// Does what was put off, and what is put off by whoever is told of that.
    #[inline(never)]
    fn do_all_put_off(this: &Obj<Self>) -> Result<()> {
        this.clear_current()?;
        while this.put_off.is_set() {
            Self::do_put_off(this)?;
        }
        Ok(())
    }

    fn check_may_run(&self) -> Result<()> {
        self.check_open()?;
        let text = if self.is_running() {
            "This event loop is already running"
        } else if names()
            .events
            .call_method(&names()._get_running_loop, [])?
            .is_none()
        {
            return Ok(());
        } else {
            "Cannot run the event loop while another loop is running"
        };
        Err(Raised::new(&exceptions::runtime_error(), text))
    }

    /// What is ready, the next one first: handles, and tasks to be stepped.
    fn ready(this: &Obj<Self>) -> Result<Vec<Object>> {
        let jobs = this.dispatcher()?.ready_jobs();
        Ok(jobs.into_iter().map(Job::into_object).collect())
    }
}

/// Tells asyncio which loop runs: the interpreter's own record, and what stands in `asyncio.events`, which
/// tests replace.
fn set_running_loop(event_loop: &Object) -> Result<()> {
    names().set_running_loop.call([event_loop])?;
    let replaceable = names().events.attr(&names()._set_running_loop)?;
    if !replaceable.is(&names().set_running_loop) {
        replaceable.call([event_loop])?;
    }
    Ok(())
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    class
        .method0(
            c"stop",
            c"stop($self, /)\n--\n\nHave the loop stop after the turn it is in, or the next one.",
            |this: &Obj<EventLoop>| this.stopping.set(true),
        )
        .method0(
            c"_run_until_stopped",
            c"_run_until_stopped($self, /)\n--\n\nRun until stop() is called.",
            EventLoop::run_until_stopped,
        )
        .method0(
            c"_run_once",
            c"_run_once($self, /)\n--\n\nRun one turn.",
            |this: &Obj<EventLoop>| {
                this.turn(this, || true)?;
                this.clear_current()
            },
        )
        .getter(c"_ready", EventLoop::ready);
}
