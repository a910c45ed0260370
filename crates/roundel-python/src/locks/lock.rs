//! `Lock`: one at a time, in the order of arrival.

use std::cell::Cell;

use super::guard::{self, Docs, Guard};
use super::{Binding, Bound, Pristine, Waited, describe_waited};
use crate::current;
use crate::hot::{
    Args, Class, HotType, Obj, Raised, Result, Signature, Slot, TypeCell, Visit, exceptions,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, attempt};

/// A mutual exclusion for tasks (`asyncio.Lock`).
#[derive(Default)]
pub(crate) struct Lock {
    waiters: Waiters,
    binding: Binding,
    locked: Cell<bool>,
    /// The task that ran when the lock was acquired.
    holder: Slot,
    pristine: Pristine,
}

static ACQUIRE: Operation = guard::acquiring::<Lock>("Lock.acquire");
static ENTER: Operation = guard::entering::<Lock>("Lock.acquire");

/// The steps of acquiring, also for [`Condition`](super::condition::Condition).
impl Lock {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<0> = Signature::method("Lock.__init__", []);
        SIGNATURE.bind(args)?;
        guard::inspect(this)
    }

    /// Acquires the lock if it is free and nobody is about to take it.
    #[inline]
    pub(super) fn try_acquire(&self) -> Result<bool> {
        if self.is_locked() || self.waiters.is_contended() {
            return Ok(false);
        }
        self.take()?;
        Ok(true)
    }

    #[inline]
    fn take(&self) -> Result<()> {
        self.locked.set(true);
        self.holder.set(current::running()?);
        Ok(())
    }

    /// Has a waiter wait until it is woken to accept the lock.
    #[inline]
    pub(super) fn wait(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        attempt!(Binding::check(this));
        this.waiters.park(waiter)
    }

    /// Acquires the lock for a waiter that was woken: it is free then.
    #[inline]
    pub(super) fn accept(&self, waiter: &Obj<Waiter>) -> Result<()> {
        self.waiters.leave(waiter);
        self.take()
    }

    /// After a waiter has left without the lock: if that is free, it is the next one's turn.
    pub(super) fn pass_on(&self) -> Result<()> {
        if self.is_locked() {
            return Ok(());
        }
        self.waiters.wake_first()
    }
}

impl Guard for Lock {
    const ACQUIRE: &'static Operation = &ACQUIRE;
    const ENTER: &'static Operation = &ENTER;
    const DOCS: Docs = Docs {
        locked: c"locked($self, /)\n--\n\nReturn True if the lock is acquired.",
        acquire: c"acquire($self, /)\n--\n\nWait until the lock is free, acquire it and return True.",
        release: c"release($self, /)\n--\n\nRelease the lock; who waits longest is next.\n\nRaises:\n    RuntimeError: it is not acquired.",
        enter: c"__aenter__($self, /)\n--\n\nAcquire the lock.",
        exit: c"__aexit__($self, exc_type, exc, tb, /)\n--\n\nRelease the lock.",
    };

    #[inline]
    fn pristine(&self) -> &Pristine {
        &self.pristine
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.locked.get()
    }

    #[inline]
    fn acquire(this: &Obj<Self>, waiter: &Obj<Waiter>, woken: bool) -> Option<Poll> {
        let acquired = if woken {
            this.accept(waiter).map(|()| true)
        } else {
            this.try_acquire()
        };
        match acquired {
            Ok(true) => None,
            Ok(false) => Some(Self::wait(this, waiter)),
            Err(raised) => Some(Poll::Failed(raised)),
        }
    }

    fn give_up(&self, _woken: bool) -> Result<()> {
        self.pass_on()
    }

    /// Raises `RuntimeError` if it is not locked.
    #[inline]
    fn release(&self) -> Result<()> {
        if !self.locked.replace(false) {
            let text = "Lock is not acquired.";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        self.holder.set(None);
        self.waiters.wake_first()
    }
}

impl Bound for Lock {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}

impl Waited for Lock {
    fn waiters(&self) -> &Waiters {
        &self.waiters
    }
}

impl HotType for Lock {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Lock";
    const FREELIST: usize = 64;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Lock()\n--\n\nA mutual exclusion for tasks, first come, first served (asyncio.Lock).")
            .poses_as(|| names().lock.clone())
            .init(Self::init)
            .repr(|this: &Obj<Self>| {
                let state = if this.is_locked() { "locked" } else { "unlocked" };
                describe_waited(this, &this.waiters, state)
            })
            .getter(c"_holder", |this: &Obj<Self>| this.holder.get())
            .getter(c"_locked", |this: &Obj<Self>| this.is_locked());
        guard::declare(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.waiters.traverse(visit);
        self.binding.traverse(visit);
        visit.slot(&self.holder);
    }

    fn clear(&self) {
        self.waiters.clear();
        self.binding.clear();
        self.holder.set(None);
    }
}
