//! `Coroutine`: an `async def` written in Rust, for what awaits more than once.
//!
//! A [`Script`] is what remains of an `async def` when its awaits are taken apart: a struct for what it remembers,
//! and one function that goes on from wherever it is, with what the last await came to, up to the next.
//! `Coroutine` is the rest, the same for all: it starts when it is first advanced, hands on what is sent, thrown
//! and closed to what it awaits, refuses to be used twice, and warns when nobody awaited it.
//!
//! ```text
//!   async def f(x):                 fn resume(this, came: Result<Object>) -> Result<Step> {
//!       y = await x                     match this.phase.replace(…) {
//!       return await y                      Start => Ok(Step::Await(this.x…)),
//!                                           First => Ok(Step::Await(came?)),
//!                                           Second => came.map(Step::Return),
//! ```

use std::cell::Cell;
use std::ffi::{CStr, CString};

use crate::future_iterator::thrown;
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Sent, Slot, TypeCell, Visit,
    await_iterator, exceptions, none, send, throw_into,
};
use crate::names::names;

/// What a native coroutine remembers, and how it goes on.
pub(crate) trait Script: Sized + 'static {
    /// As asyncio's coroutine function is called: `TaskGroup.__aexit__`.
    const NAME: &'static str;
    /// The full name of the coroutine's type.
    const TYPE_NAME: &'static CStr;

    /// Where the type object is kept: a static of the implementing module.
    fn cell() -> &'static TypeCell;

    /// Goes on to the next await or to the end. `came` is what the last await came to; `None` the first time.
    fn resume(this: &Obj<Coroutine<Self>>, came: Result<Object>) -> Result<Step>;

    /// Shows every reference it owns to the garbage collector.
    fn traverse(&self, visit: &mut Visit);

    /// Gives up the references that can be part of a cycle. Called at the end, too.
    fn clear(&self);
}

/// How a script goes on.
#[derive(Debug)]
pub(crate) enum Step {
    /// It awaits this.
    Await(Object),
    /// It is done, with this value.
    Return(Object),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has awaited it.
    New,
    /// It waits.
    Suspended,
    /// Its script has the floor, or what it awaits.
    Running,
    /// It is over.
    Done,
}

/// A coroutine that runs a script.
pub(crate) struct Coroutine<S> {
    /// What the script remembers.
    pub(crate) script: S,
    /// The iterator of what it awaits.
    awaited: Slot,
    state: Cell<State>,
}

impl<S: Script> Coroutine<S> {
    /// A coroutine that has not started.
    #[inline]
    pub(crate) fn create(script: S) -> Obj<Self> {
        Obj::create(Self {
            script,
            awaited: Slot::empty(),
            state: Cell::new(State::New),
        })
    }

    #[inline]
    fn advance(this: &Obj<Self>) -> Sent {
        match this.state.replace(State::Running) {
            State::New => Self::follow(this, Sent::Returned(none())),
            State::Suspended => match this.awaited.get() {
                Some(awaited) => Self::follow(this, send(&awaited)),
                None => Self::follow(this, Sent::Returned(none())),
            },
            other => this.refuse(other),
        }
    }

    /// Goes on from how a step of what it awaits has ended.
    #[inline]
    fn follow(this: &Obj<Self>, mut sent: Sent) -> Sent {
        loop {
            let came = match sent {
                Sent::Yielded(value) => {
                    this.state.set(State::Suspended);
                    return Sent::Yielded(value);
                }
                Sent::Returned(value) => Ok(value),
                Sent::Raised(raised) => Err(raised),
            };
            this.awaited.set(None);
            sent = match S::resume(this, came) {
                Ok(Step::Await(awaitable)) => this.start_awaiting(&awaitable),
                Ok(Step::Return(value)) => return this.end(Sent::Returned(value)),
                Err(raised) => return this.end(Sent::Raised(proper(raised))),
            };
        }
    }

    #[inline]
    fn start_awaiting(&self, awaitable: &Object) -> Sent {
        match await_iterator(awaitable) {
            Ok(iterator) => {
                self.awaited.set(Some(iterator.clone()));
                send(&iterator)
            }
            Err(raised) => Sent::Raised(raised),
        }
    }

    #[inline]
    fn end(&self, sent: Sent) -> Sent {
        self.state.set(State::Done);
        self.script.clear();
        sent
    }

    /// Refuses to go on in a state where that is impossible, and stays in it.
    #[cold]
    fn refuse(&self, state: State) -> Sent {
        self.state.set(state);
        Sent::Raised(match state {
            State::Done => Raised::new(
                &exceptions::runtime_error(),
                "cannot reuse already awaited coroutine",
            ),
            _ => Raised::new(&exceptions::value_error(), "coroutine already executing"),
        })
    }

    fn throw(this: &Obj<Self>, args: &Args<'_>) -> Sent {
        match thrown(args) {
            Ok(raised) => Self::throw_in(this, raised.fetch()),
            Err(raised) => Sent::Raised(raised),
        }
    }

    fn throw_in(this: &Obj<Self>, exception: Object) -> Sent {
        match this.state.replace(State::Running) {
            State::New => this.end(Sent::Raised(Raised::restore(exception))),
            State::Suspended => match this.awaited.get() {
                Some(awaited) => Self::follow(this, throw_into(&awaited, exception)),
                None => Self::follow(this, Sent::Raised(Raised::restore(exception))),
            },
            other => this.refuse(other),
        }
    }

    fn close(this: &Obj<Self>) -> Result<()> {
        match this.state.get() {
            State::Done => return Ok(()),
            State::New => {
                this.end(Sent::Returned(none()));
                return Ok(());
            }
            State::Suspended | State::Running => {}
        }
        let exit = exceptions::generator_exit().call([])?;
        match Self::throw_in(this, exit) {
            Sent::Returned(_) => Ok(()),
            Sent::Yielded(_) => {
                let text = "coroutine ignored GeneratorExit";
                Err(Raised::new(&exceptions::runtime_error(), text))
            }
            Sent::Raised(raised) if raised.matches(&exceptions::generator_exit()) => {
                raised.clear();
                Ok(())
            }
            Sent::Raised(raised) => Err(raised),
        }
    }

    #[cold]
    fn warn_unawaited() -> Result<()> {
        let text = format!("coroutine '{}' was never awaited", S::NAME);
        let text = CString::new(text).unwrap_or_default();
        crate::hot::warn(&exceptions::runtime_warning(), &text, 1)
    }
}

/// The exception that leaves a coroutine: a `StopIteration` would be taken for its return.
fn proper(raised: Raised) -> Raised {
    if !raised.matches(&exceptions::stop_iteration()) {
        return raised;
    }
    let cause = raised.fetch();
    let text = "coroutine raised StopIteration";
    let error = Raised::new(&exceptions::runtime_error(), text).fetch();
    error.set_cause(&cause);
    Raised::restore(error)
}

impl<S: Script> HotType for Coroutine<S> {
    type Base = ();
    const NAME: &'static CStr = S::TYPE_NAME;
    const FREELIST: usize = 256;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        S::cell()
    }

    fn class(class: &mut Class<Self>) {
        class
            .coroutine(Self::advance)
            .poses_as(|| names().coroutine_type.clone())
            .method(
                c"throw",
                c"throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception at the await.",
                Self::throw,
            )
            .method0(
                c"close",
                c"close($self, /)\n--\n\nRaise GeneratorExit at the await.",
                Self::close,
            )
            .repr(|this: &Obj<Self>| {
                format!("<coroutine object {} at {:#x}>", S::NAME, this.address()).into_object()
            })
            .getter(c"__name__", |_: &Obj<Self>| {
                S::NAME.rsplit_once('.').map_or(S::NAME, |(_, name)| name)
            })
            .getter(c"__qualname__", |_: &Obj<Self>| S::NAME)
            .getter(c"cr_running", |this: &Obj<Self>| {
                this.state.get() == State::Running
            })
            .getter(c"cr_suspended", |this: &Obj<Self>| {
                this.state.get() == State::Suspended
            })
            .getter(c"cr_await", |this: &Obj<Self>| this.awaited.get())
            .getter(c"cr_frame", |_: &Obj<Self>| none());
    }

    fn traverse(&self, visit: &mut Visit) {
        self.script.traverse(visit);
        visit.slot(&self.awaited);
    }

    fn clear(&self) {
        self.awaited.set(None);
        self.script.clear();
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        matches!(this.state.get(), State::New | State::Suspended)
    }

    fn finalize(this: &Obj<Self>) {
        let ended = if this.state.get() == State::New {
            this.state.set(State::Done);
            Self::warn_unawaited()
        } else {
            Self::close(this)
        };
        if let Err(raised) = ended {
            raised.unraisable(this.as_any());
        }
    }
}
