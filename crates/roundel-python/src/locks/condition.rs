//! `Condition`: waiting, with a lock let go meanwhile, until somebody says that something has changed.
//!
//! A wait has two parts, and the lock is held before and after: `Stage::Waiting` for a notification, in the
//! condition's list; then `Stage::Returning` to the lock, in the lock's list. The second happens whatever befell
//! the first: an exception that comes in the first part is kept until the lock is held again. A later
//! cancellation takes its place.
//!
//! The lock may be somebody else's: then the second part is what awaiting its `acquire()` comes to.

use std::cell::Cell;

use super::guard::Guard;
use super::lock::Lock;
use super::{Binding, Bound, Waited, declare_waited, describe_waited, ready};
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Sent, Signature, Slot, TypeCell,
    Visit, await_iterator, boolean, exceptions, is_instance_of, send, throw_into,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Stage, Waiter, Waiters, attempt};

/// A lock, and those who wait for a change of what it guards (`asyncio.Condition`).
pub(crate) struct Condition {
    waiters: Waiters,
    binding: Binding,
    lock: Slot,
    /// The lock is one of ours whose methods nobody has replaced.
    is_native: Cell<bool>,
}

impl Default for Condition {
    fn default() -> Self {
        let lock: Obj<Lock> = Obj::create(Lock::default());
        Self {
            waiters: Waiters::new(),
            binding: Binding::default(),
            lock: Slot::new(Some(lock.into_any())),
            is_native: Cell::new(true),
        }
    }
}

static WAIT: Operation = Operation::new(
    "Condition.wait",
    |waiter, _woken| match waiter.stage() {
        Stage::Starting => Condition::begin(waiter.owner(), waiter),
        Stage::Waiting => Condition::notified(waiter.owner(), waiter),
        Stage::Returning => Condition::resume(waiter.owner(), waiter),
    },
    interrupt,
);

/// Like [`WAIT`], again and again until the item, a function, returns what is true.
static WAIT_FOR: Operation = Operation::new(
    "Condition.wait_for",
    |waiter, woken| match waiter.stage() {
        Stage::Starting => Condition::go_on(waiter.owner(), waiter),
        _ => (WAIT.poll)(waiter, woken),
    },
    interrupt,
);

fn interrupt(waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    let condition = waiter.owner::<Condition>();
    if waiter.stage() == Stage::Returning {
        return Condition::interrupt_return(condition, waiter, exception);
    }
    waiter.set_error(exception.clone());
    Condition::reacquire(condition, waiter)
}

/// The steps of a wait.
impl Condition {
    /// Lets the lock go and waits for a notification.
    fn begin(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if !attempt!(this.is_locked()) {
            let text = "cannot wait on un-acquired lock";
            return Poll::Failed(Raised::new(&exceptions::runtime_error(), text));
        }
        attempt!(Binding::check(this));
        attempt!(this.release());
        waiter.set_stage(Stage::Waiting);
        this.waiters.park(waiter)
    }

    fn notified(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        this.waiters.leave(waiter);
        Self::reacquire(this, waiter)
    }

    /// Acquires the lock again, or begins to wait for it.
    fn reacquire(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        waiter.set_stage(Stage::Returning);
        let Some(lock) = this.native_lock() else {
            return match this.lock().and_then(|lock| acquire_by_method(&lock)) {
                Ok(awaiter) => {
                    waiter.set_delegate(awaiter);
                    Self::resume(this, waiter)
                }
                Err(raised) => this.fail(raised),
            };
        };
        match lock.try_acquire() {
            Ok(true) => Self::go_on(this, waiter),
            Ok(false) => match Lock::wait(&lock, waiter) {
                Poll::Failed(raised) => this.fail(raised),
                poll => poll,
            },
            Err(raised) => this.fail(raised),
        }
    }

    /// It may have the lock; or what it awaits for that may go on.
    fn resume(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if let Some(delegate) = waiter.delegate() {
            return Self::delegated(this, waiter, send(&delegate));
        }
        let accepted = this.native_lock().map(|lock| lock.accept(waiter));
        match accepted.unwrap_or(Ok(())) {
            Ok(()) => Self::go_on(this, waiter),
            Err(raised) => this.fail(raised),
        }
    }

    /// An exception is raised while it waits for the lock.
    fn interrupt_return(this: &Obj<Self>, waiter: &Obj<Waiter>, exception: &Object) -> Poll {
        if let Some(delegate) = waiter.delegate() {
            return Self::delegated(this, waiter, throw_into(&delegate, exception.clone()));
        }
        let passed_on = this.native_lock().map(|lock| lock.pass_on());
        attempt!(passed_on.unwrap_or(Ok(())));
        Self::retry(this, waiter, exception)
    }

    /// What a step of acquiring somebody else's lock comes to.
    fn delegated(this: &Obj<Self>, waiter: &Obj<Waiter>, sent: Sent) -> Poll {
        match sent {
            Sent::Yielded(awaited) => Poll::Delegated(awaited),
            Sent::Returned(_) => Self::go_on(this, waiter),
            Sent::Raised(raised) => Self::retry(this, waiter, &raised.fetch()),
        }
    }

    /// Acquiring the lock was cancelled: that has to wait, too. Any other exception has the last word.
    fn retry(this: &Obj<Self>, waiter: &Obj<Waiter>, exception: &Object) -> Poll {
        if !is_instance_of(exception, &names().cancelled_error) {
            return this.fail(Raised::throw(exception));
        }
        waiter.set_error(exception.clone());
        Self::reacquire(this, waiter)
    }

    /// The lock is held: ends the wait, or what waits again and again.
    fn go_on(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if let Some(error) = waiter.take_error() {
            return this.fail(Raised::throw(&error));
        }
        let Some(predicate) = waiter.item() else {
            return Poll::Ready(boolean(true));
        };
        let result = attempt!(predicate.call([]));
        if attempt!(result.truth()) {
            return Poll::Ready(result);
        }
        Self::begin(this, waiter)
    }

    /// Ends a wait with an exception: if it was notified, somebody else must be.
    fn fail(&self, raised: Raised) -> Poll {
        let exception = raised.fetch();
        attempt!(self.waiters.wake_next());
        Poll::Failed(Raised::restore(exception))
    }
}

fn acquire_by_method(lock: &Object) -> Result<Object> {
    await_iterator(&lock.call_method(&names().acquire, [])?)
}

/// The lock, ours or somebody else's.
impl Condition {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("Condition.__init__", [c"lock"]).required(0);
        let [lock] = SIGNATURE.bind(args)?;
        if let Some(lock) = lock.and_then(Object::not_none) {
            let native = lock.downcast::<Lock>();
            this.is_native
                .set(native.is_some_and(|lock| lock.pristine().get()));
            for method in [&names().locked, &names().acquire, &names().release] {
                lock.attr(method)?;
            }
            this.lock.set(Some(lock.clone()));
        }
        Ok(())
    }

    fn lock(&self) -> Result<Object> {
        let text = "the garbage collector has taken the lock";
        let lost = || Raised::new(&exceptions::runtime_error(), text);
        self.lock.get().ok_or_else(lost)
    }

    #[inline]
    fn native_lock(&self) -> Option<Obj<Lock>> {
        if !self.is_native.get() {
            return None;
        }
        self.lock.get().and_then(Object::downcast_into)
    }

    #[inline]
    fn is_locked(&self) -> Result<bool> {
        match self.native_lock() {
            Some(lock) => Ok(lock.is_locked()),
            None => self.lock()?.call_method(&names().locked, [])?.truth(),
        }
    }

    #[inline]
    fn release(&self) -> Result<()> {
        match self.native_lock() {
            Some(lock) => lock.release(),
            None => self.lock()?.call_method(&names().release, []).map(drop),
        }
    }

    #[inline]
    fn enter(this: &Obj<Self>) -> Result<Object> {
        match this.native_lock() {
            Some(lock) => Lock::enter(&lock),
            None => this.lock()?.call_method(&names().acquire, []),
        }
    }

    #[inline]
    fn exit(this: &Obj<Self>, _args: &Args<'_>) -> Result<Object> {
        this.release()?;
        Ok(ready::ready())
    }

    fn notify(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> = Signature::method("Condition.notify", [c"n"]).required(0);
        let [count] = SIGNATURE.bind(args)?;
        this.check_locked()?;
        let count = count.map_or(Ok(1), Object::to_i64)?;
        this.waiters.wake(usize::try_from(count).unwrap_or(0))
    }

    fn notify_all(this: &Obj<Self>) -> Result<()> {
        this.check_locked()?;
        this.waiters.wake_all()
    }

    #[inline]
    fn check_locked(&self) -> Result<()> {
        if self.is_locked()? {
            return Ok(());
        }
        let text = "cannot notify on un-acquired lock";
        Err(Raised::new(&exceptions::runtime_error(), text))
    }

    fn wait_for(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<Waiter>> {
        static SIGNATURE: Signature<1> = Signature::method("Condition.wait_for", [c"predicate"]);
        let [predicate] = SIGNATURE.bind(args)?;
        let owner = this.as_any().clone();
        Ok(Waiter::create(
            &WAIT_FOR,
            Some(owner),
            predicate.cloned(),
            0.0,
        ))
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let state = if this.is_locked()? {
            "locked"
        } else {
            "unlocked"
        };
        describe_waited(this, &this.waiters, state)
    }
}

impl Bound for Condition {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}

impl Waited for Condition {
    fn waiters(&self) -> &Waiters {
        &self.waiters
    }
}

impl HotType for Condition {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Condition";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Condition(lock=None)\n--\n\nA lock, and waiting for a change of what it guards (asyncio.Condition).")
            .poses_as(|| names().condition.clone())
            .init(Self::init)
            .repr(Self::repr)
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
            .async_method0(
                c"wait",
                c"wait($self, /)\n--\n\nRelease the lock, wait to be notified, acquire the lock again and return True.\n\nMay wake for nothing: look at what was waited for, and wait again.\n\nRaises:\n    RuntimeError: the lock is not acquired.",
                |this: &Obj<Self>| Waiter::on(&WAIT, this),
            )
            .async_method(
                c"wait_for",
                c"wait_for($self, /, predicate)\n--\n\nWait until predicate() is true, and return what it returned.\n\nRaises:\n    RuntimeError: the lock is not acquired.",
                Self::wait_for,
            )
            .method(
                c"notify",
                c"notify($self, /, n=1)\n--\n\nWake n of those who wait.\n\nRaises:\n    RuntimeError: the lock is not acquired.",
                Self::notify,
            )
            .method0(
                c"notify_all",
                c"notify_all($self, /)\n--\n\nWake all who wait.\n\nRaises:\n    RuntimeError: the lock is not acquired.",
                Self::notify_all,
            );
        declare_lock(class);
        declare_waited(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.waiters.traverse(visit);
        self.binding.traverse(visit);
        visit.slot(&self.lock);
    }

    fn clear(&self) {
        self.waiters.clear();
        self.binding.clear();
        self.lock.set(None);
    }
}

/// The lock, and its methods.
fn declare_lock(class: &mut Class<Condition>) {
    class
        .getter(c"_lock", |this: &Obj<Condition>| this.lock.get())
        .method0(
            c"locked",
            c"locked($self, /)\n--\n\nReturn True if the lock is acquired.",
            |this: &Obj<Condition>| this.lock()?.call_method(&names().locked, []),
        )
        .async_method0(
            c"acquire",
            c"acquire($self, /)\n--\n\nAcquire the lock and return True.",
            |this: &Obj<Condition>| this.lock()?.call_method(&names().acquire, []),
        )
        .method0(
            c"release",
            c"release($self, /)\n--\n\nRelease the lock.\n\nRaises:\n    RuntimeError: it is not acquired.",
            |this: &Obj<Condition>| this.release().into_object(),
        );
}
