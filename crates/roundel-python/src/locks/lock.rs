//! `Lock`: one at a time, in the order of arrival.

use std::cell::Cell;

use super::{Binding, Bound, Pristine, describe, describe_waiters, guarding_methods, ready};
use crate::current;
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Signature, Slot, TypeCell,
    Visit, boolean, exceptions, none,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, WaitersView, attempt};

/// A mutual exclusion for tasks (`asyncio.Lock`).
pub(crate) struct Lock {
    waiters: Waiters,
    binding: Binding,
    locked: Cell<bool>,
    /// The task that ran when the lock was acquired.
    holder: Slot,
    pristine: Pristine,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            waiters: Waiters::new(),
            binding: Binding::default(),
            locked: Cell::new(false),
            holder: Slot::empty(),
            pristine: Pristine::new(),
        }
    }
}

static ACQUIRE: Operation = Operation {
    name: "Lock.acquire",
    poll: |waiter, woken| acquire(waiter, woken, || boolean(true)),
    interrupt,
};

/// `__aenter__`, which gives nothing.
static ENTER: Operation = Operation {
    name: "Lock.acquire",
    poll: |waiter, woken| acquire(waiter, woken, none),
    interrupt,
};

#[inline]
fn acquire(waiter: &Obj<Waiter>, woken: bool, result: impl Fn() -> Object) -> Poll {
    let lock = waiter.owner::<Lock>();
    let acquired = if woken {
        lock.accept(waiter).map(|()| true)
    } else {
        lock.try_acquire()
    };
    if attempt!(acquired) {
        Poll::Ready(result())
    } else {
        Lock::wait(lock, waiter)
    }
}

fn interrupt(waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    attempt!(waiter.owner::<Lock>().pass_on());
    Poll::raise(exception)
}

/// The steps of acquiring, also for [`Condition`](super::condition::Condition).
impl Lock {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<0> = Signature::method("Lock.__init__", []);
        SIGNATURE.bind(args)?;
        this.pristine.inspect(this, &guarding_methods())
    }

    /// Whether `acquire` and `release` are ours, so that they need not be looked up.
    #[inline]
    pub(super) fn is_pristine(&self) -> bool {
        self.pristine.get()
    }

    #[inline]
    pub(super) fn is_locked(&self) -> bool {
        self.locked.get()
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

    /// Raises `RuntimeError` if it is not locked.
    #[inline]
    pub(super) fn release(&self) -> Result<()> {
        if !self.locked.replace(false) {
            let text = "Lock is not acquired.";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        self.holder.set(None);
        self.waiters.wake_first()
    }
}

/// As a context manager, and to look at.
impl Lock {
    #[inline]
    pub(super) fn enter(this: &Obj<Self>) -> Result<Object> {
        if this.is_pristine() {
            return Waiter::on(&ENTER, this).into_object();
        }
        this.as_any().call_method(&names().acquire, [])
    }

    #[inline]
    fn exit(this: &Obj<Self>, _args: &Args<'_>) -> Result<Object> {
        if this.is_pristine() {
            this.release()?;
        } else {
            this.as_any().call_method(&names().release, [])?;
        }
        Ok(ready::ready())
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let state = if this.is_locked() {
            "locked"
        } else {
            "unlocked"
        };
        let waiters = describe_waiters(&this.waiters);
        describe(this, &format!("{state}{waiters}"))
    }
}

impl Bound for Lock {
    fn binding(&self) -> &Binding {
        &self.binding
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
            .repr(Self::repr)
            .on_set_attribute(|this: &Obj<Self>, name: &Object| {
                this.pristine.attribute_set(name, &guarding_methods());
            })
            .method0(
                c"locked",
                c"locked($self, /)\n--\n\nReturn True if the lock is acquired.",
                |this: &Obj<Self>| this.is_locked(),
            )
            .method0(
                c"acquire",
                c"acquire($self, /)\n--\n\nWait until the lock is free, acquire it and return True.",
                |this: &Obj<Self>| Waiter::on(&ACQUIRE, this),
            )
            .method0(
                c"release",
                c"release($self, /)\n--\n\nRelease the lock; who waits longest is next.\n\nRaises:\n    RuntimeError: it is not acquired.",
                |this: &Obj<Self>| this.release(),
            )
            .method0(
                c"__aenter__",
                c"__aenter__($self, /)\n--\n\nAcquire the lock.",
                Self::enter,
            )
            .method(
                c"__aexit__",
                c"__aexit__($self, exc_type, exc, tb, /)\n--\n\nRelease the lock.",
                Self::exit,
            )
            .getter(c"_holder", |this: &Obj<Self>| this.holder.get())
            .getter(c"_locked", |this: &Obj<Self>| this.is_locked())
            .getter(c"_waiters", |this: &Obj<Self>| {
                WaitersView::of(this, |owner| &owner.known::<Self>().waiters)
            });
        Binding::declare(class);
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
