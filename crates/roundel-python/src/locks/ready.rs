//! What `__aexit__` gives: there is nothing to wait for, so one object does for all.

use std::sync::OnceLock;

use crate::future_iterator::thrown;
use crate::hot::{Args, Class, HotType, Obj, Object, Result, Sent, Shared, TypeCell, Visit, none};

/// An awaitable that comes to `None` at once.
pub(crate) struct Ready;

/// The one there is.
#[inline]
pub(crate) fn ready() -> Object {
    static READY: OnceLock<Shared<Object>> = OnceLock::new();
    let ready = READY.get_or_init(|| Shared::new(Obj::create(Ready).into_any()));
    ready.get().clone()
}

impl Ready {
    fn throw(_this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        Err(thrown(args)?)
    }
}

impl HotType for Ready {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Ready";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;
    const TRACKED: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"An awaitable that comes to None at once.")
            .coroutine(|_: &Obj<Self>| Sent::Returned(none()))
            .method(
                c"throw",
                c"throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception at the await.",
                Self::throw,
            )
            .method0(
                c"close",
                c"close($self, /)\n--\n\nDo nothing.",
                |_: &Obj<Self>| {},
            );
    }

    fn traverse(&self, _visit: &mut Visit) {}

    fn clear(&self) {}
}
