//! What Python sees of a `Waiter`.

use super::{RECENT, State, Waiter, guests};
use crate::hot::{Class, HotType, Obj, TypeCell, Visit, none};

impl HotType for Waiter {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Waiter";
    const FREELIST: usize = 1024;
    /// Most never park, and die before the next is made: see `RECENT`.
    const TRACKED: bool = false;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"An awaitable operation, as asyncio's coroutine methods return.")
            .coroutine_by(|this: &Obj<Self>| this.operation.next, Self::advance)
            .method(
                c"throw",
                c"throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception at the await.",
                Self::throw,
            )
            .method0(
                c"close",
                c"close($self, /)\n--\n\nEnd the operation.",
                Self::close,
            )
            .repr(Self::repr)
            .getter(c"__name__", |this: &Obj<Self>| this.method_name())
            .getter(c"__qualname__", |this: &Obj<Self>| this.operation.name)
            .getter(c"_operation", |this: &Obj<Self>| this.method_name())
            .getter(c"_owner", |this: &Obj<Self>| this.owner.get().cloned())
            .getter(c"cr_running", |_: &Obj<Self>| false)
            .getter(c"cr_frame", |_: &Obj<Self>| none())
            .getter(c"cr_await", |this: &Obj<Self>| this.delegate());
        guests::declare(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.owner
            .get()
            .into_iter()
            .for_each(|owner| visit.object(owner));
        visit.slot(&self.item);
        visit.slot(&self.task);
        let Some(rare) = self.rare.take() else { return };
        rare.guests.iter().for_each(|guest| guest.traverse(visit));
        [&rare.event_loop, &rare.message, &rare.error, &rare.delegate]
            .into_iter()
            .flatten()
            .for_each(|object| visit.object(object));
        self.rare.set(Some(rare));
    }

    fn clear(&self) {
        self.item.set(None);
        self.task.set(None);
        drop(self.rare.take());
    }

    #[inline]
    fn vanish(&mut self) -> bool {
        let is_spent = self.state.get() == State::Done && !self.tracked.get();
        if !is_spent || self.item.is_set() || self.task.is_set() || self.rare.get_mut().is_some() {
            return false;
        }
        if self.owner.get().is_some_and(Obj::is_last) {
            return false;
        }
        drop(self.owner.take());
        true
    }

    fn retire(&self) {
        RECENT.forget(self);
    }

    #[inline]
    fn may_be_tracked(this: &Obj<Self>) -> bool {
        this.tracked.get()
    }

    #[inline]
    fn wants_finalizer(this: &Obj<Self>) -> bool {
        matches!(this.state.get(), State::New | State::Woken)
    }

    fn finalize(this: &Obj<Self>) {
        let ended = match this.state.get() {
            State::New => this.warn_unawaited(),
            _ => Self::close(this),
        };
        if let Err(raised) = ended {
            raised.unraisable(this.as_any());
        }
    }
}
