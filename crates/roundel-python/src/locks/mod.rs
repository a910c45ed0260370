//! Lock, Event, Condition, Semaphore, Barrier: a little state and a list of those who wait.
//!
//! Who gets what, and after how many turns of the loop, is as in asyncio of `CPython` 3.13, on every version. Two
//! rules make up most of it:
//!
//! - who was woken or cancelled stays in the list until it runs, and nobody overtakes it meanwhile;
//! - who was woken and can't use its turn passes it on.

mod barrier;
mod condition;
mod event;
mod guard;
mod lock;
mod ready;
mod semaphore;

use std::cell::Cell;

pub(crate) use event::Event;
pub(crate) use ready::ready;

use crate::hot::{
    Class, HotType, IntoObject, Module, Obj, Object, Raised, Result, Slot, Str, Visit, exceptions,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::waiter::{Waiters, WaitersView};

/// Adds the types to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module
        .class::<lock::Lock>()?
        .class::<event::Event>()?
        .class::<condition::Condition>()?
        .class::<semaphore::Semaphore>()?
        .class::<semaphore::BoundedSemaphore>()?
        .class::<barrier::Barrier>()?
        .class::<ready::Ready>()?;
    Ok(())
}

/// The loop in which a primitive is used: the one that ran when somebody had to wait for the first time.
#[derive(Default)]
pub(crate) struct Binding(Slot);

/// A primitive that belongs to one loop.
pub(crate) trait Bound: HotType {
    /// Which one.
    fn binding(&self) -> &Binding;
}

impl Binding {
    /// Raises `RuntimeError` if the loop that runs is another one.
    #[inline]
    pub(crate) fn check<T: Bound>(this: &Obj<T>) -> Result<()> {
        let running = LoopRef::running()?;
        let bound = &this.binding().0;
        if bound.holds(running.object()) {
            return Ok(());
        }
        if !bound.is_set() {
            bound.set(Some(running.object().clone()));
            return Ok(());
        }
        let text = format!(
            "{} is bound to a different event loop",
            Str::repr(this.as_any())?
        );
        Err(Raised::new(&exceptions::runtime_error(), text))
    }

    /// Declares `_loop` and `_get_loop()`.
    pub(crate) fn declare<T: Bound>(class: &mut Class<T>) {
        class
            .property(
                c"_loop",
                |this: &Obj<T>| this.binding().0.get(),
                |this: &Obj<T>, value: &Object| {
                    this.binding().0.set(value.not_none().cloned());
                    Ok(())
                },
            )
            .method0(
                c"_get_loop",
                c"_get_loop($self, /)\n--\n\nReturn the running loop.\n\nRaises:\n    RuntimeError: it is not the one that this belongs to.",
                |this: &Obj<T>| {
                    Self::check(this)?;
                    this.binding().0.get().into_object()
                },
            );
    }

    pub(crate) fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.0);
    }

    pub(crate) fn clear(&self) {
        self.0.set(None);
    }
}

/// A primitive that tasks wait for, with one list of those who do.
trait Waited: Bound {
    /// The list.
    fn waiters(&self) -> &Waiters;
}

/// Declares what is to be seen of the loop and of those who wait.
fn declare_waited<T: Waited>(class: &mut Class<T>) {
    class.getter(c"_waiters", |this: &Obj<T>| {
        WaitersView::of(this, |owner| owner.known::<T>().waiters())
    });
    Binding::declare(class);
}

/// Whether nobody has replaced the methods that other methods call, in a derived class or on the object.
#[derive(Debug)]
pub(crate) struct Pristine(Cell<bool>);

impl Default for Pristine {
    fn default() -> Self {
        Self(Cell::new(true))
    }
}

impl Pristine {
    #[inline]
    pub(crate) fn get(&self) -> bool {
        self.0.get()
    }

    /// Looks whether the object's class has replaced one of `methods`.
    pub(crate) fn inspect<T: HotType>(&self, this: &Obj<T>, methods: &[&Object]) -> Result<()> {
        if this.is_exact() {
            return Ok(());
        }
        let (ours, theirs) = (T::cell().object(), this.as_any().type_of());
        for method in methods {
            if !ours.attr(method)?.is(&theirs.attr(method)?) {
                self.0.set(false);
            }
        }
        Ok(())
    }

    /// Hears that an attribute of the object is set.
    pub(crate) fn attribute_set(&self, attribute: &Object, methods: &[&Object]) {
        if methods.iter().any(|method| method.is(attribute)) {
            self.0.set(false);
        }
    }
}

/// The representation with `state` and the number of those who wait.
fn describe_waited<T: HotType>(this: &Obj<T>, waiters: &Waiters, state: &str) -> Result<Object> {
    match waiters.len() {
        0 => describe(this, state),
        count => describe(this, &format!("{state}, waiters:{count}")),
    }
}

/// The representation: Python's usual one, with what is to be known of the state.
fn describe<T: HotType>(this: &Obj<T>, state: &str) -> Result<Object> {
    let kind = this.as_any().type_of();
    let name = Str::of(&kind.attr(&names().__qualname__)?)?;
    let module = if kind.is(&T::cell().object()) {
        String::from("asyncio.locks")
    } else {
        Str::of(&kind.attr(&names().__module__)?)?
    };
    format!(
        "<{module}.{name} object at {:#x} [{state}]>",
        this.address()
    )
    .into_object()
}
