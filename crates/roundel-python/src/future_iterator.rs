//! What `iter(future)` gives to code that drives a future by hand.
//!
//! `await` does not need it: a future is advanced directly. But only this has `send`, `throw` and `close`; a
//! future that had them would pass for a coroutine.

use crate::future::Future;
use crate::hot::{
    Args, Class, HotType, Obj, Object, Raised, Result, Sent, Signature, Slot, TypeCell, Visit,
};

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
    use crate::hot::exceptions;
    static SIGNATURE: Signature<3> =
        Signature::method("throw", [c"typ", c"val", c"tb"]).required(1);
    let [kind, value, traceback] = SIGNATURE.bind(args)?;
    let kind = kind.expect("invariant: a required parameter is bound");
    let invalid = |text| Err(Raised::new(&exceptions::type_error(), text));
    let value = value.and_then(Object::not_none);
    let exception = match (kind.is_exception(), value) {
        (true, Some(_)) => return invalid("instance exception may not have a separate value"),
        (true, None) => kind.clone(),
        (false, Some(value)) if value.is_exception() => value.clone(),
        (false, _) if !kind.is_type() => {
            return invalid(
                "exceptions must be classes deriving BaseException or instances of such a class",
            );
        }
        (false, Some(value)) => kind.call([value])?,
        (false, None) => kind.call([])?,
    };
    if let Some(traceback) = traceback.and_then(Object::not_none) {
        exception.set_traceback(Some(traceback));
    }
    Ok(Raised::throw(&exception))
}

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
