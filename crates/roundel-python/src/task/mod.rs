//! `Task`: a coroutine that the loop drives.

mod step;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::current;
use crate::future::{Future, State, cancel_args, loop_or_current};
use crate::future_ref;
use crate::hot::{
    Args, Chain, Class, HotType, IntoObject, Link, Linked, Obj, Object, Raised, Registry, Result,
    Signature, Slot, Str, TypeCell, Visit, exceptions, none,
};
use crate::job::Job;
use crate::loop_ref::LoopRef;
use crate::names::names;

/// A coroutine that is driven by a loop (`asyncio.Task`). Its result is that of the coroutine.
pub(crate) struct Task {
    coroutine: Slot,
    context: Slot,
    /// What it waits for: a future or a waiter.
    waits_for: Slot,
    /// An exception to be thrown in by the next step.
    thrown: Slot,
    name: Slot,
    /// Its number, for the name that it gets when it is asked for one.
    number: u64,
    cancels_requested: Cell<i64>,
    must_cancel: Cell<bool>,
    log_destroy_pending: Cell<bool>,
    /// Its place in the group that made it, 0 if it is in none.
    place: Cell<u32>,
    /// Its place among the pending tasks of its loop.
    link: Link,
}

/// The number of the next task.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Default for Task {
    fn default() -> Self {
        Self::of(None, None, None)
    }
}

impl Task {
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    fn of(coroutine: Option<Object>, context: Option<Object>, name: Option<Object>) -> Self {
        Self {
            coroutine: Slot::new(coroutine),
            context: Slot::new(context),
            waits_for: Slot::empty(),
            thrown: Slot::empty(),
            name: Slot::new(name),
            number: next_number(),
            cancels_requested: Cell::new(0),
            must_cancel: Cell::new(false),
            log_destroy_pending: Cell::new(true),
            place: Cell::new(0),
            link: Link::new(),
        }
    }
}

/// Another number each time. An addition that no other thread can come between costs as much as a short step, so
/// that is left to the GIL where there is one.
#[inline]
fn next_number() -> u64 {
    // Relaxed: nothing else depends on it.
    if cfg!(Py_GIL_DISABLED) {
        return NEXT.fetch_add(1, Ordering::Relaxed);
    }
    let number = NEXT.load(Ordering::Relaxed);
    NEXT.store(number + 1, Ordering::Relaxed);
    number
}

/// How a task is to be made.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TaskOptions<'a> {
    /// The name, `Task-N` if there is none.
    pub(crate) name: Option<&'a Object>,
    /// The context, a copy of the current one if there is none.
    pub(crate) context: Option<&'a Object>,
    /// Whether to take the first step at once if the loop runs.
    pub(crate) eager: bool,
}

impl<'a> TaskOptions<'a> {
    /// Reads what a function was given; `None` stands for the default.
    #[inline]
    pub(crate) fn of(
        name: Option<&'a Object>,
        context: Option<&'a Object>,
        eager: Option<&Object>,
    ) -> Result<Self> {
        let context = context.and_then(Object::not_none);
        if cfg!(Py_3_15)
            && let Some(wrong) = context
            && !wrong.type_of().is(&names().context_type)
        {
            let kind = Str::of(&wrong.type_of().attr(&names().__name__)?)?;
            let text = format!("a contextvars.Context was expected, got {kind}");
            return Err(Raised::new(&exceptions::type_error(), text));
        }
        Ok(Self {
            name: name.and_then(Object::not_none),
            context,
            eager: eager.map_or(Ok(false), Object::truth)?,
        })
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn context(&self) -> Result<Object> {
        match self.context {
            Some(context) => Ok(context.clone()),
            None => crate::hot::copy_context(),
        }
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn name(&self) -> Result<Option<Object>> {
        match self.name {
            Some(name) => Str::of(name)?.into_object().map(Some),
            None => Ok(None),
        }
    }
}

/// Making a task.
impl Task {
    /// Makes a task of `event_loop` and schedules its first step.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(crate) fn spawn(
        event_loop: &LoopRef,
        coroutine: &Object,
        options: &TaskOptions<'_>,
    ) -> Result<Obj<Self>> {
        check_coroutine(coroutine)?;
        let origin = event_loop.source_traceback()?;
        let context = options.context()?;
        let name = options.name()?;
        let task = Obj::create_chain(Chain {
            base: Chain {
                base: (),
                value: Future::on(event_loop.clone(), origin),
            },
            value: Self::of(Some(coroutine.clone()), Some(context), name),
        });
        Self::start(&task, event_loop, options.eager)?;
        Ok(task)
    }

    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<5> = Signature::method(
            "Task.__init__",
            [c"coro", c"loop", c"name", c"context", c"eager_start"],
        )
        .required(1)
        .positional(1);
        let [coroutine, event_loop, name, context, eager] = SIGNATURE.bind(args)?;
        let coroutine = coroutine.expect("invariant: a required parameter is bound");
        let event_loop = loop_or_current(event_loop)?;
        Future::reset(this.base())?;
        this.base().attach(&event_loop)?;
        current::unregister_pending(this)?;
        if let Err(raised) = check_coroutine(coroutine) {
            this.log_destroy_pending.set(false);
            return Err(raised);
        }
        let options = TaskOptions::of(name, context, eager)?;
        this.coroutine.set(Some(coroutine.clone()));
        this.context.set(Some(options.context()?));
        if let Some(name) = options.name()? {
            this.name.set(Some(name));
        }
        Self::start(this, &event_loop, options.eager)
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn start(this: &Obj<Self>, event_loop: &LoopRef, eager: bool) -> Result<()> {
        if eager && event_loop.is_running()? {
            return Self::start_eagerly(this, event_loop);
        }
        current::register_pending(event_loop, this)?;
        Self::schedule_step(this)
    }

    /// Takes the first step at once, on behalf of the task that runs.
    fn start_eagerly(this: &Obj<Self>, event_loop: &LoopRef) -> Result<()> {
        current::register_pending(event_loop, this)?;
        let stepped = current::instead(event_loop, this, || Self::step_in_context(this, None));
        if this.base().is_done() {
            this.coroutine.set(None);
        }
        stepped
    }

    /// Has the loop step this task.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(crate) fn schedule_step(this: &Obj<Self>) -> Result<()> {
        match this.base().event_loop()? {
            LoopRef::Native(native) => native.schedule(Job::Step(this.clone())),
            foreign @ LoopRef::Foreign(_) => Self::call_step_soon(this, foreign),
        }
    }

    #[cold]
    fn call_step_soon(this: &Obj<Self>, event_loop: &LoopRef) -> Result<()> {
        let step = this.as_any().attr(&names()._step)?;
        let context = this.context.get().unwrap_or_else(none);
        event_loop.call_soon(&step, &[], &context)
    }

    /// Has the loop throw an exception into this task.
    fn schedule_throw(this: &Obj<Self>, exception: Object) -> Result<()> {
        this.thrown.set(Some(exception));
        Self::schedule_step(this)
    }
}

#[inline]
fn check_coroutine(coroutine: &Object) -> Result<()> {
    if coroutine.is_coroutine() {
        return Ok(());
    }
    look_like_coroutine(coroutine)
}

#[cold]
fn look_like_coroutine(coroutine: &Object) -> Result<()> {
    if names().is_coroutine.call([coroutine])?.truth()? {
        return Ok(());
    }
    let text = format!("a coroutine was expected, got {}", Str::repr(coroutine)?);
    Err(Raised::new(&exceptions::type_error(), text))
}

/// Cancellation.
impl Task {
    /// Asks for the task to be cancelled; false if it is done.
    ///
    /// A task that waits for another hands the request on to that. This goes from one to the next in a loop, so
    /// that there may be any number of them.
    pub(crate) fn cancel(this: &Obj<Self>, message: Option<&Object>) -> Result<bool> {
        if !Self::hear_of_cancellation(this) {
            return Ok(false);
        }
        let (mut last, mut earlier, mut steps) = (this.clone(), this.clone(), 0_usize);
        while let Some(next) = last.awaited_task().filter(Self::hear_of_cancellation) {
            if next.is(&earlier) {
                return Err(Self::waits_for_itself());
            }
            steps += 1;
            if steps.is_power_of_two() {
                earlier = next.clone();
            }
            last = next;
        }
        Self::cancel_awaited(&last, message)
    }

    /// Counts a request to cancel; false if the task is done.
    fn hear_of_cancellation(this: &Obj<Self>) -> bool {
        this.base().set_log_traceback(false);
        if this.base().is_done() {
            return false;
        }
        this.cancels_requested.set(this.cancels_requested.get() + 1);
        true
    }

    /// The task that it waits for, if it is one of exactly ours.
    fn awaited_task(&self) -> Option<Obj<Self>> {
        let awaited = self.waits_for.get()?;
        awaited.downcast_exact::<Self>().cloned()
    }

    /// Cancels what it waits for; the next step raises `CancelledError` if that can't be cancelled.
    fn cancel_awaited(this: &Obj<Self>, message: Option<&Object>) -> Result<bool> {
        let awaited = this.waits_for.get();
        if let Some(awaited) = awaited.filter(|awaited| awaited.downcast_exact::<Self>().is_none())
            && future_ref::cancel(&awaited, message)?
        {
            return Ok(true);
        }
        this.must_cancel.set(true);
        this.base().set_cancel_message(message.cloned());
        Ok(true)
    }

    #[cold]
    fn waits_for_itself() -> Raised {
        let text = "maximum recursion depth exceeded: the task waits for itself";
        Raised::new(&exceptions::recursion_error(), text)
    }

    /// Takes one request to cancel back; gives how many are left.
    pub(crate) fn uncancel(&self) -> i64 {
        let left = (self.cancels_requested.get() - 1).max(0);
        self.cancels_requested.set(left);
        if left == 0 {
            self.must_cancel.set(false);
        }
        left
    }

    /// How many requests to cancel have not been taken back.
    pub(crate) fn cancelling(&self) -> i64 {
        self.cancels_requested.get()
    }

    /// A copy of the context that it runs in.
    pub(crate) fn copy_context(&self) -> Result<Object> {
        match self.context.get() {
            Some(context) => crate::hot::copy_of(&context),
            None => crate::hot::copy_context(),
        }
    }

    /// Where the group that made it keeps its place.
    #[inline]
    pub(crate) fn place(&self) -> &Cell<u32> {
        &self.place
    }

    /// Keeps silent about it if it goes away while it is pending: whoever made it knows.
    pub(crate) fn may_be_destroyed(&self) {
        self.log_destroy_pending.set(false);
    }
}

/// Looking at a task.
impl Task {
    /// The name; a number if nobody has given it one.
    pub(crate) fn name(&self) -> Result<Object> {
        if let Some(name) = self.name.get() {
            return Ok(name);
        }
        let name = format!("Task-{}", self.number).into_object()?;
        self.name.set(Some(name.clone()));
        Ok(name)
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        names().task_repr.call([this.as_any()])
    }

    fn get_stack(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<1> = Signature::method("Task.get_stack", [c"limit"])
            .required(0)
            .positional(0);
        let [limit] = SIGNATURE.bind(args)?;
        names()
            .task_get_stack
            .call([this.as_any(), limit.unwrap_or(&none())])
    }

    fn print_stack(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<2> = Signature::method("Task.print_stack", [c"limit", c"file"])
            .required(0)
            .positional(0);
        let [limit, file] = SIGNATURE.bind(args)?;
        let none = none();
        let (limit, file) = (limit.unwrap_or(&none), file.unwrap_or(&none));
        names().task_print_stack.call([this.as_any(), limit, file])
    }

    fn no_result(name: &str) -> Result<Object> {
        let text = format!("Task does not support {name} operation");
        Err(Raised::new(&exceptions::runtime_error(), text))
    }
}

impl Linked for Task {
    fn link(&self) -> &Link {
        &self.link
    }
}

impl HotType for Task {
    type Base = Future;
    const NAME: &'static std::ffi::CStr = c"roundel.Task";
    const FREELIST: usize = 1024;
    const CHAINS: bool = true;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Task(coro, *, loop=None, name=None, context=None, eager_start=False)\n--\n\nA coroutine driven by an event loop (asyncio.Task).")
            .init(Self::init)
            .repr(Self::repr);
        declare_cancellation(class);
        declare_introspection(class);
        declare_internals(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.coroutine);
        visit.slot(&self.context);
        visit.slot(&self.waits_for);
        visit.slot(&self.thrown);
        visit.slot(&self.name);
    }

    fn clear(&self) {
        self.waits_for.set(None);
        self.thrown.set(None);
        self.coroutine.set(None);
        self.context.set(None);
    }

    fn retire(&self) {
        Registry::<Self>::forget(&self.link);
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.is_lost(this) || Future::wants_finalizer(this.base())
    }

    fn finalize(this: &Obj<Self>) {
        let reported = this
            .report_pending(this)
            .and_then(|()| Future::report_unretrieved(this.base()));
        if let Err(raised) = reported {
            raised.unraisable(this.as_any());
        }
    }
}

impl Task {
    /// Whether it must not go away without a word.
    fn is_lost(&self, this: &Obj<Self>) -> bool {
        self.log_destroy_pending.get()
            && this.base().state() == State::Pending
            && self.coroutine.is_set()
    }

    /// Tells the loop that a task goes away that has not come to its end.
    fn report_pending(&self, this: &Obj<Self>) -> Result<()> {
        if !self.is_lost(this) {
            return Ok(());
        }
        self.log_destroy_pending.set(false);
        // The handler may keep the task, which is pending for ever then, but no longer one to be shown.
        Registry::<Self>::forget(&self.link);
        let message = "Task was destroyed but it is pending!".into_object()?;
        this.base()
            .report(&[("task", this.as_any()), ("message", &message)])
    }
}

fn declare_cancellation(class: &mut Class<Task>) {
    class
        .method(
            c"cancel",
            c"cancel($self, /, msg=None)\n--\n\nAsk for the task to be cancelled: CancelledError is thrown into the coroutine.\n\nReturns False if the task is done. What the coroutine does with the exception is its affair.",
            |this: &Obj<Task>, args: &Args<'_>| Task::cancel(this, cancel_args("Task.cancel", args)?),
        )
        .method0(
            c"cancelling",
            c"cancelling($self, /)\n--\n\nReturn how many calls of cancel() have not been taken back by uncancel().",
            |this: &Obj<Task>| this.cancelling(),
        )
        .method0(
            c"uncancel",
            c"uncancel($self, /)\n--\n\nTake one call of cancel() back; return how many are left.",
            |this: &Obj<Task>| this.uncancel(),
        )
        .method1(
            c"set_result",
            c"set_result($self, result, /)\n--\n\nRaise RuntimeError: the result of a task is that of its coroutine.",
            |_: &Obj<Task>, _: &Object| Task::no_result("set_result"),
        )
        .method1(
            c"set_exception",
            c"set_exception($self, exception, /)\n--\n\nRaise RuntimeError: the exception of a task is that of its coroutine.",
            |_: &Obj<Task>, _: &Object| Task::no_result("set_exception"),
        );
}

fn declare_introspection(class: &mut Class<Task>) {
    class
        .method0(
            c"get_name",
            c"get_name($self, /)\n--\n\nReturn the name of the task.",
            |this: &Obj<Task>| this.name(),
        )
        .method1(
            c"set_name",
            c"set_name($self, value, /)\n--\n\nSet the name of the task.",
            |this: &Obj<Task>, value: &Object| {
                this.name.set(Some(Str::of(value)?.into_object()?));
                Ok(())
            },
        )
        .method0(
            c"get_coro",
            c"get_coro($self, /)\n--\n\nReturn the coroutine; None for a task that was done by its eager first step.",
            |this: &Obj<Task>| this.coroutine.get(),
        )
        .method0(
            c"get_context",
            c"get_context($self, /)\n--\n\nReturn the context the coroutine runs in.",
            |this: &Obj<Task>| this.context.get(),
        )
        .method(
            c"get_stack",
            c"get_stack($self, /, *, limit=None)\n--\n\nReturn the frames of the coroutine, outermost first.",
            Task::get_stack,
        )
        .method(
            c"print_stack",
            c"print_stack($self, /, *, limit=None, file=None)\n--\n\nPrint where the coroutine is, as a traceback.",
            Task::print_stack,
        );
}

/// The private names that asyncio's own code and third parties read.
fn declare_internals(class: &mut Class<Task>) {
    class
        .method0(
            c"_step",
            c"_step($self, /)\n--\n\nGo one step on; called by loops that are not roundel's.",
            Task::step_as_callback,
        )
        .method1(
            c"_wakeup",
            c"_wakeup($self, future, /)\n--\n\nGo one step on because a future is done.",
            |this: &Obj<Task>, _future: &Object| Task::step_as_callback(this),
        )
        .poses_as(|| names().c_task.clone())
        .getter(c"_coro", |this: &Obj<Task>| this.coroutine.get())
        .getter(c"_context", |this: &Obj<Task>| this.context.get())
        .getter(c"_fut_waiter", |this: &Obj<Task>| this.waits_for.get())
        .getter(c"_num_cancels_requested", |this: &Obj<Task>| {
            this.cancels_requested.get()
        })
        .property(
            c"_must_cancel",
            |this: &Obj<Task>| this.must_cancel.get(),
            |this: &Obj<Task>, value: &Object| {
                this.must_cancel.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_log_destroy_pending",
            |this: &Obj<Task>| this.log_destroy_pending.get(),
            |this: &Obj<Task>, value: &Object| {
                this.log_destroy_pending.set(value.truth()?);
                Ok(())
            },
        );
}
