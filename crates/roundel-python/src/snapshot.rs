//! `Snapshot`: the context that a callback is to run in, before it is copied.
//!
//! Each callback runs in a copy of its own of the context in which it was handed in. Copying that at once makes one
//! more object per callback, which lies cold in memory when thousands of timers or calls from other threads wait.
//! A context's bindings are an immutable map, though; so callbacks that were handed in under the same bindings can
//! share a copy that nobody ever enters, and copy that when it is their turn. A copy that comes back unchanged, and
//! that nobody else has, is as good as new for the next.

use crate::hot::{
    Class, HotType, Obj, Object, Recent, Result, Slot, TypeCell, Visit, bindings, copy_context,
    copy_of,
};

/// A copy of a context that nobody enters.
pub(crate) struct Snapshot {
    context: Object,
    /// What tells the map of its bindings from others.
    bindings: usize,
    /// A copy to be used again.
    spare: Slot,
}

/// The last one made, for as long as somebody has it.
static RECENT: Recent = Recent::new();

impl Snapshot {
    /// A snapshot of the current context, or a copy where bindings can't be told apart.
    pub(crate) fn take() -> Result<Object> {
        let context = copy_context()?;
        let Some(bindings) = bindings(&context) else {
            return Ok(context);
        };
        if let Some(recent) = RECENT.get::<Self>()
            && recent.bindings == bindings
        {
            return Ok(recent.into_any());
        }
        let snapshot = Obj::create(Self {
            context,
            bindings,
            spare: Slot::empty(),
        });
        drop(RECENT.replace(&snapshot));
        Ok(snapshot.into_any())
    }

    /// A context of the caller's own with the same bindings.
    #[inline]
    pub(crate) fn copy(&self) -> Result<Object> {
        match self.spare.take() {
            Some(spare) => Ok(spare),
            None => copy_of(&self.context),
        }
    }

    /// Takes a [`copy`](Self::copy) back that has been left, for the next who wants one. Nobody can tell: not if
    /// somebody else has it, or would see it die, or has given it other bindings.
    #[inline]
    pub(crate) fn take_back(&self, copy: Object) {
        let is_as_new =
            copy.is_last() && !copy.is_watched() && bindings(&copy) == Some(self.bindings);
        if is_as_new {
            self.spare.set(Some(copy));
        }
    }
}

impl HotType for Snapshot {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.Snapshot";
    const FREELIST: usize = 16;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(_class: &mut Class<Self>) {}

    fn traverse(&self, visit: &mut Visit) {
        visit.object(&self.context);
        visit.slot(&self.spare);
    }

    /// It never changes: a cycle through it is broken by the handle that has it.
    fn clear(&self) {}

    fn retire(&self) {
        RECENT.forget(self);
    }
}
