//! Weak references.

use pyo3_ffi as ffi;

use super::error::{Raised, Result};
use super::object::Object;

impl Object {
    /// A `weakref.ref` to the object; the same one each time while it is kept.
    pub(crate) fn weak_reference(&self) -> Result<Self> {
        // SAFETY: takes any object; no callback. Gives a new reference or sets the error indicator.
        let weak = unsafe { ffi::PyWeakref_NewRef(self.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: as above.
        unsafe { Self::steal(weak) }.ok_or_else(Raised::already)
    }

    /// What a `weakref.ref` refers to, if that still lives; nothing for any other object.
    #[inline]
    pub(crate) fn referent(&self) -> Option<Self> {
        // SAFETY: only reads the type.
        if unsafe { ffi::PyWeakref_CheckRef(self.as_ptr()) } == 0 {
            return None;
        }
        let mut referent = std::ptr::null_mut();
        // SAFETY: a weak reference; the place is filled with a new reference, or null.
        unsafe { ffi::compat::PyWeakref_GetRef(self.as_ptr(), &raw mut referent) };
        // SAFETY: as above.
        unsafe { Self::steal(referent) }
    }
}
