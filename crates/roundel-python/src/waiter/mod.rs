//! `Waiter`: what `queue.get()`, `lock.acquire()`, `sleep()` and the like return.
//!
//! One object is the coroutine that is awaited, the future that the task waits for, and the entry in the list
//! of whom to wake. It tries when it is first advanced; if it has to wait it parks: it joins its owner's list
//! and yields itself. Our task stores itself in it; anybody else's finds a future in it (`guests`). Waking it
//! means a step of the task and nothing more.
//!
//! What a waiter is woken with can't get lost: one that is cancelled, thrown into or dropped after it was
//! woken passes its turn on ([`Operation::interrupt`]). As asyncio's futures do, a waiter that was woken or
//! cancelled stays in its owner's list until it runs, so that whoever comes meanwhile finds it there.

mod class;
mod guests;
mod list;
mod time;

use std::cell::{Cell, OnceCell};

use crate::future::cancelled_error;
use crate::future_iterator::thrown;
use crate::hot::{
    Args, HotType, IntoObject, Link, Linked, Next, Obj, Object, Raised, Recent, Result, Sent, Slot,
    Spare, Str, Unary, exceptions, leave_list, none, warn,
};
use crate::task::Task;
use guests::Guest;
pub(crate) use list::{Waiters, WaitersView};

/// What a waiter does: one static for each awaitable method.
pub(crate) struct Operation {
    /// The name of the method, as asyncio's coroutine is called: `Queue.get`.
    pub(crate) name: &'static str,
    /// Tries to finish. Called when the waiter is first advanced and when it was woken.
    pub(crate) poll: fn(&Obj<Waiter>, woken: bool) -> Poll,
    /// Hears that an exception is raised at the await, where the waiter had to wait: it was cancelled, thrown
    /// into, closed or dropped. It is in no list any more. If it was `woken` before, this passes on what it was
    /// woken with. Ends with the exception, unless there is something to be waited for first.
    pub(crate) interrupt: fn(&Obj<Waiter>, woken: bool, exception: &Object) -> Poll,
    /// What `next()` does where there is a short way.
    next: Option<Next<Waiter>>,
}

impl Operation {
    /// An operation with this name, which [tries](Self::poll) like this, and [hears](Self::interrupt) of exceptions so.
    pub(crate) const fn new(
        name: &'static str,
        poll: fn(&Obj<Waiter>, woken: bool) -> Poll,
        interrupt: fn(&Obj<Waiter>, woken: bool, exception: &Object) -> Poll,
    ) -> Self {
        Self {
            name,
            poll,
            interrupt,
            next: None,
        }
    }

    /// Has `next()` ask `short` for the value before it goes the long way. It gives none if the waiter is not new, and has
    /// done nothing then: see [`Waiter::at_once`].
    pub(crate) const fn shortened<F: Unary<Waiter, Option<Object>>>(self, short: F) -> Self {
        Self {
            next: Some(Next::shortened(short, Waiter::go_the_long_way)),
            ..self
        }
    }
}

/// What became of a try.
#[derive(Debug)]
pub(crate) enum Poll {
    /// It is done, with this value.
    Ready(Object),
    /// It has to wait: [`Waiter::park`] was called.
    Parked,
    /// It lets others run once, and is woken at once.
    Yield,
    /// It awaits something else, which wants the task to have this.
    Delegated(Object),
    /// It failed.
    Failed(Raised),
}

impl Poll {
    /// Fails with an exception, in whose context there is what the awaiting code handles just then.
    pub(crate) fn raise(exception: &Object) -> Self {
        Self::Failed(Raised::throw(exception))
    }
}

impl From<Result<Object>> for Poll {
    fn from(result: Result<Object>) -> Self {
        match result {
            Ok(value) => Self::Ready(value),
            Err(raised) => Self::Failed(raised),
        }
    }
}

/// Gives the value, or leaves the function with the exception.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(raised) => return $crate::waiter::Poll::Failed(raised),
        }
    };
}
pub(crate) use attempt;

/// Ends with the exception: nothing has to be passed on.
pub(crate) fn nothing_to_pass_on(_waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    Poll::raise(exception)
}

/// Those that can be advanced come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has awaited it.
    New,
    /// It may go on.
    Woken,
    /// It awaits something else.
    Delegated,
    /// It waits.
    Parked,
    /// Its wait was cancelled.
    Cancelled,
    /// It is over.
    Done,
}

/// Where an operation of several steps is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stage {
    /// Before the wait that it is about.
    #[default]
    Starting,
    /// In that wait.
    Waiting,
    /// After it, but not over.
    Returning,
}

/// What few waiters need.
#[derive(Default)]
struct Rare {
    guests: Vec<Guest>,
    /// The loop that it waits in, as guests ask for it.
    event_loop: Option<Object>,
    /// What `cancel()` was given to say.
    message: Option<Object>,
    /// What it will raise when it has waited for something else.
    error: Option<Object>,
    /// The iterator of what it awaits in place of waiting itself.
    delegate: Option<Object>,
}

/// An awaitable operation on a queue, lock, event …, or of the clock.
pub(crate) struct Waiter {
    operation: &'static Operation,
    /// Never exchanged, so that it can be lent.
    owner: OnceCell<Object>,
    item: Slot,
    /// The task that is stepped by waking this.
    task: Slot<Task>,
    rare: Cell<Option<Box<Rare>>>,
    /// A number for the operation: a delay, a count.
    number: Cell<f64>,
    state: Cell<State>,
    stage: Cell<Stage>,
    /// `_asyncio_future_blocking`: a guest's protocol.
    blocking: Cell<bool>,
    /// The garbage collector knows of it.
    tracked: Cell<bool>,
    link: Link,
}

/// The waiter that was made last. The garbage collector hears of a waiter when it parks, or when it still lives when
/// the next one is made or the loop stops: one that nobody awaits may be part of a cycle.
static RECENT: Recent = Recent::new();

/// For the operations.
impl Waiter {
    /// A waiter for `operation` on `owner`, if there is one, with an item and a number that the operation uses.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn create(
        operation: &'static Operation,
        owner: Option<Object>,
        item: Option<Object>,
        number: f64,
    ) -> Obj<Self> {
        if !RECENT.lives()
            && let Some(spare) = Spare::take()
        {
            let made = spare.fill(Self::new(operation, owner, item, number));
            RECENT.replace(&made);
            return made;
        }
        Self::create_after(operation, owner, item, number)
    }

    /// A waiter that is made when there is no memory for it yet, or the one before still lives.
    #[inline(never)]
    fn create_after(
        operation: &'static Operation,
        owner: Option<Object>,
        item: Option<Object>,
        number: f64,
    ) -> Obj<Self> {
        let made = Obj::create(Self::new(operation, owner, item, number));
        match RECENT.replace(&made) {
            Some(previous) => Self::outlived(&previous),
            None if cfg!(Py_GIL_DISABLED) => Self::track(&made),
            None => {}
        }
        made
    }

    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    fn new(
        operation: &'static Operation,
        owner: Option<Object>,
        item: Option<Object>,
        number: f64,
    ) -> Self {
        Self {
            operation,
            owner: owner.map_or_else(OnceCell::new, OnceCell::from),
            item: Slot::new(item),
            task: Slot::empty(),
            rare: Cell::default(),
            number: Cell::new(number),
            state: Cell::new(State::New),
            stage: Cell::default(),
            blocking: Cell::new(false),
            tracked: Cell::new(false),
            link: Link::new(),
        }
    }

    /// Shows it to the garbage collector: others have been made since, and it still lives.
    #[inline(never)]
    fn outlived(this: &Obj<Self>) {
        if this.owner.get().is_some() || this.item.is_set() {
            Self::track(this);
        }
    }

    /// Shows the last one made to the garbage collector, if it lives.
    pub(crate) fn track_last() {
        if let Some(last) = RECENT.take() {
            Self::track(&last);
        }
    }

    #[inline]
    fn track(this: &Obj<Self>) {
        if !this.tracked.replace(true) {
            this.track();
        }
    }

    /// A waiter for `operation` on `owner`.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn on<T: HotType>(operation: &'static Operation, owner: &Obj<T>) -> Obj<Self> {
        Self::create(operation, Some(owner.as_any().clone()), None, 0.0)
    }

    /// What it waits on.
    #[inline]
    pub(crate) fn owner<T: HotType>(&self) -> &Obj<T> {
        let owner = self.owner.get().and_then(Object::downcast::<T>);
        owner.expect("invariant: made with an owner of this type")
    }

    /// The item of the operation.
    pub(crate) fn item(&self) -> Option<Object> {
        self.item.get()
    }

    /// Changes the item of the operation.
    pub(crate) fn set_item(&self, item: Option<Object>) {
        self.item.set(item);
    }

    /// Takes the item of the operation.
    #[inline]
    pub(crate) fn take_item(&self) -> Option<Object> {
        self.item.take()
    }

    /// The number of the operation.
    pub(crate) fn number(&self) -> f64 {
        self.number.get()
    }

    /// Changes the number of the operation.
    pub(crate) fn set_number(&self, number: f64) {
        self.number.set(number);
    }

    /// As asyncio's coroutine is called.
    pub(crate) fn operation_name(&self) -> &'static str {
        self.operation.name
    }

    /// Where the operation is, if it has several steps.
    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Says where the operation is.
    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// Remembers what to raise when it has waited for something else.
    pub(crate) fn set_error(&self, error: Object) {
        let old = self.rare(|rare| rare.error.replace(error));
        drop(old);
    }

    /// What was to be raised when it has waited for something else.
    #[inline]
    pub(crate) fn take_error(&self) -> Option<Object> {
        self.look(|rare| rare.error.take())
    }

    /// Remembers the iterator of what it awaits in place of waiting itself.
    pub(crate) fn set_delegate(&self, delegate: Object) {
        let old = self.rare(|rare| rare.delegate.replace(delegate));
        drop(old);
    }

    /// The iterator of what it awaits in place of waiting itself.
    pub(crate) fn delegate(&self) -> Option<Object> {
        self.look(|rare| rare.delegate.clone())
    }

    /// Reads and changes what few waiters have. `change` must not run Python code.
    fn rare<R>(&self, change: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = self.rare.take().unwrap_or_default();
        let result = change(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    /// Looks for something that few waiters have.
    #[inline]
    fn look<R>(&self, look: impl FnOnce(&mut Rare) -> Option<R>) -> Option<R> {
        let mut rare = self.rare.take()?;
        let result = look(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    /// Says that it has to wait. The operation has put it into a list, or sees to its waking otherwise.
    #[inline]
    pub(crate) fn park(this: &Obj<Self>) -> Poll {
        this.state.set(State::Parked);
        this.blocking.set(true);
        RECENT.forget(&**this);
        Self::track(this);
        Poll::Parked
    }

    #[inline]
    pub(crate) fn is_parked(&self) -> bool {
        self.state.get() == State::Parked
    }

    /// Whether its wait was cancelled and it has not gone on yet.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.get() == State::Cancelled
    }

    /// Lets it go on, if it waits.
    #[inline]
    pub(crate) fn wake(this: &Obj<Self>) -> Result<()> {
        Self::try_wake(this).map(drop)
    }

    /// Lets it go on; false if it does not wait.
    #[inline]
    fn try_wake(this: &Obj<Self>) -> Result<bool> {
        if this.state.get() != State::Parked {
            return Ok(false);
        }
        this.state.set(State::Woken);
        this.notify(this)
    }

    /// Ends its wait with `CancelledError`; false if it does not wait.
    pub(crate) fn cancel(this: &Obj<Self>, message: Option<&Object>) -> Result<bool> {
        if this.state.get() == State::Done && this.task.is_set() {
            // Somebody has closed the coroutine that a task is in. The task has to step to find out.
            return this.notify(this);
        }
        if this.state.get() != State::Parked {
            return Ok(false);
        }
        this.state.set(State::Cancelled);
        // A condition's wait goes on after a cancellation, and can be cancelled again without a message.
        if message.is_some() || this.message().is_some() {
            this.rare(|rare| rare.message = message.cloned());
        }
        this.notify(this)
    }

    /// Tells who waits, a task of ours or the guests; false for a guest's future that was done already.
    #[inline]
    fn notify(&self, this: &Obj<Self>) -> Result<bool> {
        match self.task.take() {
            Some(task) => Task::schedule_step(&task).map(|()| true),
            None => self.notify_guests(this),
        }
    }

    /// Has `task`, one of ours, stepped when this is woken.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(crate) fn park_task(this: &Obj<Self>, task: &Obj<Task>) -> Result<()> {
        this.blocking.set(false);
        if this.state.get() == State::Parked {
            this.task.set(Some(task.clone()));
            return Ok(());
        }
        // It was woken, or dealt with by somebody else, before its task could be told.
        Self::step_now(task)
    }

    #[cold]
    fn step_now(task: &Obj<Task>) -> Result<()> {
        Task::schedule_step(task)
    }
}

/// As a coroutine.
impl Waiter {
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn advance(this: &Obj<Self>) -> Sent {
        let state = this.state.get();
        if !matches!(state, State::New | State::Woken | State::Delegated) {
            return this.cannot_try(this);
        }
        match (this.operation.poll)(this, state != State::New) {
            Poll::Ready(value) => {
                this.state.set(State::Done);
                Sent::Returned(value)
            }
            Poll::Parked => Sent::Yielded(this.as_any().clone()),
            poll => this.settle(this, poll),
        }
    }

    /// `next()` where the short way has led nowhere. Not cold, but said to be: else the short way would be to the compiler,
    /// since it ends after many questions.
    #[cold]
    #[inline(never)]
    fn go_the_long_way(this: &Obj<Self>) -> Sent {
        Self::advance(this)
    }

    /// Is done with what `short` gives, if it is new and that is something.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    pub(crate) fn at_once(&self, short: impl FnOnce() -> Option<Object>) -> Option<Object> {
        if self.state.get() != State::New {
            return None;
        }
        let value = short()?;
        self.state.set(State::Done);
        Some(value)
    }

    #[cold]
    fn cannot_try(&self, this: &Obj<Self>) -> Sent {
        match self.state.get() {
            State::Parked => Self::misused("await wasn't used with future"),
            State::Done => Self::misused("cannot reuse already awaited coroutine"),
            _ => self.raise_cancelled(this),
        }
    }

    /// Does what follows from a try.
    #[inline(never)]
    fn settle(&self, this: &Obj<Self>, poll: Poll) -> Sent {
        let (state, sent) = match poll {
            Poll::Parked => return Sent::Yielded(this.as_any().clone()),
            Poll::Ready(value) => (State::Done, Sent::Returned(value)),
            Poll::Yield => (State::Woken, Sent::Yielded(none())),
            Poll::Delegated(awaited) => (State::Delegated, Sent::Yielded(awaited)),
            Poll::Failed(raised) => (State::Done, Sent::Raised(raised)),
        };
        self.state.set(state);
        sent
    }

    #[cold]
    fn raise_cancelled(&self, this: &Obj<Self>) -> Sent {
        match cancelled_error(self.message().as_ref()) {
            Ok(error) => self.raise_at_await(this, &error),
            Err(raised) => Sent::Raised(raised),
        }
    }

    /// Raises an exception where it is awaited, wherever the operation is.
    fn raise_at_await(&self, this: &Obj<Self>, exception: &Object) -> Sent {
        let woken = match self.state.get() {
            State::Done => return Self::misused("cannot reuse already awaited coroutine"),
            State::New => {
                self.state.set(State::Done);
                return Sent::Raised(Raised::throw(exception));
            }
            state => state == State::Woken,
        };
        // The list's reference to it.
        drop(leave_list(this));
        self.settle(this, (self.operation.interrupt)(this, woken, exception))
    }

    #[cold]
    fn misused(text: &str) -> Sent {
        Sent::Raised(Raised::new(&exceptions::runtime_error(), text))
    }

    fn throw(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        let exception = thrown(args)?.fetch();
        this.raise_at_await(this, &exception).into_object()
    }

    /// Ends it without success, wherever it is.
    fn close(this: &Obj<Self>) -> Result<()> {
        if matches!(this.state.get(), State::New | State::Done) {
            this.state.set(State::Done);
            return Ok(());
        }
        let exit = exceptions::generator_exit();
        match this.raise_at_await(this, &exit.call([])?) {
            Sent::Returned(_) => Ok(()),
            Sent::Raised(raised) if raised.matches(&exit) => {
                raised.clear();
                Ok(())
            }
            Sent::Raised(raised) => Err(raised),
            Sent::Yielded(_) => {
                drop(leave_list(this));
                this.state.set(State::Done);
                let text = "coroutine ignored GeneratorExit";
                Err(Raised::new(&exceptions::runtime_error(), text))
            }
        }
    }

    #[cold]
    fn warn_unawaited(&self) -> Result<()> {
        self.state.set(State::Done);
        let text = format!("coroutine '{}' was never awaited", self.operation.name);
        let text = std::ffi::CString::new(text).unwrap_or_default();
        warn(&exceptions::runtime_warning(), &text, 1)
    }

    fn method_name(&self) -> &'static str {
        let name = self.operation.name;
        name.rsplit_once('.').map_or(name, |(_, method)| method)
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let state = match this.state.get() {
            State::New => "new",
            State::Parked | State::Delegated => "pending",
            State::Woken => "woken",
            State::Cancelled => "cancelled",
            State::Done => "finished",
        };
        let name = this.operation.name;
        let on = match this.owner.get() {
            Some(owner) => format!(" on {}", Str::repr(owner)?),
            None => String::new(),
        };
        format!("<Waiter {state} {name}(){on}>").into_object()
    }
}

impl Linked for Waiter {
    fn link(&self) -> &Link {
        &self.link
    }
}
