//! The last object of a type that was made, known without being owned.

use std::ptr;

use pyo3_ffi::PyObject;

use super::gil::GilCell;
use super::native::HotType;
use super::object::Obj;

/// Knows the object of a type that was made last, for as long as it lives.
///
/// Most objects of such a type die before the next is made, and are nothing to the garbage collector. Who makes the
/// next one hears of the one that did not.
pub(crate) struct Recent(GilCell<*mut PyObject>);

impl Recent {
    pub(crate) const fn new() -> Self {
        Self(GilCell::new(ptr::null_mut()))
    }

    /// Remembers `object`, which must [leave](Self::forget) in its `retire`; gives the one before, if it lives.
    #[inline]
    pub(crate) fn replace<T: HotType>(&self, object: &Obj<T>) -> Option<Obj<T>> {
        self.swap(object.as_ptr())
    }

    /// The last one, if it lives.
    #[inline]
    pub(crate) fn get<T: HotType>(&self) -> Option<Obj<T>> {
        let last = self.0.with(|last| *last);
        if last.is_null() {
            return None;
        }
        // SAFETY: as in `swap`.
        Some(unsafe { Obj::share(last) })
    }

    /// Whether the last one lives. Not known without the GIL, and so as if it did.
    #[inline]
    pub(crate) fn lives(&self) -> bool {
        cfg!(Py_GIL_DISABLED) || self.0.with(|last| !last.is_null())
    }

    /// Gives the last one, if it lives, and forgets it.
    #[inline]
    pub(crate) fn take<T: HotType>(&self) -> Option<Obj<T>> {
        self.swap(ptr::null_mut())
    }

    #[inline]
    fn swap<T: HotType>(&self, pointer: *mut PyObject) -> Option<Obj<T>> {
        if cfg!(Py_GIL_DISABLED) {
            return None;
        }
        let previous = self.0.with(|last| std::mem::replace(last, pointer));
        if previous.is_null() {
            return None;
        }
        // SAFETY: lives, since it would have left; each user has objects of one type in it.
        Some(unsafe { Obj::share(previous) })
    }

    /// Forgets the object with this value, which dies.
    #[inline]
    pub(crate) fn forget<T: HotType>(&self, value: &T) {
        if cfg!(Py_GIL_DISABLED) {
            return;
        }
        self.0.with(|last| {
            if Obj::<T>::has_value(*last, value) {
                *last = ptr::null_mut();
            }
        });
    }
}
