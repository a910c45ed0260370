//! What is acquired and released: what `Lock` and `Semaphore` have in common for Python.

use std::ffi::CStr;

use super::{Pristine, Waited, ready};
use crate::hot::{Args, Class, IntoObject, Obj, Object, Result, boolean, none};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter};

/// A primitive that is acquired and released, also by `async with`.
pub(super) trait Guard: Waited {
    /// `acquire()`, made by [`acquiring`].
    const ACQUIRE: &'static Operation;
    /// `__aenter__()`, made by [`entering`].
    const ENTER: &'static Operation;
    /// What its methods say of themselves.
    const DOCS: Docs;

    /// Whether `acquire` and `release` are ours, so that they need not be looked up.
    fn pristine(&self) -> &Pristine;

    /// Whether it can't be had at once.
    fn is_locked(&self) -> bool;

    /// A step of acquiring; comes to nothing when it is acquired.
    fn acquire(this: &Obj<Self>, waiter: &Obj<Waiter>, woken: bool) -> Option<Poll>;

    /// What follows when a wait is interrupted, before the exception is raised.
    fn give_up(&self, woken: bool) -> Result<()>;

    /// Gives back what was acquired.
    fn release(&self) -> Result<()>;

    /// `__aenter__()`.
    #[inline]
    fn enter(this: &Obj<Self>) -> Result<Object> {
        if this.pristine().get() {
            return Waiter::on(Self::ENTER, this).into_object();
        }
        this.as_any().call_method(&names().acquire, [])
    }

    /// `__aexit__()`.
    #[inline]
    fn exit(this: &Obj<Self>, _args: &Args<'_>) -> Result<Object> {
        if this.pristine().get() {
            this.release()?;
        } else {
            this.as_any().call_method(&names().release, [])?;
        }
        Ok(ready::ready())
    }
}

/// The docstrings of a guard's methods.
pub(super) struct Docs {
    pub(super) locked: &'static CStr,
    pub(super) acquire: &'static CStr,
    pub(super) release: &'static CStr,
    pub(super) enter: &'static CStr,
    pub(super) exit: &'static CStr,
}

/// The operation of `acquire()`, which gives `True`.
pub(super) const fn acquiring<T: Guard>(name: &'static str) -> Operation {
    Operation::new(
        name,
        |waiter, woken| {
            T::acquire(waiter.owner(), waiter, woken).unwrap_or_else(|| Poll::Ready(boolean(true)))
        },
        interrupt::<T>,
    )
}

/// The operation of `__aenter__()`, which gives nothing.
pub(super) const fn entering<T: Guard>(name: &'static str) -> Operation {
    Operation::new(
        name,
        |waiter, woken| {
            T::acquire(waiter.owner(), waiter, woken).unwrap_or_else(|| Poll::Ready(none()))
        },
        interrupt::<T>,
    )
}

fn interrupt<T: Guard>(waiter: &Obj<Waiter>, woken: bool, exception: &Object) -> Poll {
    match waiter.owner::<T>().give_up(woken) {
        Ok(()) => Poll::raise(exception),
        Err(raised) => Poll::Failed(raised),
    }
}

/// The names of the methods by which `async with` acquires and releases.
fn own_methods() -> [&'static Object; 2] {
    [&names().acquire, &names().release]
}

/// Looks whether the object's class has replaced `acquire` or `release`.
pub(super) fn inspect<T: Guard>(this: &Obj<T>) -> Result<()> {
    this.pristine().inspect(this, &own_methods())
}

/// Declares the methods of a guard.
pub(super) fn declare<T: Guard>(class: &mut Class<T>) {
    class
        .on_set_attribute(|this: &Obj<T>, name: &Object| {
            this.pristine().attribute_set(name, &own_methods());
        })
        .method0(c"locked", T::DOCS.locked, |this: &Obj<T>| this.is_locked())
        .async_method0(c"acquire", T::DOCS.acquire, |this: &Obj<T>| {
            Waiter::on(T::ACQUIRE, this)
        })
        .method0(c"release", T::DOCS.release, |this: &Obj<T>| this.release())
        .method0(c"__aenter__", T::DOCS.enter, T::enter)
        .method(c"__aexit__", T::DOCS.exit, T::exit);
    super::declare_waited(class);
}
