//! `Event`: a flag that can be waited for.

use std::cell::Cell;

use super::{Binding, Bound, Waited, declare_waited, describe_waited};
use crate::hot::{Args, Class, HotType, Obj, Result, Signature, TypeCell, Visit, boolean};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, nothing_to_pass_on};

/// A flag that can be waited for (`asyncio.Event`).
#[derive(Default)]
pub(crate) struct Event {
    waiters: Waiters,
    binding: Binding,
    value: Cell<bool>,
}

static WAIT: Operation = Operation::new(
    "Event.wait",
    |waiter, woken| {
        let event = waiter.owner::<Event>();
        Event::wait(event, waiter, woken).unwrap_or_else(|| Poll::Ready(boolean(true)))
    },
    nothing_to_pass_on,
);

impl Event {
    fn init(_this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<0> = Signature::method("Event.__init__", []);
        SIGNATURE.bind(args).map(drop)
    }

    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.value.get()
    }

    /// Sets the flag and wakes all that wait.
    #[inline]
    pub(crate) fn set(&self) -> Result<()> {
        if self.value.replace(true) {
            return Ok(());
        }
        self.waiters.wake_all()
    }

    /// Takes the flag back.
    #[inline]
    pub(crate) fn reset(&self) {
        self.value.set(false);
    }

    /// A step of a wait for the flag, also of operations that this is a part of; comes to nothing when the wait
    /// is over. Who was woken has seen the flag set, whatever it says by then.
    #[inline]
    pub(crate) fn wait(this: &Obj<Self>, waiter: &Obj<Waiter>, woken: bool) -> Option<Poll> {
        if woken {
            this.waiters.leave(waiter);
            return None;
        }
        if this.is_set() {
            return None;
        }
        Some(match Binding::check(this) {
            Ok(()) => this.waiters.park(waiter),
            Err(raised) => Poll::Failed(raised),
        })
    }
}

impl Bound for Event {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}

impl Waited for Event {
    fn waiters(&self) -> &Waiters {
        &self.waiters
    }
}

impl HotType for Event {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Event";
    const FREELIST: usize = 64;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Event()\n--\n\nA flag that can be waited for (asyncio.Event).")
            .poses_as(|| names().event.clone())
            .init(Self::init)
            .repr(|this: &Obj<Self>| {
                let state = if this.is_set() { "set" } else { "unset" };
                describe_waited(this, &this.waiters, state)
            })
            .method0(
                c"is_set",
                c"is_set($self, /)\n--\n\nReturn True if the flag is set.",
                |this: &Obj<Self>| this.is_set(),
            )
            .method0(
                c"set",
                c"set($self, /)\n--\n\nSet the flag and wake all who wait for it.",
                |this: &Obj<Self>| this.set(),
            )
            .method0(
                c"clear",
                c"clear($self, /)\n--\n\nTake the flag back.",
                |this: &Obj<Self>| this.reset(),
            )
            .async_method0(
                c"wait",
                c"wait($self, /)\n--\n\nWait until the flag is set, and return True.",
                |this: &Obj<Self>| Waiter::on(&WAIT, this),
            )
            .getter(c"_value", |this: &Obj<Self>| this.is_set());
        declare_waited(class);
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
