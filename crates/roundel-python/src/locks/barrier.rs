//! `Barrier`: a given number of tasks wait for each other.
//!
//! asyncio's has a condition, whose lock is never held while anybody waits. So this one has no lock, only the
//! list of those who wait: in `Stage::Starting` for the barrier to be free, in `Stage::Waiting` for the others.

use std::cell::Cell;

use super::{Binding, Bound, describe};
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Signature, TypeCell, Visit,
    exceptions, import, none,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Stage, Waiter, Waiters, attempt, nothing_to_pass_on};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Tasks come and wait.
    Filling,
    /// All have come, and leave.
    Draining,
    /// It was reset, and those who waited leave.
    Resetting,
    /// It was aborted.
    Broken,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Draining => "draining",
            Self::Resetting => "resetting",
            Self::Broken => "broken",
        }
    }

    /// Whether those who come have to wait until all have left.
    fn is_emptying(self) -> bool {
        matches!(self, Self::Draining | Self::Resetting)
    }
}

/// A point where so many tasks wait for each other (`asyncio.Barrier`).
pub(crate) struct Barrier {
    waiters: Waiters,
    binding: Binding,
    parties: Cell<i64>,
    /// How many have come and not left.
    count: Cell<i64>,
    state: Cell<State>,
}

impl Default for Barrier {
    fn default() -> Self {
        Self {
            waiters: Waiters::new(),
            binding: Binding::default(),
            parties: Cell::new(1),
            count: Cell::new(0),
            state: Cell::new(State::Filling),
        }
    }
}

static WAIT: Operation = Operation::new(
    "Barrier.wait",
    |waiter, woken| {
        let barrier = waiter.owner::<Barrier>();
        if woken {
            barrier.waiters.leave(waiter);
        }
        match waiter.stage() {
            Stage::Starting => Barrier::come(barrier, waiter),
            _ => Barrier::look(barrier, waiter),
        }
    },
    |waiter, _woken, exception| {
        let barrier = waiter.owner::<Barrier>();
        // As a condition's wait does: if it was notified, somebody else must be.
        attempt!(barrier.waiters.wake_next());
        if waiter.stage() == Stage::Waiting {
            attempt!(barrier.leave());
        }
        Poll::raise(exception)
    },
);

static RESET: Operation = Operation::new(
    "Barrier.reset",
    |waiter, _woken| Poll::from(waiter.owner::<Barrier>().reset().map(|()| none())),
    nothing_to_pass_on,
);

static ABORT: Operation = Operation::new(
    "Barrier.abort",
    |waiter, _woken| {
        let barrier = waiter.owner::<Barrier>();
        Poll::from(barrier.change(State::Broken).map(|()| none()))
    },
    nothing_to_pass_on,
);

/// The steps of a wait.
impl Barrier {
    fn come(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        let state = this.state.get();
        if state.is_emptying() {
            return Self::park(this, waiter);
        }
        if state == State::Broken {
            return Poll::Failed(broken("Barrier aborted"));
        }
        let index = this.count.get();
        this.count.set(index + 1);
        waiter.set_stage(Stage::Waiting);
        waiter.set_item(Some(attempt!(index.into_object())));
        if index + 1 == this.parties.get() {
            attempt!(this.change(State::Draining));
        }
        Self::look(this, waiter)
    }

    /// Ends the wait, unless others are still to come.
    fn look(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        let state = this.state.get();
        if state == State::Filling {
            return match Self::park(this, waiter) {
                Poll::Failed(raised) => {
                    attempt!(this.leave());
                    Poll::Failed(raised)
                }
                poll => poll,
            };
        }
        attempt!(this.leave());
        if state == State::Draining {
            Poll::Ready(waiter.item().unwrap_or_else(none))
        } else {
            Poll::Failed(broken("Abort or reset of barrier"))
        }
    }

    fn park(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        attempt!(Binding::check(this));
        this.waiters.park(waiter)
    }

    /// One has left; the last one tells those who wait for that.
    fn leave(&self) -> Result<()> {
        self.count.set(self.count.get() - 1);
        if self.count.get() > 0 {
            return Ok(());
        }
        let state = self.state.get();
        self.change(if state.is_emptying() {
            State::Filling
        } else {
            state
        })
    }

    fn change(&self, state: State) -> Result<()> {
        self.state.set(state);
        self.waiters.wake_all()
    }

    fn reset(&self) -> Result<()> {
        let anybody = self.count.get() > 0;
        self.change(if anybody {
            State::Resetting
        } else {
            State::Filling
        })
    }
}

#[cold]
fn broken(text: &str) -> Raised {
    Raised::new(&names().broken_barrier_error, text)
}

impl Barrier {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> = Signature::method("Barrier.__init__", [c"parties"]);
        let [parties] = SIGNATURE.bind(args)?;
        let parties = parties.expect("invariant: a required parameter is bound");
        if parties.less(&1_i64.into_object()?)? {
            let text = if cfg!(Py_3_14) {
                "parties must be >= 1"
            } else {
                "parties must be > 0"
            };
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        this.parties.set(parties.to_i64()?);
        Ok(())
    }

    fn waiting(&self) -> i64 {
        if self.state.get() == State::Filling {
            self.count.get()
        } else {
            0
        }
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let state = this.state.get();
        if state == State::Broken {
            return describe(this, state.name());
        }
        let (waiting, parties) = (this.waiting(), this.parties.get());
        describe(
            this,
            &format!("{}, waiters:{waiting}/{parties}", state.name()),
        )
    }
}

impl Bound for Barrier {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}

impl HotType for Barrier {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Barrier";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Barrier(parties)\n--\n\nA point where so many tasks wait for each other (asyncio.Barrier).\n\nRaises:\n    ValueError: parties is less than 1.")
            .poses_as(|| names().barrier.clone())
            .init(Self::init)
            .repr(Self::repr)
            .async_method0(
                c"wait",
                c"wait($self, /)\n--\n\nWait until all parties have come; return which one this is, from 0 on.\n\nRaises:\n    BrokenBarrierError: the barrier was reset or aborted.",
                |this: &Obj<Self>| Waiter::on(&WAIT, this),
            )
            .async_method0(
                c"reset",
                c"reset($self, /)\n--\n\nHave those who wait raise BrokenBarrierError, and begin again.",
                |this: &Obj<Self>| Waiter::on(&RESET, this),
            )
            .async_method0(
                c"abort",
                c"abort($self, /)\n--\n\nHave those who wait and all who come raise BrokenBarrierError.",
                |this: &Obj<Self>| Waiter::on(&ABORT, this),
            )
            .method0(
                c"__aenter__",
                c"__aenter__($self, /)\n--\n\nWait until all parties have come.",
                |this: &Obj<Self>| this.as_any().call_method(&names().wait, []),
            )
            .method(
                c"__aexit__",
                c"__aexit__($self, /, *args)\n--\n\nDo nothing.",
                |_: &Obj<Self>, _: &Args<'_>| super::ready::ready(),
            )
            .getter(c"parties", |this: &Obj<Self>| this.parties.get())
            .getter(c"n_waiting", |this: &Obj<Self>| this.waiting())
            .getter(c"broken", |this: &Obj<Self>| this.state.get() == State::Broken)
            .getter(c"_count", |this: &Obj<Self>| this.count.get())
            .getter(c"_parties", |this: &Obj<Self>| this.parties.get())
            .getter(c"_state", |this: &Obj<Self>| {
                let name = this.state.get().name().into_object()?;
                import(c"asyncio.locks", c"_BarrierState")?.call([&name])
            });
        Binding::declare(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.waiters.traverse(visit);
        self.binding.traverse(visit);
    }

    fn clear(&self) {
        self.waiters.clear();
        self.binding.clear();
    }
}
