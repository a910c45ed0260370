//! `TimerHandle`: a callback that is run at a time.

use std::cell::Cell;

use super::Handle;
use crate::event_loop::EventLoop;
use crate::hot::{
    Args, Chain, Class, Comparison, Float, HotType, IntoObject, Obj, Object, Result, Signature,
    Slot, TypeCell, Visit, none,
};
use crate::names::names;

/// A handle that is run at a time (`asyncio.TimerHandle`).
#[derive(Default)]
pub(crate) struct TimerHandle {
    /// When, in seconds of the loop's clock.
    when: Cell<f64>,
    /// The time as it was given, if that was no float.
    given: Slot,
}

impl TimerHandle {
    /// Makes a timer. The caller puts it among the loop's timers.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn create(
        event_loop: &Obj<EventLoop>,
        when: f64,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
    ) -> Result<Obj<Self>> {
        let handle = Handle::prepare(event_loop, callback, arguments, context, true)?;
        let timer = Obj::create_chain(Chain {
            base: Chain {
                base: (),
                value: handle,
            },
            value: Self {
                when: Cell::new(when),
                given: Slot::empty(),
            },
        });
        if !event_loop.is_running() {
            Handle::track(timer.base());
        }
        Ok(timer)
    }

    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<5> = Signature::method(
            "TimerHandle.__init__",
            [c"when", c"callback", c"args", c"loop", c"context"],
        )
        .required(4);
        let [when, callback, arguments, event_loop, context] = SIGNATURE.bind(args)?;
        let (Some(when), Some(arguments), Some(event_loop)) = (when, arguments, event_loop) else {
            return Ok(());
        };
        this.when.set(Float::of(when)?);
        this.remember(Some(when));
        this.base().fill(callback, arguments, event_loop, context)
    }

    /// Keeps the time as it was given, which is told from a float only if it is a whole number.
    #[inline]
    pub(crate) fn remember(&self, when: Option<&Object>) {
        if let Some(when) = when.filter(|when| when.is_int()) {
            self.given.set(Some(when.clone()));
        }
    }

    /// The time, as it was given.
    pub(super) fn when(this: &Obj<Self>) -> Result<Object> {
        this.given
            .get()
            .map_or_else(|| this.when.get().into_object(), Ok)
    }

    /// Tells the loop that this need not fire.
    pub(super) fn tell_cancelled(this: &Obj<Self>, event_loop: &Object) -> Result<()> {
        match event_loop.downcast::<EventLoop>() {
            Some(native) if this.base().scheduled.get() => native.timer_cancelled(),
            Some(_) => {}
            None => {
                event_loop.call_method(&names()._timer_handle_cancelled, [this.as_any()])?;
            }
        }
        Ok(())
    }

    fn compare(this: &Obj<Self>, other: &Object, how: Comparison) -> Result<Object> {
        let Some(other) = other.downcast::<Self>() else {
            return Ok(names().not_implemented.clone());
        };
        let (own, others) = (this.when.get(), other.when.get());
        match how {
            Comparison::Less => (own < others).into_object(),
            Comparison::LessOrEqual => (own < others || Self::equal(this, other)?).into_object(),
            Comparison::Greater => (own > others).into_object(),
            Comparison::GreaterOrEqual => (own > others || Self::equal(this, other)?).into_object(),
            Comparison::Equal => Self::equal(this, other)?.into_object(),
            Comparison::NotEqual => (!Self::equal(this, other)?).into_object(),
        }
    }

    /// Whether both are for the same time, callback and arguments.
    #[expect(clippy::float_cmp, reason = "the very same time is meant")]
    fn equal(this: &Obj<Self>, other: &Obj<Self>) -> Result<bool> {
        let (own, others) = (this.base(), other.base());
        let callback = own.callback.get().unwrap_or_else(none);
        Ok(this.when.get() == other.when.get()
            && own.cancelled.get() == others.cancelled.get()
            && callback.equals(&others.callback.get().unwrap_or_else(none))?
            && own.arguments_tuple()?.equals(&others.arguments_tuple()?)?)
    }
}

impl HotType for TimerHandle {
    type Base = Handle;
    const NAME: &'static std::ffi::CStr = c"roundel.TimerHandle";
    const FREELIST: usize = 1024;
    const TRACKED: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"TimerHandle(when, callback, args, loop, context=None)\n--\n\nA callback scheduled by call_later() or call_at() (asyncio.TimerHandle).")
            .init(Self::init)
            .compare(Self::compare)
            .hash(|this: &Obj<Self>| Self::when(this)?.hash())
            .method0(
                c"when",
                c"when($self, /)\n--\n\nReturn the time of the callback, in seconds of loop.time().",
                Self::when,
            )
            .poses_as(|| names().timer_handle.clone())
            .getter(c"_when", Self::when)
            .property(
                c"_scheduled",
                |this: &Obj<Self>| this.base().scheduled.get(),
                |this: &Obj<Self>, value: &Object| {
                    this.base().scheduled.set(value.truth()?);
                    Ok(())
                },
            );
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.given);
    }

    fn clear(&self) {
        self.given.set(None);
    }

    #[inline]
    fn may_be_tracked(this: &Obj<Self>) -> bool {
        this.base().tracked.get()
    }
}
