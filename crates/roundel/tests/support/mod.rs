//! A small face: jobs are closures that get the dispatcher.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::cell::{Cell, RefCell};
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::ops::ControlFlow::{self, Break, Continue};
use std::rc::Rc;

use roundel::{Clock, Dispatcher, Host, Job, Order};

pub(crate) type Body = Rc<dyn Fn(&Desk) -> ControlFlow<()>>;

#[derive(Clone)]
pub(crate) struct Call {
    body: Body,
    cancelled: Rc<Cell<bool>>,
    fixed: bool,
    impatient: bool,
}

impl Call {
    pub(crate) fn new(body: impl Fn(&Desk) + 'static) -> Self {
        Self::flow(move |desk| {
            body(desk);
            Continue(())
        })
    }

    pub(crate) fn flow(body: impl Fn(&Desk) -> ControlFlow<()> + 'static) -> Self {
        Self {
            body: Rc::new(body),
            cancelled: Rc::default(),
            fixed: false,
            impatient: false,
        }
    }

    /// A call that writes its name into the desk's log.
    pub(crate) fn log(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(move |desk| desk.log(&*name))
    }

    pub(crate) fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    pub(crate) fn impatient(mut self) -> Self {
        self.impatient = true;
        self
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.set(true);
    }
}

impl Job for Call {
    type Remote = String;

    fn from_remote(remote: String) -> Self {
        Self::log(remote)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    fn is_reorderable(&self) -> bool {
        !self.fixed
    }

    fn is_impatient(&self) -> bool {
        self.impatient
    }
}

/// A dispatcher and what its jobs have to say.
pub(crate) struct Desk {
    pub(crate) dispatcher: Dispatcher<Call>,
    log: RefCell<Vec<String>>,
    pub(crate) blocked: Cell<usize>,
    pub(crate) idle: Cell<usize>,
    pub(crate) interrupted: Cell<usize>,
    hook: RefCell<Option<Box<dyn FnMut()>>>,
}

impl Desk {
    pub(crate) fn new(clock: Clock, order: Order) -> Self {
        Self {
            dispatcher: Dispatcher::new(clock, order).expect("descriptors to be had"),
            log: RefCell::default(),
            blocked: Cell::new(0),
            idle: Cell::new(0),
            interrupted: Cell::new(0),
            hook: RefCell::default(),
        }
    }

    pub(crate) fn simulated() -> Self {
        Self::new(Clock::virtual_time(), Order::Fifo)
    }

    pub(crate) fn real() -> Self {
        Self::new(Clock::monotonic(), Order::Fifo)
    }

    pub(crate) fn log(&self, line: impl Into<String>) {
        self.log.borrow_mut().push(line.into());
    }

    /// Has `hook` run whenever the dispatcher is about to block.
    pub(crate) fn on_block(&self, hook: impl FnMut() + 'static) {
        self.hook.replace(Some(Box::new(hook)));
    }

    /// Takes what has been logged, in one line.
    pub(crate) fn said(&self) -> String {
        self.log.take().join(" ")
    }

    pub(crate) fn push(&self, name: impl Into<String>) {
        self.dispatcher.push(Call::log(name));
    }

    /// Runs a turn, and returns whether it was run to its end.
    pub(crate) fn turn(&self, may_block: bool) -> bool {
        self.dispatcher
            .run_once(&mut Runner(self), may_block)
            .expect("an open dispatcher")
            .is_continue()
    }

    /// Runs a turn for a host that does not want the clock read each time.
    pub(crate) fn hurried_turn(&self) {
        self.dispatcher
            .run_once(&mut Hurried(self), true)
            .map(drop)
            .expect("an open dispatcher");
    }

    /// Runs a turn for a host that has its own time, or none to say, and returns whether it was run to its end.
    pub(crate) fn turn_at(&self, now: Option<u64>) -> bool {
        self.dispatcher
            .run_once(&mut Elsewhere(self, now), true)
            .expect("an open dispatcher")
            .is_continue()
    }

    /// Runs turns until one is ended by a job or, for want of anything to wait for, by the host.
    pub(crate) fn run(&self) {
        while self.turn(true) {}
    }
}

struct Runner<'d>(&'d Desk);

impl Host<Call> for Runner<'_> {
    fn run(&mut self, job: Call) -> ControlFlow<()> {
        if job.cancelled.get() {
            Continue(())
        } else {
            (job.body)(self.0)
        }
    }

    fn block(&mut self, wait: &mut dyn FnMut()) {
        self.0.blocked.set(self.0.blocked.get() + 1);
        if let Some(hook) = &mut *self.0.hook.borrow_mut() {
            hook();
        }
        wait();
    }

    fn interrupted(&mut self) -> ControlFlow<()> {
        self.0.interrupted.set(self.0.interrupted.get() + 1);
        Break(())
    }

    fn idle(&mut self) -> ControlFlow<()> {
        self.0.idle.set(self.0.idle.get() + 1);
        Break(())
    }
}

struct Hurried<'d>(&'d Desk);

impl Host<Call> for Hurried<'_> {
    const READS_CLOCK_EACH_TURN: bool = false;

    fn run(&mut self, job: Call) -> ControlFlow<()> {
        Runner(self.0).run(job)
    }
}

struct Elsewhere<'d>(&'d Desk, Option<u64>);

impl Host<Call> for Elsewhere<'_> {
    fn run(&mut self, job: Call) -> ControlFlow<()> {
        Runner(self.0).run(job)
    }

    fn now(&mut self) -> ControlFlow<(), Option<u64>> {
        self.1.map_or(Break(()), |now| Continue(Some(now)))
    }
}

/// Opens a pipe and writes `bytes` into it.
pub(crate) fn pipe_with(bytes: &[u8]) -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("descriptors to be had");
    writer.write_all(bytes).expect("room in the pipe");
    (reader, writer)
}
