//! `Future`: a result that is not there yet, and who waits for it.
//!
//! A [`Task`](crate::task::Task) is a future too, so what is here must do for both.

mod awaited_by;
mod callbacks;
mod class;

use std::cell::{Cell, OnceCell};

pub(crate) use awaited_by::register;
use callbacks::Callback;

use crate::event_loop::EventLoop;
use crate::future_iterator::FutureIterator;
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Sent, Signature, Slot, Str,
    TypeCell, Visit, exceptions, none,
};
use crate::loop_ref::LoopRef;
use crate::names::names;

/// Where a future is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    /// There is no result yet.
    #[default]
    Pending,
    /// There will be none.
    Cancelled,
    /// There is a result.
    Finished,
    /// There is an exception.
    Failed,
}

/// What few futures need.
#[derive(Default)]
struct Rare {
    /// The callbacks after the first.
    callbacks: Vec<Callback>,
    /// What `cancel()` was given to say.
    cancel_message: Option<Object>,
    /// The traceback of the exception when it was set.
    exception_traceback: Option<Object>,
    /// Where the future was made, in debug mode.
    source_traceback: Option<Object>,
    /// The set of those who were said to wait for this one, from CPython 3.14 on.
    awaited_by: Option<Object>,
}

/// An awaitable result (`asyncio.Future`).
#[derive(Default)]
pub(crate) struct Future {
    /// Set once, and not given up when the garbage collector breaks a cycle: the loop itself does that.
    event_loop: OnceCell<LoopRef>,
    /// The result, or the exception; or the one that cancelled a task, to be raised once more.
    outcome: Slot,
    callback: Cell<Option<Callback>>,
    rare: Cell<Option<Box<Rare>>>,
    state: Cell<State>,
    /// It was yielded to a task that has not seen it yet (`_asyncio_future_blocking`).
    blocking: Cell<bool>,
    /// Nobody has looked at the exception.
    log_traceback: Cell<bool>,
}

impl Future {
    /// A new future of `event_loop`.
    #[inline]
    pub(crate) fn create(event_loop: LoopRef) -> Result<Obj<Self>> {
        let origin = event_loop.source_traceback()?;
        Ok(Obj::create(Self::on(event_loop, origin)))
    }

    /// The value of a new future of `event_loop`, which was made at `origin`.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn on(event_loop: LoopRef, origin: Option<Object>) -> Self {
        Self {
            event_loop: OnceCell::from(event_loop),
            outcome: Slot::empty(),
            callback: Cell::new(None),
            rare: Cell::new(origin.map(Rare::made_at).map(Box::new)),
            state: Cell::new(State::Pending),
            blocking: Cell::new(false),
            log_traceback: Cell::new(false),
        }
    }

    /// Makes it pending, also once more; raises `RuntimeError` for the latter from CPython 3.15 on.
    pub(crate) fn reset(this: &Obj<Self>) -> Result<()> {
        if cfg!(Py_3_15) && this.event_loop.get().is_some() {
            let text = format!(
                "{} object is already initialized",
                this.as_any().type_name()?
            );
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        this.state.set(State::Pending);
        this.log_traceback.set(false);
        this.blocking.set(false);
        this.outcome.set(None);
        drop(this.callback.take());
        drop(this.rare.take());
        Ok(())
    }

    /// Makes it a future of `event_loop`.
    #[inline]
    pub(crate) fn attach(&self, event_loop: &LoopRef) -> Result<()> {
        let event_loop = self.event_loop.get_or_init(|| event_loop.clone());
        if let Some(traceback) = event_loop.source_traceback()? {
            let old = self.rare(|rare| rare.source_traceback.replace(traceback));
            drop(old);
        }
        Ok(())
    }

    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> = Signature::method("Future.__init__", [c"loop"])
            .required(0)
            .positional(0);
        let [event_loop] = SIGNATURE.bind(args)?;
        Self::reset(this)?;
        this.attach(&loop_or_current(event_loop)?)
    }

    /// The loop; raises `RuntimeError` for a future whose `__init__` was not called.
    #[inline]
    pub(crate) fn event_loop(&self) -> Result<&LoopRef> {
        self.event_loop.get().ok_or_else(Self::uninitialized)
    }

    #[cold]
    fn uninitialized() -> Raised {
        Raised::new(
            &exceptions::runtime_error(),
            "Future object is not initialized.",
        )
    }

    /// Whether `event_loop` is the loop of this future.
    #[inline]
    pub(crate) fn belongs_to(&self, event_loop: &Object) -> bool {
        self.event_loop.get().is_some_and(|own| own.is(event_loop))
    }

    /// Whether the loop is ours.
    #[inline]
    pub(crate) fn is_native(&self) -> bool {
        matches!(self.event_loop.get(), Some(LoopRef::Native(_)))
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.state.get() != State::Pending
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.get() == State::Cancelled
    }

    /// Reads and changes what few futures have. `change` must not run Python code.
    fn rare<R>(&self, change: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = self.rare.take().unwrap_or_default();
        let result = change(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    /// Reads what few futures have.
    #[inline]
    fn look<R>(&self, read: impl FnOnce(&Rare) -> Option<R>) -> Option<R> {
        let rare = self.rare.take()?;
        let result = read(&rare);
        self.rare.set(Some(rare));
        result
    }

    pub(crate) fn set_blocking(&self, blocking: bool) {
        self.blocking.set(blocking);
    }

    pub(crate) fn is_blocking(&self) -> bool {
        self.blocking.get()
    }

    pub(crate) fn set_log_traceback(&self, log: bool) {
        self.log_traceback.set(log);
    }

    /// What `cancel()` was given to say.
    pub(crate) fn cancel_message(&self) -> Option<Object> {
        self.look(|rare| rare.cancel_message.clone())
    }

    /// Sets what the `CancelledError` will say.
    pub(crate) fn set_cancel_message(&self, message: Option<Object>) {
        if message.is_some() || self.cancel_message().is_some() {
            let old = self.rare(|rare| std::mem::replace(&mut rare.cancel_message, message));
            drop(old);
        }
    }

    /// Remembers the exception that cancelled a task.
    pub(crate) fn set_cancelled_exception(&self, exception: Object) {
        self.outcome.set(Some(exception));
    }

    fn source_traceback(&self) -> Option<Object> {
        self.look(|rare| rare.source_traceback.clone())
    }

    /// The `CancelledError` that a waiter gets: the one that cancelled a task, once, or a new one.
    pub(crate) fn make_cancelled_error(&self) -> Result<Object> {
        if self.is_cancelled()
            && let Some(exception) = self.outcome.take()
        {
            return Ok(exception);
        }
        cancelled_error(self.cancel_message().as_ref())
    }
}

/// `CancelledError(message)`.
pub(crate) fn cancelled_error(message: Option<&Object>) -> Result<Object> {
    match message {
        Some(message) => names().cancelled_error.call([message]),
        None => names().cancelled_error.call([]),
    }
}

/// The loop given as an argument, or asyncio's current one.
pub(crate) fn loop_or_current(event_loop: Option<&Object>) -> Result<LoopRef> {
    if let Some(event_loop) = event_loop.and_then(Object::not_none) {
        return Ok(LoopRef::of(event_loop));
    }
    if let Some(running) = EventLoop::running() {
        return Ok(LoopRef::of(running.as_any()));
    }
    let current = names().events.call_method(&names().get_event_loop, [])?;
    Ok(LoopRef::of(&current))
}

/// Where Python is now, for debug mode.
pub(crate) fn source_traceback() -> Result<Object> {
    match names().get_frame.call([&0_i64.into_object()?]) {
        Ok(frame) => names().extract_stack.call([&frame]),
        // Called from no Python code at all.
        Err(raised) if raised.matches(&exceptions::value_error()) => {
            raised.clear();
            Ok(none())
        }
        Err(raised) => Err(raised),
    }
}

/// `created at file:line` of a source traceback.
pub(crate) fn created_at(traceback: &Object) -> Result<String> {
    let frames = traceback.to_vec()?;
    let Some(last) = frames.last() else {
        return Ok(String::new());
    };
    let frame = last.to_vec()?;
    let (Some(file), Some(line)) = (frame.first(), frame.get(1)) else {
        return Ok(String::new());
    };
    Ok(format!("created at {}:{}", Str::of(file)?, Str::of(line)?))
}

/// Life: result, exception, cancellation.
impl Future {
    /// Sets the result. Raises `InvalidStateError` if there is one.
    #[inline]
    pub(crate) fn set_result(this: &Obj<Self>, result: Object) -> Result<()> {
        this.check_pending()?;
        this.outcome.set(Some(result));
        this.state.set(State::Finished);
        Self::schedule_callbacks(this)
    }

    /// `set_result(result)`. Runs nobody's code if the future has one of our loops, whose methods nobody has replaced.
    pub(crate) fn resolve(this: &Obj<Self>, result: &Object) -> Result<()> {
        Self::set_result(this, result.clone())
    }

    /// Sets the exception, an exception object or type. Raises `InvalidStateError` if there is a result.
    pub(crate) fn set_exception(this: &Obj<Self>, exception: &Object) -> Result<()> {
        this.check_pending()?;
        let exception = presentable(exception)?;
        let traceback = exception.traceback();
        this.outcome.set(Some(exception));
        if traceback.is_some() {
            let old = this.rare(|rare| std::mem::replace(&mut rare.exception_traceback, traceback));
            drop(old);
        }
        this.state.set(State::Failed);
        this.log_traceback.set(true);
        Self::schedule_callbacks(this)
    }

    /// Cancels it; false if it is done.
    pub(crate) fn cancel(this: &Obj<Self>, message: Option<&Object>) -> Result<bool> {
        this.log_traceback.set(false);
        this.event_loop()?;
        if this.is_done() {
            return Ok(false);
        }
        this.set_cancel_message(message.cloned());
        this.state.set(State::Cancelled);
        Self::schedule_callbacks(this)?;
        Ok(true)
    }

    #[inline]
    fn check_pending(&self) -> Result<()> {
        if self.state.get() == State::Pending {
            self.event_loop().map(drop)
        } else {
            Err(Self::invalid_state())
        }
    }

    #[cold]
    fn invalid_state() -> Raised {
        Raised::new(&names().invalid_state_error, "invalid state")
    }

    fn state_name(&self) -> &'static str {
        match self.state.get() {
            State::Pending => "PENDING",
            State::Cancelled => "CANCELLED",
            State::Finished | State::Failed => "FINISHED",
        }
    }

    /// The result, or the exception as what this raises.
    #[inline]
    pub(crate) fn result(this: &Obj<Self>) -> Result<Object> {
        if this.state.get() == State::Finished {
            this.log_traceback.set(false);
            return Ok(this.outcome.get().unwrap_or_else(none));
        }
        Err(this.not_a_result())
    }

    #[cold]
    fn not_a_result(&self) -> Raised {
        match self.failure() {
            Ok(Some(exception)) => Raised::throw(&exception),
            Ok(None) => Raised::new(&names().invalid_state_error, "Result is not set."),
            Err(raised) => raised,
        }
    }

    /// The exception that a waiter gets: that of a failed future, a `CancelledError` of a cancelled one.
    pub(crate) fn failure(&self) -> Result<Option<Object>> {
        match self.state.get() {
            State::Pending | State::Finished => Ok(None),
            State::Cancelled => self.make_cancelled_error().map(Some),
            State::Failed => {
                self.log_traceback.set(false);
                let exception = self.outcome.get();
                if let Some(exception) = &exception {
                    // So that it does not grow with each waiter that it is raised in.
                    let traceback = self.look(|rare| rare.exception_traceback.clone());
                    exception.set_traceback(traceback.as_ref());
                }
                Ok(exception)
            }
        }
    }

    /// The exception, `None` of a future that has a result. Raises `InvalidStateError` if there is neither, and
    /// `CancelledError`.
    pub(crate) fn exception(this: &Obj<Self>) -> Result<Object> {
        match this.state.get() {
            State::Pending => Err(Raised::new(
                &names().invalid_state_error,
                "Exception is not set.",
            )),
            State::Cancelled => Err(Raised::throw(&this.make_cancelled_error()?)),
            State::Finished => {
                this.log_traceback.set(false);
                Ok(none())
            }
            State::Failed => {
                this.log_traceback.set(false);
                Ok(this.outcome.get().unwrap_or_else(none))
            }
        }
    }

    /// One step of `await future`.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    pub(crate) fn advance(this: &Obj<Self>) -> Sent {
        if this.is_done() {
            return match Self::result(this) {
                Ok(result) => Sent::Returned(result),
                Err(raised) => Sent::Raised(raised),
            };
        }
        if this.blocking.replace(true) {
            return Self::not_awaited();
        }
        Sent::Yielded(this.as_any().clone())
    }

    #[cold]
    fn not_awaited() -> Sent {
        let text = "await wasn't used with future";
        Sent::Raised(Raised::new(&exceptions::runtime_error(), text))
    }
}

/// An exception object that a future can hold, made of an exception object or type.
fn presentable(exception: &Object) -> Result<Object> {
    let exception = if exception.is_type() {
        exception.call([])?
    } else {
        exception.clone()
    };
    if !exception.is_exception() {
        return Err(Raised::new(
            &exceptions::type_error(),
            "invalid exception object",
        ));
    }
    if !crate::hot::is_instance_of(&exception, &exceptions::stop_iteration()) {
        return Ok(exception);
    }
    let text = "StopIteration interacts badly with generators and cannot be raised into a Future";
    if !turns_stop_iteration_into_runtime_error() {
        return Err(Raised::new(&exceptions::type_error(), text));
    }
    let replacement = exceptions::runtime_error().call([&text.into_object()?])?;
    replacement.set_cause(&exception);
    Ok(replacement)
}

/// What CPython does since 3.11.8, 3.12.2 and 3.13; before, it refused.
fn turns_stop_iteration_into_runtime_error() -> bool {
    match crate::hot::python_version() {
        (3, 11, micro) => micro >= 8,
        (3, 12, micro) => micro >= 2,
        _ => true,
    }
}

/// Reads `cancel(msg=None)`.
pub(crate) fn cancel_args<'a>(name: &'static str, args: &Args<'a>) -> Result<Option<&'a Object>> {
    let signature = Signature::method(name, [c"msg"]).required(0);
    let [message] = signature.bind(args)?;
    Ok(message.and_then(Object::not_none))
}

impl HotType for Future {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Future";
    const FREELIST: usize = 1024;
    const CHAINS: bool = true;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Future(*, loop=None)\n--\n\nAn awaitable result that is not there yet (asyncio.Future).")
            .init(Self::init)
            .awaitable(Self::advance)
            .iterable(|this: &Obj<Self>| Obj::create(FutureIterator::of(this)))
            .method0(
                c"__await__",
                c"__await__($self, /)\n--\n\nReturn an iterator that yields the future until it is done.",
                |this: &Obj<Self>| Obj::create(FutureIterator::of(this)),
            )
            .generic()
            .repr(|this: &Obj<Self>| names().future_repr.call([this.as_any()]));
        class::declare_results(class);
        class::declare_callbacks(class);
        class::declare_internals(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        if let Some(event_loop) = self.event_loop.get() {
            visit.object(event_loop.object());
        }
        visit.slot(&self.outcome);
        let callback = self.callback.take();
        if let Some(callback) = &callback {
            callback.traverse(visit);
        }
        self.callback.set(callback);
        let Some(rare) = self.rare.take() else { return };
        rare.traverse(visit);
        self.rare.set(Some(rare));
    }

    fn clear(&self) {
        self.outcome.set(None);
        drop(self.callback.take());
        drop(self.rare.take());
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.log_traceback.get()
    }

    fn finalize(this: &Obj<Self>) {
        if let Err(raised) = Self::report_unretrieved(this) {
            raised.unraisable(this.as_any());
        }
    }
}

impl Rare {
    fn made_at(traceback: Object) -> Self {
        Self {
            source_traceback: Some(traceback),
            ..Self::default()
        }
    }

    fn traverse(&self, visit: &mut Visit) {
        self.callbacks
            .iter()
            .for_each(|callback| callback.traverse(visit));
        let objects = [
            &self.cancel_message,
            &self.exception_traceback,
            &self.source_traceback,
            &self.awaited_by,
        ];
        objects
            .into_iter()
            .flatten()
            .for_each(|object| visit.object(object));
    }
}

impl Future {
    /// Tells the loop that nobody has looked at the exception of a future that is going away.
    pub(crate) fn report_unretrieved(this: &Obj<Self>) -> Result<()> {
        if !this.log_traceback.replace(false) {
            return Ok(());
        }
        let name = Str::of(&this.as_any().type_of().attr(&names().__name__)?)?;
        let message = format!("{name} exception was never retrieved").into_object()?;
        let exception = this.outcome.get().unwrap_or_else(none);
        let context = [
            ("message", &message),
            ("exception", &exception),
            ("future", this.as_any()),
        ];
        this.report(&context)
    }

    /// `loop.call_exception_handler` with these entries, and where the future was made.
    pub(crate) fn report(&self, entries: &[(&str, &Object)]) -> Result<()> {
        let context = Object::new_dict()?;
        for (key, value) in entries {
            context.dict_set(&key.into_object()?, value)?;
        }
        if let Some(traceback) = self.source_traceback() {
            context.dict_set(&"source_traceback".into_object()?, &traceback)?;
        }
        self.event_loop()?.call_exception_handler(&context)
    }
}
