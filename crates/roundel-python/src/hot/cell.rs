//! What hot objects keep references in.
//!
//! Every operation ends before it gives a reference back or drops one, so Python code that runs
//! because of it finds the cell in order.

use std::cell::UnsafeCell;
use std::collections::VecDeque;

use pyo3_ffi::PyObject;

use super::native::Visit;
use super::object::{Any, Obj};

/// Room for one reference.
pub(crate) struct Slot<T = Any>(UnsafeCell<Option<Obj<T>>>);

impl<T> Slot<T> {
    /// An empty slot.
    pub(crate) const fn empty() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// A slot that holds `object`.
    pub(crate) const fn new(object: Option<Obj<T>>) -> Self {
        Self(UnsafeCell::new(object))
    }

    /// A reference of the caller's own to what is held.
    #[inline]
    pub(crate) fn get(&self) -> Option<Obj<T>> {
        // SAFETY: not shared between threads; nothing runs that could change it meanwhile.
        unsafe { (*self.0.get()).clone() }
    }

    /// Puts `object` in; what was held is dropped after.
    #[inline]
    pub(crate) fn set(&self, object: Option<Obj<T>>) {
        drop(self.replace(object));
    }

    /// Puts `object` in and gives back what was held.
    #[inline]
    pub(crate) fn replace(&self, object: Option<Obj<T>>) -> Option<Obj<T>> {
        // SAFETY: as in `get`; the old value leaves before it is dropped.
        std::mem::replace(unsafe { &mut *self.0.get() }, object)
    }

    /// Takes what is held out.
    #[inline]
    pub(crate) fn take(&self) -> Option<Obj<T>> {
        self.replace(None)
    }

    /// Whether something is held.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.peek_ptr().is_some()
    }

    /// Whether `object` is what is held.
    #[inline]
    pub(crate) fn holds<U>(&self, object: &Obj<U>) -> bool {
        self.peek_ptr() == Some(object.as_ptr())
    }

    #[inline]
    pub(super) fn peek_ptr(&self) -> Option<*mut PyObject> {
        // SAFETY: as in `get`.
        unsafe { (*self.0.get()).as_ref() }.map(Obj::as_ptr)
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::empty()
    }
}

/// A double-ended queue of values that own references.
pub(crate) struct Deque<T>(UnsafeCell<VecDeque<T>>);

impl<T> Deque<T> {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(VecDeque::new()))
    }

    #[inline]
    #[expect(
        clippy::mut_from_ref,
        reason = "each use ends before any other can begin"
    )]
    fn inner(&self) -> &mut VecDeque<T> {
        // SAFETY: not shared between threads, and no caller below runs foreign code while it uses this.
        unsafe { &mut *self.0.get() }
    }

    /// Adds at the end.
    #[inline]
    pub(crate) fn push_back(&self, value: T) {
        self.inner().push_back(value);
    }

    /// Whether one more can be added without asking for memory.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        let inner = self.inner();
        inner.len() < inner.capacity()
    }

    /// Adds at the front.
    #[inline]
    pub(crate) fn push_front(&self, value: T) {
        self.inner().push_front(value);
    }

    /// Takes from the front.
    #[inline]
    pub(crate) fn pop_front(&self) -> Option<T> {
        self.inner().pop_front()
    }

    /// Puts `value` in the place of another, which it gives back; `None` if there is no such place.
    #[inline]
    pub(crate) fn replace(&self, index: usize, value: T) -> Option<T> {
        let place = self.inner().get_mut(index)?;
        Some(std::mem::replace(place, value))
    }

    /// What `read`, which must not change this, finds at a place; `None` if there is no such place.
    #[inline]
    pub(crate) fn look<R>(&self, index: usize, read: impl FnOnce(&T) -> R) -> Option<R> {
        self.inner().get(index).map(read)
    }

    /// Whether there is a first value, and `test`, which must not change this, says yes to it.
    #[inline]
    pub(crate) fn front_is(&self, test: impl FnOnce(&T) -> bool) -> bool {
        self.inner().front().is_some_and(test)
    }

    /// Takes from the end.
    #[inline]
    pub(crate) fn pop_back(&self) -> Option<T> {
        self.inner().pop_back()
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.inner().len()
    }

    /// Whether there are none.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.inner().is_empty()
    }

    /// Takes all of them out.
    pub(crate) fn take(&self) -> VecDeque<T> {
        std::mem::take(self.inner())
    }

    /// Copies of all, in order.
    pub(crate) fn to_vec(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.inner().iter().cloned().collect()
    }

    /// Shows each to the garbage collector by `f`.
    pub(crate) fn traverse(&self, visit: &mut Visit, f: impl Fn(&T, &mut Visit)) {
        for value in self.inner().iter() {
            f(value, visit);
        }
    }
}

impl<T> Default for Deque<T> {
    fn default() -> Self {
        Self::new()
    }
}
