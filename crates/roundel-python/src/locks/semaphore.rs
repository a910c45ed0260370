//! `Semaphore` and `BoundedSemaphore`: so many at a time.

use std::cell::Cell;

use super::{Binding, Bound, Pristine, describe, describe_waiters, guarding_methods, ready};
use crate::hot::{
    Args, Class, Float, HotType, IntoObject, Obj, Object, Raised, Result, Signature, TypeCell,
    Visit, boolean, exceptions, none,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, WaitersView, attempt};

/// So many permits that tasks acquire and release (`asyncio.Semaphore`).
pub(crate) struct Semaphore {
    waiters: Waiters,
    binding: Binding,
    /// How many permits are left. As asyncio's it may be infinite, or have a fraction.
    value: Cell<f64>,
    /// What the value must not exceed, if it is bounded.
    bound: Cell<Option<f64>>,
    /// The value was given as a float and is shown as one.
    is_float: Cell<bool>,
    pristine: Pristine,
}

impl Default for Semaphore {
    fn default() -> Self {
        Self {
            waiters: Waiters::new(),
            binding: Binding::default(),
            value: Cell::new(1.0),
            bound: Cell::default(),
            is_float: Cell::new(false),
            pristine: Pristine::new(),
        }
    }
}

static ACQUIRE: Operation = Operation {
    name: "Semaphore.acquire",
    poll: |waiter, woken| acquire(waiter, woken, || boolean(true)),
    interrupt,
};

/// `__aenter__`, which gives nothing.
static ENTER: Operation = Operation {
    name: "Semaphore.acquire",
    poll: |waiter, woken| acquire(waiter, woken, none),
    interrupt,
};

#[inline]
fn acquire(waiter: &Obj<Waiter>, woken: bool, result: impl Fn() -> Object) -> Poll {
    let semaphore = waiter.owner::<Semaphore>();
    if woken {
        // Its permit was set apart when it was woken. More may have come that had to let it go first.
        semaphore.waiters.leave(waiter);
        attempt!(semaphore.wake_all_allowed());
    } else if semaphore.is_locked() {
        attempt!(Binding::check(semaphore));
        return semaphore.waiters.park(waiter);
    } else {
        semaphore.add(-1.0);
    }
    Poll::Ready(result())
}

fn interrupt(waiter: &Obj<Waiter>, woken: bool, exception: &Object) -> Poll {
    let semaphore = waiter.owner::<Semaphore>();
    if woken {
        semaphore.add(1.0);
    }
    attempt!(semaphore.wake_all_allowed());
    Poll::raise(exception)
}

impl Semaphore {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("Semaphore.__init__", [c"value"]).required(0);
        let [value] = SIGNATURE.bind(args)?;
        Self::fill(this, value)
    }

    fn fill(this: &Obj<Self>, value: Option<&Object>) -> Result<()> {
        if let Some(value) = value {
            let zero = 0_i64.into_object()?;
            if value.less(&zero)? {
                let text = "Semaphore initial value must be >= 0";
                return Err(Raised::new(&exceptions::value_error(), text));
            }
            this.set_value(value)?;
        }
        this.pristine.inspect(this, &guarding_methods())
    }

    fn set_value(&self, value: &Object) -> Result<()> {
        self.value.set(Float::of(value)?);
        self.is_float.set(value.is_float());
        Ok(())
    }

    /// A number of permits as Python shows it.
    fn shown(&self, permits: f64) -> Result<Object> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "was an integer, and a cast of a float saturates"
        )]
        if self.is_float.get() {
            permits.into_object()
        } else {
            (permits as i64).into_object()
        }
    }

    #[inline]
    fn add(&self, permits: f64) {
        self.value.set(self.value.get() + permits);
    }

    /// Whether a permit can't be had at once: there is none, or others come first.
    #[inline]
    fn is_locked(&self) -> bool {
        self.value.get() == 0.0 || self.waiters.is_contended()
    }

    /// Wakes the first that waits and sets a permit apart for it; false if nobody waits.
    #[inline]
    fn wake_next(&self) -> Result<bool> {
        let woken = self.waiters.wake_next()?;
        if woken {
            self.add(-1.0);
        }
        Ok(woken)
    }

    #[inline]
    fn wake_all_allowed(&self) -> Result<()> {
        while self.value.get() > 0.0 && self.wake_next()? {}
        Ok(())
    }

    /// Raises `ValueError` if it is bounded and nobody holds a permit.
    #[inline]
    fn release(&self) -> Result<()> {
        if self
            .bound
            .get()
            .is_some_and(|bound| self.value.get() >= bound)
        {
            let text = "BoundedSemaphore released too many times";
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        self.add(1.0);
        self.wake_next().map(drop)
    }

    #[inline]
    fn enter(this: &Obj<Self>) -> Result<Object> {
        if this.pristine.get() {
            return Waiter::on(&ENTER, this).into_object();
        }
        this.as_any().call_method(&names().acquire, [])
    }

    #[inline]
    fn exit(this: &Obj<Self>, _args: &Args<'_>) -> Result<Object> {
        if this.pristine.get() {
            this.release()?;
        } else {
            this.as_any().call_method(&names().release, [])?;
        }
        Ok(ready::ready())
    }

    /// The state, as `repr` shows it.
    fn state(&self) -> Result<String> {
        let waiters = describe_waiters(&self.waiters);
        if self.is_locked() {
            return Ok(format!("locked{waiters}"));
        }
        let value = crate::hot::Str::of(&self.shown(self.value.get())?)?;
        Ok(format!("unlocked, value:{value}{waiters}"))
    }
}

impl Bound for Semaphore {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}

impl HotType for Semaphore {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Semaphore";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Semaphore(value=1)\n--\n\nSo many permits that tasks acquire and release (asyncio.Semaphore).\n\nRaises:\n    ValueError: the value is negative.")
            .poses_as(|| names().semaphore.clone())
            .init(Self::init)
            .repr(|this: &Obj<Self>| describe(this, &this.state()?))
            .on_set_attribute(|this: &Obj<Self>, name: &Object| {
                this.pristine.attribute_set(name, &guarding_methods());
            })
            .method0(
                c"locked",
                c"locked($self, /)\n--\n\nReturn True if a permit can't be had at once.",
                |this: &Obj<Self>| this.is_locked(),
            )
            .method0(
                c"acquire",
                c"acquire($self, /)\n--\n\nWait until there is a permit, take it and return True.",
                |this: &Obj<Self>| Waiter::on(&ACQUIRE, this),
            )
            .method0(
                c"release",
                c"release($self, /)\n--\n\nGive a permit back; who waits longest gets it.",
                |this: &Obj<Self>| this.release(),
            )
            .method0(
                c"__aenter__",
                c"__aenter__($self, /)\n--\n\nTake a permit.",
                Self::enter,
            )
            .method(
                c"__aexit__",
                c"__aexit__($self, exc_type, exc, tb, /)\n--\n\nGive the permit back.",
                Self::exit,
            )
            .property(
                c"_value",
                |this: &Obj<Self>| this.shown(this.value.get()),
                |this: &Obj<Self>, value: &Object| this.set_value(value),
            )
            .getter(c"_waiters", |this: &Obj<Self>| {
                WaitersView::of(this, |owner| &owner.known::<Self>().waiters)
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

/// A semaphore that is not released more often than acquired (`asyncio.BoundedSemaphore`).
#[derive(Default)]
pub(crate) struct BoundedSemaphore;

impl BoundedSemaphore {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("BoundedSemaphore.__init__", [c"value"]).required(0);
        let [value] = SIGNATURE.bind(args)?;
        Semaphore::fill(this.base(), value)?;
        this.base().bound.set(Some(this.base().value.get()));
        Ok(())
    }
}

impl HotType for BoundedSemaphore {
    type Base = Semaphore;
    const NAME: &'static std::ffi::CStr = c"roundel.BoundedSemaphore";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"BoundedSemaphore(value=1)\n--\n\nA semaphore whose release() raises ValueError when nobody holds a permit (asyncio.BoundedSemaphore).")
            .poses_as(|| names().bounded_semaphore.clone())
            .init(Self::init)
            .repr(|this: &Obj<Self>| describe(this, &this.base().state()?))
            .property(
                c"_bound_value",
                |this: &Obj<Self>| {
                    let bound = this.base().bound.get();
                    bound.map(|bound| this.base().shown(bound)).into_object()
                },
                |this: &Obj<Self>, value: &Object| {
                    this.base().bound.set(Some(Float::of(value)?));
                    Ok(())
                },
            );
    }

    fn traverse(&self, _visit: &mut Visit) {}

    fn clear(&self) {}
}
