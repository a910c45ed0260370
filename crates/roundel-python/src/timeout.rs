//! `Timeout`: a time limit for a block of code.
//!
//! When the time has come it cancels the task that is in the block; when the block is left by that
//! cancellation, it makes a `TimeoutError` of it. Other cancellations it lets pass.

use std::cell::Cell;

use crate::callback::{Action, Callback};
use crate::current;
use crate::future_ref::{cancel, cancelling, uncancel};
use crate::hot::{
    Args, Class, Entered, Float, HotType, IntoObject, Module, Obj, Object, Raised, Result,
    Signature, Slot, Str, TypeCell, Visit, copy_context, exceptions, is_instance_of, none,
};
use crate::locks::ready;
use crate::loop_ref::{self, LoopRef};
use crate::names::names;
use crate::task::Task;
use crate::waiter::{Operation, Poll, Waiter, attempt, nothing_to_pass_on};

/// Where a time limit is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Created,
    Entered,
    Expiring,
    Expired,
    Exited,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Entered => "active",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Exited => "finished",
        }
    }
}

/// A time limit (`asyncio.Timeout`).
#[derive(Default)]
pub(crate) struct Timeout {
    state: Cell<State>,
    /// In seconds of the loop's clock, as it was given; nothing for no limit.
    when: Slot,
    timer: Slot,
    /// The task in the block.
    task: Slot,
    /// How often that task had been asked to cancel when it entered.
    cancelling: Cell<i64>,
}

static ENTER: Operation = Operation::new(
    "Timeout.__aenter__",
    |waiter, _| {
        let timeout = waiter.owner::<Timeout>();
        attempt!(Timeout::enter(timeout));
        Poll::Ready(timeout.as_any().clone())
    },
    nothing_to_pass_on,
);

static EXIT: Operation = Operation::new(
    "Timeout.__aexit__",
    |waiter, _| {
        let left = Timeout::leave(waiter.owner(), waiter.item().as_ref());
        left.map(|()| none()).into()
    },
    nothing_to_pass_on,
);

static EXPIRE: Action = Action {
    name: "Timeout._on_timeout",
    run: |callback, _| match callback.owner::<Timeout>() {
        Some(timeout) => timeout.expire(),
        None => Ok(()),
    },
};

impl Timeout {
    /// A limit at a time of the loop's clock.
    #[inline]
    pub(crate) fn at(when: Option<Object>) -> Obj<Self> {
        let timeout = Self {
            when: Slot::new(when),
            ..Self::default()
        };
        Obj::create(timeout)
    }

    /// A limit that is `delay` seconds from now.
    pub(crate) fn after(delay: Option<&Object>) -> Result<Obj<Self>> {
        let event_loop = LoopRef::running()?;
        let Some(delay) = delay else {
            return Ok(Self::at(None));
        };
        let now = event_loop.time()?;
        let when = match Float::plain(delay) {
            Some(delay) => (now + delay).into_object()?,
            None => now.into_object()?.plus(delay)?,
        };
        Ok(Self::at(Some(when)))
    }

    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> = Signature::method("Timeout.__init__", [c"when"]);
        let [when] = SIGNATURE.bind(args)?;
        this.when.set(when.and_then(Object::not_none).cloned());
        Ok(())
    }

    /// Begins the block.
    pub(crate) fn enter(this: &Obj<Self>) -> Result<()> {
        let refuse = |text| Err(Raised::new(&exceptions::runtime_error(), text));
        if this.state.get() != State::Created {
            return refuse("Timeout has already been entered");
        }
        let event_loop = LoopRef::running()?;
        let Some(task) = current::task(&event_loop)? else {
            return refuse("Timeout should be used inside a task");
        };
        this.state.set(State::Entered);
        this.cancelling.set(cancelling(&task)?);
        this.task.set(Some(task));
        this.arm(this, &event_loop)
    }

    /// Has the loop expire it when the time has come.
    fn arm(&self, this: &Obj<Self>, event_loop: &LoopRef) -> Result<()> {
        let Some(when) = self.when.get() else {
            return Ok(());
        };
        let now = event_loop.time()?;
        let callback = Callback::on(&EXPIRE, this);
        let is_due = match Float::plain(&when) {
            Some(when) => when <= now,
            None => when.less_or_equal(&now.into_object()?)?,
        };
        let timer = if is_due {
            event_loop.call_soon_handle(callback.as_any())?
        } else {
            event_loop.alarm_at(Float::of(&when)?, callback)?
        };
        self.timer.set(Some(timer));
        Ok(())
    }

    fn disarm(&self) -> Result<()> {
        match self.timer.take() {
            Some(timer) => loop_ref::disarm(&timer),
            None => Ok(()),
        }
    }

    /// The time has come.
    fn expire(&self) -> Result<()> {
        check(self.state.get() == State::Entered)?;
        if let Some(task) = self.task.get() {
            cancel_in_context(&task)?;
        }
        self.state.set(State::Expiring);
        self.timer.set(None);
        Ok(())
    }

    /// Ends the block, which `exception` leaves, or an exception of this type.
    ///
    /// Raises `TimeoutError` if it was this limit that cancelled it.
    pub(crate) fn leave(this: &Obj<Self>, exception: Option<&Object>) -> Result<()> {
        let expired = this.state.get() == State::Expiring;
        check(expired || this.state.get() == State::Entered)?;
        this.disarm()?;
        if !expired {
            this.state.set(State::Exited);
            this.task.set(None);
            return Ok(());
        }
        this.state.set(State::Expired);
        let Some(task) = this.task.take() else {
            return Ok(());
        };
        let mine = uncancel(&task)? <= this.cancelling.get();
        match exception {
            Some(exception) if mine => timed_out(exception),
            _ => Ok(()),
        }
    }

    fn reschedule(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> = Signature::method("Timeout.reschedule", [c"when"]);
        let [when] = SIGNATURE.bind(args)?;
        let text = match this.state.get() {
            State::Entered => {
                this.when.set(when.and_then(Object::not_none).cloned());
                this.disarm()?;
                if !this.when.is_set() {
                    return Ok(());
                }
                return this.arm(this, &LoopRef::running()?);
            }
            State::Created => String::from("Timeout has not been entered"),
            other => format!("Cannot change state of {} Timeout", other.name()),
        };
        Err(Raised::new(&exceptions::runtime_error(), text))
    }

    /// A block that is left in time is left at once: there is nothing to wait for.
    #[inline]
    fn aexit(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<3> =
            Signature::method("Timeout.__aexit__", [c"exc_type", c"exc_val", c"exc_tb"]);
        let [kind, exception, _] = SIGNATURE.bind(args)?;
        if this.state.get() == State::Entered {
            Self::leave(this, None)?;
            return Ok(ready());
        }
        let exception = exception.and_then(Object::not_none);
        let left_by = exception.or(kind.and_then(Object::not_none)).cloned();
        Ok(Waiter::create(&EXIT, Some(this.as_any().clone()), left_by, 0.0).into_any())
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let state = this.state.get().name();
        if this.state.get() != State::Entered {
            return format!("<Timeout [{state}]>").into_object();
        }
        let when = match this.when.get() {
            Some(when) => names().round.call([&when, &3_i64.into_object()?])?,
            None => none(),
        };
        format!("<Timeout [{state}] when={}>", Str::of(&when)?).into_object()
    }
}

/// Cancels a task from outside. What it awaits may be somebody's own, whose `cancel()` runs in a copy of its context.
fn cancel_in_context(task: &Object) -> Result<()> {
    let context = match task.downcast_exact::<Task>() {
        Some(own) => own.copy_context()?,
        None => copy_context()?,
    };
    let _entered = Entered::new(&context)?;
    cancel(task, None).map(drop)
}

fn check(condition: bool) -> Result<()> {
    if condition {
        Ok(())
    } else {
        Err(Raised::throw(&exceptions::assertion_error()))
    }
}

/// What becomes of the exception, or type of one, that leaves a block whose time was up.
#[cold]
fn timed_out(exception: &Object) -> Result<()> {
    if is_instance_of(exception, &names().cancelled_error) {
        return Err(timeout_error_from(exception)?);
    }
    if !exception.is_exception() {
        return Ok(());
    }
    insert_timeout_error(exception)?;
    if exception.is_instance(&names().exception_group)? {
        for part in exception.attr(&names().exceptions)?.to_vec()? {
            insert_timeout_error(&part)?;
        }
    }
    Ok(())
}

/// Raises `TimeoutError` with `cause` as its cause and context.
pub(crate) fn timeout_error_from(cause: &Object) -> Result<Raised> {
    let error = exceptions::timeout_error().call([])?;
    if cause.is_exception() {
        error.set_cause(cause);
        return Ok(Raised::restore(error));
    }
    error.suppress_context();
    Ok(Raised::throw(&error))
}

/// Says in the context of another exception that there was a timeout, not a cancellation.
fn insert_timeout_error(exception: &Object) -> Result<()> {
    let mut outer = exception.clone();
    while let Some(context) = outer.context() {
        if is_instance_of(&context, &names().cancelled_error) {
            let error = exceptions::timeout_error().call([])?;
            error.set_cause(&context);
            outer.set_context(&error);
            return Ok(());
        }
        outer = context;
    }
    Ok(())
}

/// Adds `timeout`, `timeout_at` and `Timeout` to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module
        .class::<Timeout>()?
        .function(
            c"timeout",
            c"timeout(delay)\n--\n\nLimit the time of an async with block to delay seconds; None for no limit.\n\nRaises:\n    TimeoutError: at the end of a block that took longer, which is cancelled.",
            |args: &Args<'_>| {
                static SIGNATURE: Signature<1> = Signature::function("timeout", [c"delay"]);
                let [delay] = SIGNATURE.bind(args)?;
                Timeout::after(delay.and_then(Object::not_none))
            },
        )?
        .function(
            c"timeout_at",
            c"timeout_at(when)\n--\n\nLimit an async with block to last until when, a time of loop.time(); None for no limit.\n\nRaises:\n    TimeoutError: at the end of a block that took longer, which is cancelled.",
            |args: &Args<'_>| {
                static SIGNATURE: Signature<1> = Signature::function("timeout_at", [c"when"]);
                let [when] = SIGNATURE.bind(args)?;
                Ok::<_, Raised>(Timeout::at(when.and_then(Object::not_none).cloned()))
            },
        )?;
    Ok(())
}

impl HotType for Timeout {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Timeout";
    const FREELIST: usize = 256;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Timeout(when)\n--\n\nA time limit for an async with block, made by timeout() or timeout_at() (asyncio.Timeout).")
            .poses_as(|| names().timeout.clone())
            .init(Self::init)
            .method0(
                c"when",
                c"when($self, /)\n--\n\nReturn the deadline, a time of loop.time(); None if there is none.",
                |this: &Obj<Self>| this.when.get(),
            )
            .method(
                c"reschedule",
                c"reschedule($self, /, when)\n--\n\nMove the deadline; None removes it.\n\nRaises:\n    RuntimeError: the block has not been entered, or is over, or timed out.",
                Self::reschedule,
            )
            .method0(
                c"expired",
                c"expired($self, /)\n--\n\nReturn True if the time was up before the block was left.",
                |this: &Obj<Self>| matches!(this.state.get(), State::Expiring | State::Expired),
            )
            .method0(
                c"__aenter__",
                c"__aenter__($self, /)\n--\n\nBegin the block.",
                |this: &Obj<Self>| Waiter::on(&ENTER, this),
            )
            .method(
                c"__aexit__",
                c"__aexit__($self, /, exc_type, exc_val, exc_tb)\n--\n\nEnd the block.",
                Self::aexit,
            )
            .repr(Self::repr);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.when);
        visit.slot(&self.timer);
        visit.slot(&self.task);
    }

    fn clear(&self) {
        self.timer.set(None);
        self.task.set(None);
    }
}
