//! What `iter(future)` gives to code that drives a future by hand.
//!
//! `await` does not need it: a future is advanced directly. But only this has `send`, `throw` and `close`; a
//! future that had them would pass for a coroutine.

use crate::future::Future;
use crate::hot::{
    Args, Class, HotType, Obj, Object, Raised, Result, Sent, Signature, Slot, TypeCell, Visit,
    exceptions, warn,
};
use crate::names::names;

/// An iterator over a future, which yields it until it is done.
pub(crate) struct FutureIterator {
    future: Slot<Future>,
}

impl FutureIterator {
    /// An iterator over `future`.
    pub(crate) fn of(future: &Obj<Future>) -> Self {
        Self {
            future: Slot::new(Some(future.clone())),
        }
    }

    fn advance(this: &Obj<Self>) -> Sent {
        match this.future.get() {
            Some(future) => Future::advance(&future),
            None => Sent::Returned(crate::hot::none()),
        }
    }

    fn throw(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        this.future.set(None);
        Err(thrown(args)?)
    }
}

/// Raises what `throw(exception)` or the old `throw(type, value, traceback)` was given.
pub(crate) fn thrown(args: &Args<'_>) -> Result<Raised> {
    static SIGNATURE: Signature<3> =
        Signature::method("throw", [c"typ", c"val", c"tb"]).required(1);
    let [kind, value, traceback] = SIGNATURE.bind(args)?;
    let kind = kind.expect("invariant: a required parameter is bound");
    if cfg!(Py_3_12) && value.is_some() {
        let text = c"the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead.";
        warn(&exceptions::deprecation_warning(), text, 1)?;
    }
    let invalid = |text| Err(Raised::new(&exceptions::type_error(), text));
    let traceback = traceback.and_then(Object::not_none);
    if let Some(traceback) = traceback
        && !traceback.is_instance(&names().traceback)?
    {
        return invalid("throw() third argument must be a traceback object");
    }
    let value = value.and_then(Object::not_none);
    let exception = match value {
        Some(_) if kind.is_exception() => {
            return invalid("instance exception may not have a separate value");
        }
        Some(value) if value.is_exception() => value.clone(),
        _ if kind.is_exception() => kind.clone(),
        _ if !kind.is_type() => return invalid(NOT_AN_EXCEPTION),
        Some(value) => kind.call([value])?,
        None => kind.call([])?,
    };
    if !exception.is_exception() {
        return invalid(NOT_AN_EXCEPTION);
    }
    if traceback.is_some() {
        exception.set_traceback(traceback);
    }
    Ok(Raised::throw(&exception))
}

const NOT_AN_EXCEPTION: &str =
    "exceptions must be classes deriving BaseException or instances of such a class";

impl HotType for FutureIterator {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.FutureIter";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .coroutine(Self::advance)
            .method(
                c"throw",
                c"throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception at the await.",
                Self::throw,
            )
            .method0(
                c"close",
                c"close($self, /)\n--\n\nStop waiting.",
                |this: &Obj<Self>| {
                    this.future.set(None);
                },
            );
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.future);
    }

    fn clear(&self) {
        self.future.set(None);
    }
}
