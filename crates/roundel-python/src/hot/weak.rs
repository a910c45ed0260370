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

    /// Whether somebody may have a weak reference to it. True if that can't be told.
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        // SAFETY: reads the type of a live object.
        let kind = unsafe { ffi::Py_TYPE(self.as_ptr()) };
        // SAFETY: a type that is ready.
        match usize::try_from(unsafe { (*kind).tp_weaklistoffset }) {
            Err(_) => true,
            Ok(0) => false,
            Ok(offset) => {
                // SAFETY: where the type says that its objects have the list of their weak references, or null.
                let list = unsafe { self.as_ptr().byte_add(offset).cast::<*mut ffi::PyObject>() };
                // SAFETY: as above.
                !unsafe { list.read() }.is_null()
            }
        }
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
