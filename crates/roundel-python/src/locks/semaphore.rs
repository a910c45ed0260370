//! `Semaphore` and `BoundedSemaphore`: so many at a time.

use std::cell::Cell;

use super::guard::{self, Docs, Guard};
use super::{Binding, Bound, Pristine, Waited, describe_waited};
use crate::hot::{
    Args, Class, Float, HotType, IntoObject, Obj, Object, Raised, Result, Signature, Str, TypeCell,
    Visit, exceptions,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters};

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
            waiters: Waiters::default(),
            binding: Binding::default(),
            value: Cell::new(1.0),
            bound: Cell::default(),
            is_float: Cell::new(false),
            pristine: Pristine::default(),
        }
    }
}

static ACQUIRE: Operation = guard::acquiring::<Semaphore>("Semaphore.acquire");
static ENTER: Operation = guard::entering::<Semaphore>("Semaphore.acquire");

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
        guard::inspect(this)
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

    /// The state, as `repr` shows it.
    fn state(&self) -> Result<String> {
        if self.is_locked() {
            return Ok(String::from("locked"));
        }
        let value = Str::of(&self.shown(self.value.get())?)?;
        Ok(format!("unlocked, value:{value}"))
    }
}

impl Guard for Semaphore {
    const ACQUIRE: &'static Operation = &ACQUIRE;
    const ENTER: &'static Operation = &ENTER;
    const DOCS: Docs = Docs {
        locked: c"locked($self, /)\n--\n\nReturn True if a permit can't be had at once.",
        acquire: c"acquire($self, /)\n--\n\nWait until there is a permit, take it and return True.",
        release: c"release($self, /)\n--\n\nGive a permit back; who waits longest gets it.",
        enter: c"__aenter__($self, /)\n--\n\nTake a permit.",
        exit: c"__aexit__($self, exc_type, exc, tb, /)\n--\n\nGive the permit back.",
    };

    #[inline]
    fn pristine(&self) -> &Pristine {
        &self.pristine
    }

    /// Whether there is no permit, or others come first.
    #[inline]
    fn is_locked(&self) -> bool {
        self.value.get() == 0.0 || self.waiters.is_contended()
    }

    #[inline]
    fn acquire(this: &Obj<Self>, waiter: &Obj<Waiter>, woken: bool) -> Option<Poll> {
        if woken {
            // Its permit was set apart when it was woken. More may have come that had to let it go first.
            this.waiters.leave(waiter);
            return this.wake_all_allowed().map_err(Poll::Failed).err();
        }
        if this.is_locked() {
            let checked = Binding::check(this).map_err(Poll::Failed);
            return Some(checked.map_or_else(|failed| failed, |()| this.waiters.park(waiter)));
        }
        this.add(-1.0);
        None
    }

    fn give_up(&self, woken: bool) -> Result<()> {
        if woken {
            self.add(1.0);
        }
        self.wake_all_allowed()
    }

    /// Raises `ValueError` if it is bounded and nobody holds a permit.
    #[inline]
    fn release(&self) -> Result<()> {
        let value = self.value.get();
        if self.bound.get().is_some_and(|bound| value >= bound) {
            let text = "BoundedSemaphore released too many times";
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        self.add(1.0);
        self.wake_next().map(drop)
    }
}

impl Bound for Semaphore {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}

impl Waited for Semaphore {
    fn waiters(&self) -> &Waiters {
        &self.waiters
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
            .repr(|this: &Obj<Self>| describe_waited(this, &this.waiters, &this.state()?))
            .property(
                c"_value",
                |this: &Obj<Self>| this.shown(this.value.get()),
                |this: &Obj<Self>, value: &Object| this.set_value(value),
            );
        guard::declare(class);
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
            .repr(|this: &Obj<Self>| {
                let semaphore = this.base();
                describe_waited(this, &semaphore.waiters, &semaphore.state()?)
            })
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
