//! Those who wait on a lock, event … or on a side of a queue, in the order in which they came.

use super::{Poll, Waiter};
use crate::hot::{
    Class, HotType, List, Obj, Object, Raised, Result, Slot, TypeCell, Visit, exceptions,
};

/// A list of waiters: parked ones, and such as were woken or cancelled and have not run yet.
pub(crate) struct Waiters(List<Waiter>);

impl Waiters {
    pub(crate) const fn new() -> Self {
        Self(List::new())
    }

    /// Has a waiter wait at the end of the list.
    #[inline]
    pub(crate) fn park(&self, waiter: &Obj<Waiter>) -> Poll {
        self.0.push_back(waiter.clone());
        Waiter::park(waiter)
    }

    /// Takes a waiter out, if it is in.
    #[inline]
    pub(crate) fn leave(&self, waiter: &Obj<Waiter>) {
        drop(self.0.remove(waiter));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.to_vec().len()
    }

    /// Whether somebody waits, or was woken and has not run yet.
    #[inline]
    pub(crate) fn is_contended(&self) -> bool {
        self.0.any(|waiter| !waiter.is_cancelled())
    }

    /// Wakes the first, unless it was woken or cancelled already.
    #[inline]
    pub(crate) fn wake_first(&self) -> Result<()> {
        match self.0.front() {
            Some(first) => Waiter::wake(&first),
            None => Ok(()),
        }
    }

    /// Wakes the first that waits, which stays in the list; false if nobody does.
    #[inline]
    pub(crate) fn wake_next(&self) -> Result<bool> {
        while let Some(waiter) = self.0.find(Waiter::is_parked) {
            if Waiter::try_wake(&waiter)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Wakes the first that waits, and takes it and all before it out of the list.
    #[inline]
    pub(crate) fn release_next(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        self.release_first()
    }

    #[inline(never)]
    fn release_first(&self) -> Result<()> {
        while let Some(waiter) = self.0.pop_front() {
            if Waiter::try_wake(&waiter)? {
                break;
            }
        }
        Ok(())
    }

    /// Wakes all that wait, and takes them out of the list.
    pub(crate) fn release_all(&self) -> Result<()> {
        while let Some(waiter) = self.0.pop_front() {
            Waiter::wake(&waiter)?;
        }
        Ok(())
    }

    /// Has all that wait raise an exception, and takes them out of the list.
    pub(crate) fn fail_all(&self, exception: &Object) -> Result<()> {
        while let Some(waiter) = self.0.pop_front() {
            if waiter.is_parked() {
                waiter.set_error(exception.clone());
            }
            Waiter::wake(&waiter)?;
        }
        Ok(())
    }

    /// Wakes the first `count` that wait, which stay in the list.
    pub(crate) fn wake(&self, count: usize) -> Result<()> {
        if count == 1 {
            return self.wake_next().map(drop);
        }
        let mut woken = 0;
        for waiter in self.0.to_vec() {
            if woken == count {
                break;
            }
            woken += usize::from(Waiter::try_wake(&waiter)?);
        }
        Ok(())
    }

    /// Wakes all that wait, which stay in the list.
    #[inline]
    pub(crate) fn wake_all(&self) -> Result<()> {
        if self.0.has_one() {
            return self.wake_first();
        }
        self.wake(usize::MAX)
    }

    /// Shows them to the garbage collector.
    pub(crate) fn traverse(&self, visit: &mut Visit) {
        self.0.traverse(visit);
    }

    /// Lets them go.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

impl Default for Waiters {
    fn default() -> Self {
        Self::new()
    }
}

/// Which list of its owner a view shows.
type Which = fn(&Object) -> &Waiters;

/// What `lock._waiters` or `queue._getters` gives: the list of the moment, as asyncio's deque of futures.
pub(crate) struct WaitersView {
    owner: Slot,
    which: Which,
}

impl WaitersView {
    /// A view of that list of `owner` which `which` gives.
    pub(crate) fn of<T: HotType>(owner: &Obj<T>, which: Which) -> Obj<Self> {
        Obj::create(Self {
            owner: Slot::new(Some(owner.as_any().clone())),
            which,
        })
    }

    /// Looks at the list.
    fn list<R>(&self, look: impl FnOnce(&List<Waiter>) -> R) -> Result<R> {
        match self.owner.get() {
            Some(owner) => Ok(look(&(self.which)(&owner).0)),
            None => Err(Raised::new(
                &exceptions::runtime_error(),
                "what waited is gone",
            )),
        }
    }

    fn len(this: &Obj<Self>) -> Result<usize> {
        this.list(|list| list.to_vec().len())
    }

    fn at(this: &Obj<Self>, index: usize) -> Result<Object> {
        let mut all = this.list(List::to_vec)?;
        if index >= all.len() {
            let text = "deque index out of range";
            return Err(Raised::new(&exceptions::index_error(), text));
        }
        Ok(Waiter::shown(all.swap_remove(index)))
    }

    fn append(this: &Obj<Self>, future: &Object) -> Result<()> {
        let waiter = Waiter::adopt(future);
        this.list(|list| list.push_back(waiter))
    }

    fn popleft(this: &Obj<Self>) -> Result<Object> {
        match this.list(List::pop_front)? {
            Some(waiter) => Ok(Waiter::shown(waiter)),
            None => Err(Raised::new(
                &exceptions::index_error(),
                "pop from an empty deque",
            )),
        }
    }

    fn remove(this: &Obj<Self>, future: &Object) -> Result<()> {
        for waiter in this.list(List::to_vec)? {
            if Waiter::shown(waiter.clone()).is(future) {
                let removed = this.list(|list| list.remove(&waiter))?;
                drop(removed);
                return Ok(());
            }
        }
        let text = "deque.remove(x): x not in deque";
        Err(Raised::new(&exceptions::value_error(), text))
    }
}

impl HotType for WaitersView {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Waiters";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Those who wait, as asyncio's deque of futures.")
            .length(Self::len)
            .item(Self::at)
            .method1(
                c"append",
                c"append($self, future, /)\n--\n\nAdd a future, whose result is set when it is its turn.",
                Self::append,
            )
            .method0(
                c"popleft",
                c"popleft($self, /)\n--\n\nTake out and return the first.\n\nRaises:\n    IndexError: there is none.",
                Self::popleft,
            )
            .method1(
                c"remove",
                c"remove($self, future, /)\n--\n\nTake a future out.\n\nRaises:\n    ValueError: it is not in.",
                Self::remove,
            )
            .method0(
                c"clear",
                c"clear($self, /)\n--\n\nTake all out.",
                |this: &Obj<Self>| this.list(List::clear),
            );
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.owner);
    }

    fn clear(&self) {
        self.owner.set(None);
    }
}
