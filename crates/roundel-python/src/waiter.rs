//! `Waiter`: what `queue.get()`, `lock.acquire()`, `sleep()` and the like return.
//!
//! One object is the coroutine that is awaited, the future that the task waits for, and the entry in the list
//! of whom to wake. It tries when it is first advanced; if it has to wait it parks: it links itself into its
//! owner's list and yields itself. Our task stores itself in it; anybody else's finds a future in it. Waking it
//! means a step of the task and nothing more.
//!
//! What a waiter is woken with can't get lost: one that is cancelled, thrown into or dropped after it was
//! woken passes its turn on ([`Operation::abandon`]).

use std::cell::Cell;

use crate::event_loop::EventLoop;
use crate::future::{cancel_args, cancelled_error};
use crate::future_iterator::thrown;
use crate::hot::{
    Args, Class, HotType, IntoObject, Link, Linked, Obj, Object, Raised, Result, Sent, Signature,
    Slot, Str, TypeCell, Visit, boolean, exceptions, none,
};
use crate::job::Job;
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::task::Task;

/// What a waiter does: one static for each awaitable method.
pub(crate) struct Operation {
    /// The name of the method, as asyncio's coroutine is called: `Queue.get`.
    pub(crate) name: &'static str,
    /// Tries to finish. Called when the waiter is first advanced and when it was woken.
    pub(crate) poll: fn(&Obj<Waiter>, woken: bool) -> Poll,
    /// Hears that the waiter, which had parked, ends without success: it was cancelled, or `woken` and then
    /// thrown into or dropped. It is in no list any more. Passes on what it was woken with.
    pub(crate) abandon: fn(&Obj<Waiter>, woken: bool) -> Result<()>,
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
    /// It failed.
    Failed(Raised),
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

/// Nothing has to be passed on.
pub(crate) fn nothing_to_pass_on(_waiter: &Obj<Waiter>, _woken: bool) -> Result<()> {
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has awaited it.
    New,
    /// It waits.
    Parked,
    /// It may go on.
    Woken,
    /// Its wait was cancelled.
    Cancelled,
    /// It is over.
    Done,
}

/// Who waits, when that is not one of our tasks: what a future knows of its callbacks.
struct Guest {
    event_loop: LoopRef,
    callback: Object,
    context: Object,
}

/// What few waiters need.
#[derive(Default)]
struct Rare {
    guests: Vec<Guest>,
    /// The loop that it waits in, as guests ask for it.
    event_loop: Option<Object>,
    /// What `cancel()` was given to say.
    message: Option<Object>,
}

/// An awaitable operation on a queue, lock, event …, or of the clock.
pub(crate) struct Waiter {
    operation: &'static Operation,
    owner: Slot,
    item: Slot,
    /// The task that is stepped by waking this.
    task: Slot<Task>,
    rare: Cell<Option<Box<Rare>>>,
    /// A number for the operation: a delay, a count.
    number: Cell<f64>,
    state: Cell<State>,
    /// `_asyncio_future_blocking`: a guest's protocol.
    blocking: Cell<bool>,
    link: Link,
}

/// For the operations.
impl Waiter {
    /// A waiter for `operation` on `owner`, if there is one, with an item and a number that the operation uses.
    #[inline(always)]
    pub(crate) fn create(
        operation: &'static Operation,
        owner: Option<Object>,
        item: Option<Object>,
        number: f64,
    ) -> Obj<Self> {
        Obj::create(Self {
            operation,
            owner: Slot::new(owner),
            item: Slot::new(item),
            task: Slot::empty(),
            rare: Cell::new(None),
            number: Cell::new(number),
            state: Cell::new(State::New),
            blocking: Cell::new(false),
            link: Link::new(),
        })
    }

    /// A waiter for `operation` on `owner`.
    #[inline(always)]
    pub(crate) fn on<T: HotType>(operation: &'static Operation, owner: &Obj<T>) -> Obj<Self> {
        Self::create(operation, Some(owner.as_any().clone()), None, 0.0)
    }

    /// What it waits on.
    #[inline]
    pub(crate) fn owner<T: HotType>(&self) -> Obj<T> {
        let owner = self.owner.get();
        let owner = owner.as_ref().and_then(Object::downcast::<T>);
        owner
            .expect("invariant: made with an owner of this type")
            .clone()
    }

    /// The item of the operation.
    pub(crate) fn item(&self) -> Option<Object> {
        self.item.get()
    }

    /// Changes what it waits on.
    pub(crate) fn set_owner(&self, owner: Option<Object>) {
        self.owner.set(owner);
    }

    /// Reads and changes what few waiters have. `change` must not run Python code.
    fn rare<R>(&self, change: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = self.rare.take().unwrap_or_default();
        let result = change(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    /// Changes the item of the operation.
    pub(crate) fn set_item(&self, item: Option<Object>) {
        self.item.set(item);
    }

    /// The number of the operation.
    pub(crate) fn number(&self) -> f64 {
        self.number.get()
    }

    /// Changes the number of the operation.
    pub(crate) fn set_number(&self, number: f64) {
        self.number.set(number);
    }

    /// Says that it has to wait. The operation has put it into a list, or sees to its waking otherwise.
    #[inline]
    pub(crate) fn park(this: &Obj<Self>) -> Poll {
        this.state.set(State::Parked);
        this.blocking.set(true);
        this.track();
        Poll::Parked
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.state.get() == State::Parked
    }

    /// Whether it was woken and has not gone on yet.
    pub(crate) fn is_woken(&self) -> bool {
        self.state.get() == State::Woken
    }

    /// Lets it go on, if it waits.
    #[inline]
    pub(crate) fn wake(this: &Obj<Self>) -> Result<()> {
        if this.state.get() == State::Parked {
            this.state.set(State::Woken);
            return this.notify(this);
        }
        Ok(())
    }

    /// Ends its wait with `CancelledError`; false if it does not wait.
    pub(crate) fn cancel(this: &Obj<Self>, message: Option<&Object>) -> Result<bool> {
        if this.state.get() != State::Parked {
            return Ok(false);
        }
        this.state.set(State::Cancelled);
        if let Some(message) = message {
            this.rare(|rare| rare.message = Some(message.clone()));
        }
        Self::unlink(this);
        (this.operation.abandon)(this, false)?;
        this.notify(this)?;
        Ok(true)
    }

    fn unlink(this: &Obj<Self>) {
        // The list's reference to it.
        drop(crate::hot::leave_list(this));
    }

    /// Tells who waits: a task of ours, or the guests.
    #[inline]
    fn notify(&self, this: &Obj<Self>) -> Result<()> {
        if let Some(task) = self.task.take() {
            return Task::schedule_step(&task);
        }
        let Some(rare) = self.rare.take() else {
            return Ok(());
        };
        let Rare {
            guests,
            event_loop,
            message,
        } = *rare;
        if event_loop.is_some() || message.is_some() {
            self.rare.set(Some(Box::new(Rare {
                guests: Vec::new(),
                event_loop,
                message,
            })));
        }
        for guest in guests {
            guest.event_loop.call_soon(
                &guest.callback,
                &[this.as_any().clone()],
                &guest.context,
            )?;
        }
        Ok(())
    }

    /// Has `task`, one of ours, stepped when this is woken.
    #[inline]
    pub(crate) fn park_task(this: &Obj<Self>, task: &Obj<Task>) -> Result<()> {
        this.blocking.set(false);
        if this.state.get() == State::Parked {
            this.task.set(Some(task.clone()));
            return Ok(());
        }
        // It was woken, or dealt with by somebody else, before its task could be told.
        Task::schedule_step(task)
    }
}

/// As a coroutine.
impl Waiter {
    #[inline]
    fn advance(this: &Obj<Self>) -> Sent {
        let woken = match this.state.get() {
            State::New => false,
            State::Woken => true,
            State::Parked => return Self::misused("await wasn't used with future"),
            State::Done => return Self::misused("cannot reuse already awaited coroutine"),
            State::Cancelled => return this.cancelled(),
        };
        match (this.operation.poll)(this, woken) {
            Poll::Ready(value) => {
                this.state.set(State::Done);
                Sent::Returned(value)
            }
            Poll::Parked => Sent::Yielded(this.as_any().clone()),
            Poll::Yield => {
                this.state.set(State::Woken);
                Sent::Yielded(none())
            }
            Poll::Failed(raised) => {
                this.state.set(State::Done);
                Sent::Raised(raised)
            }
        }
    }

    #[cold]
    fn cancelled(&self) -> Sent {
        self.state.set(State::Done);
        let message = self.rare.take().and_then(|rare| rare.message);
        match cancelled_error(message.as_ref()) {
            Ok(error) => Sent::Raised(Raised::throw(&error)),
            Err(raised) => Sent::Raised(raised),
        }
    }

    #[cold]
    fn misused(text: &str) -> Sent {
        Sent::Raised(Raised::new(&exceptions::runtime_error(), text))
    }

    fn throw(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        let exception = thrown(args)?.fetch();
        Self::end(this)?;
        Err(Raised::restore(exception))
    }

    /// Ends it without success, wherever it is.
    fn end(this: &Obj<Self>) -> Result<()> {
        let state = this.state.replace(State::Done);
        Self::unlink(this);
        match state {
            State::Parked => (this.operation.abandon)(this, false),
            State::Woken => (this.operation.abandon)(this, true),
            State::New | State::Cancelled | State::Done => Ok(()),
        }
    }
}

/// As a future, for tasks that are not ours.
impl Waiter {
    /// The loop that it parked in.
    fn loop_ref(&self) -> Result<LoopRef> {
        if let Some(event_loop) = self.rare(|rare| rare.event_loop.clone()) {
            return Ok(LoopRef::of(&event_loop));
        }
        let event_loop = LoopRef::running()?;
        self.rare(|rare| rare.event_loop = Some(event_loop.object().clone()));
        Ok(event_loop)
    }

    fn add_done_callback(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> =
            Signature::method("Future.add_done_callback", [c"fn", c"context"])
                .required(1)
                .positional(1);
        let [callback, context] = SIGNATURE.bind(args)?;
        let callback = callback.expect("invariant: a required parameter is bound");
        let context = match context.and_then(Object::not_none) {
            Some(context) => context.clone(),
            None => crate::hot::copy_context()?,
        };
        let event_loop = this.loop_ref()?;
        if !this.is_parked() {
            return event_loop.call_soon(callback, &[this.as_any().clone()], &context);
        }
        let guest = Guest {
            event_loop,
            callback: callback.clone(),
            context,
        };
        this.rare(|rare| rare.guests.push(guest));
        Ok(())
    }

    fn remove_done_callback(this: &Obj<Self>, callback: &Object) -> Result<usize> {
        let (mut kept, mut removed) = (Vec::new(), 0);
        for guest in this.rare(|rare| std::mem::take(&mut rare.guests)) {
            if guest.callback.equals(callback)? {
                removed += 1;
            } else {
                kept.push(guest);
            }
        }
        this.rare(|rare| {
            kept.append(&mut rare.guests);
            rare.guests = kept;
        });
        Ok(removed)
    }

    /// What a guest's wake-up asks: raises if the wait was cancelled.
    fn result(this: &Obj<Self>) -> Result<()> {
        match this.state.get() {
            State::New | State::Parked => Err(Raised::new(
                &names().invalid_state_error,
                "Result is not set.",
            )),
            State::Cancelled => match this.cancelled() {
                Sent::Raised(raised) => Err(raised),
                Sent::Yielded(_) | Sent::Returned(_) => Ok(()),
            },
            State::Woken | State::Done => Ok(()),
        }
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let state = match this.state.get() {
            State::New => "new",
            State::Parked => "pending",
            State::Woken => "woken",
            State::Cancelled => "cancelled",
            State::Done => "finished",
        };
        let name = this.operation.name;
        let on = match this.owner.get() {
            Some(owner) => format!(" on {}", Str::repr(&owner)?),
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

impl HotType for Waiter {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Waiter";
    const FREELIST: usize = 1024;
    /// Most never park, and one that has not is in no cycle.
    const TRACKED: bool = false;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"An awaitable operation, as asyncio's coroutine methods return.")
            .coroutine(Self::advance)
            .method(
                c"throw",
                c"throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception at the await.",
                Self::throw,
            )
            .method0(
                c"close",
                c"close($self, /)\n--\n\nEnd the operation.",
                Self::end,
            )
            .repr(Self::repr);
        declare_future(class);
        declare_introspection(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.owner);
        visit.slot(&self.item);
        visit.slot(&self.task);
        let Some(rare) = self.rare.take() else { return };
        for guest in &rare.guests {
            visit.object(guest.event_loop.object());
            visit.object(&guest.callback);
            visit.object(&guest.context);
        }
        [&rare.event_loop, &rare.message]
            .into_iter()
            .flatten()
            .for_each(|held| visit.object(held));
        self.rare.set(Some(rare));
    }

    fn clear(&self) {
        self.item.set(None);
        self.task.set(None);
        drop(self.rare.take());
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        matches!(this.state.get(), State::New | State::Woken)
    }

    fn finalize(this: &Obj<Self>) {
        let ended = match this.state.get() {
            State::New => this.warn_unawaited(),
            _ => Self::end(this),
        };
        if let Err(raised) = ended {
            raised.unraisable(this.as_any());
        }
    }
}

impl Waiter {
    #[cold]
    fn warn_unawaited(&self) -> Result<()> {
        self.state.set(State::Done);
        let text = format!("coroutine '{}' was never awaited", self.operation.name);
        let text = std::ffi::CString::new(text).unwrap_or_default();
        crate::hot::warn(&exceptions::runtime_warning(), &text, 1)
    }
}

fn declare_future(class: &mut Class<Waiter>) {
    class
        .method(
            c"add_done_callback",
            c"add_done_callback($self, fn, /, *, context=None)\n--\n\nHave the loop call fn(waiter) when the wait is over.",
            Waiter::add_done_callback,
        )
        .method1(
            c"remove_done_callback",
            c"remove_done_callback($self, fn, /)\n--\n\nRemove all callbacks equal to fn; return how many there were.",
            Waiter::remove_done_callback,
        )
        .method(
            c"cancel",
            c"cancel($self, /, msg=None)\n--\n\nCancel the wait; return False if it is over.",
            |this: &Obj<Waiter>, args: &Args<'_>| {
                Waiter::cancel(this, cancel_args("Future.cancel", args)?)
            },
        )
        .method0(
            c"result",
            c"result($self, /)\n--\n\nRaise CancelledError if the wait was cancelled.",
            Waiter::result,
        )
        .method0(
            c"done",
            c"done($self, /)\n--\n\nReturn True if the wait is over.",
            |this: &Obj<Waiter>| !matches!(this.state.get(), State::New | State::Parked),
        )
        .method0(
            c"cancelled",
            c"cancelled($self, /)\n--\n\nReturn True if the wait was cancelled.",
            |this: &Obj<Waiter>| this.state.get() == State::Cancelled,
        )
        .method0(
            c"get_loop",
            c"get_loop($self, /)\n--\n\nReturn the event loop that the wait is in.",
            |this: &Obj<Waiter>| this.loop_ref().map(|event_loop| event_loop.object().clone()),
        )
        .method1(
            c"_wake",
            c"_wake($self, arg, /)\n--\n\nEnd the wait; for loops that are not roundel's.",
            |this: &Obj<Waiter>, _: &Object| Waiter::wake(this),
        )
        .property(
            c"_asyncio_future_blocking",
            // Before it parks it is no future: `isfuture` must say so, or `ensure_future` takes it for one.
            |this: &Obj<Waiter>| match this.state.get() {
                State::New => none(),
                _ => boolean(this.blocking.get()),
            },
            |this: &Obj<Waiter>, value: &Object| {
                this.blocking.set(value.truth()?);
                Ok(())
            },
        );
}

fn declare_introspection(class: &mut Class<Waiter>) {
    class
        .getter(c"__name__", |this: &Obj<Waiter>| this.method_name())
        .getter(c"__qualname__", |this: &Obj<Waiter>| this.operation.name)
        .getter(c"_operation", |this: &Obj<Waiter>| this.method_name())
        .getter(c"_owner", |this: &Obj<Waiter>| this.owner.get())
        .getter(c"cr_running", |_: &Obj<Waiter>| false)
        .getter(c"cr_frame", |_: &Obj<Waiter>| none())
        .getter(c"cr_await", |_: &Obj<Waiter>| none());
}

impl Waiter {
    fn method_name(&self) -> &'static str {
        let name = self.operation.name;
        name.rsplit_once('.').map_or(name, |(_, method)| method)
    }

    /// Has the loop wake it after so many seconds. Its owner is the loop from then on, or a foreign loop's timer.
    pub(crate) fn wake_later(this: &Obj<Self>, event_loop: &LoopRef, delay: f64) -> Result<()> {
        match event_loop {
            LoopRef::Native(native) => {
                this.owner.set(Some(native.as_any().clone()));
                native.schedule_at(native.time()? + delay, Job::Wake(this.clone()))
            }
            LoopRef::Foreign(foreign) => {
                let wake = this.as_any().attr(&names()._wake)?;
                let args = [&delay.into_object()?, &wake, &none()];
                let timer = foreign.call_method(&names().call_later, args)?;
                this.owner.set(Some(timer));
                Ok(())
            }
        }
    }

    /// Takes back what [`wake_later`](Self::wake_later) has arranged.
    pub(crate) fn forget_timer(&self) -> Result<()> {
        let Some(owner) = self.owner.get() else {
            return Ok(());
        };
        match owner.downcast::<EventLoop>() {
            Some(native) => native.timer_cancelled(),
            None => {
                owner.call_method(&names().cancel, [])?;
            }
        }
        Ok(())
    }
}
