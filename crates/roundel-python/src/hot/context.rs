//! `contextvars` contexts.

use pyo3_ffi as ffi;

use super::error::{Raised, Result};
use super::object::{Obj, Object};

/// `contextvars.copy_context()`.
#[inline]
pub(crate) fn copy_context() -> Result<Object> {
    // SAFETY: always allowed.
    let copy = unsafe { ffi::PyContext_CopyCurrent() };
    // SAFETY: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(copy) }.ok_or_else(Raised::already)
}

impl Object {
    /// Whether it is a `contextvars.Context`, which has no derived classes.
    #[inline]
    pub(crate) fn is_context(&self) -> bool {
        // SAFETY: reads the type of a live object.
        unsafe { ffi::PyContext_CheckExact(self.as_ptr()) != 0 }
    }
}

/// A context that is the current one until this is dropped.
#[derive(Debug)]
pub(crate) struct Entered<'a>(&'a Object);

impl<'a> Entered<'a> {
    /// Makes `context` the current one. Raises what `Context.run` would.
    #[inline]
    pub(crate) fn new(context: &'a Object) -> Result<Self> {
        // SAFETY: Python checks that it is a context that nobody has entered.
        match unsafe { ffi::PyContext_Enter(context.as_ptr()) } {
            0 => Ok(Self(context)),
            _ => Err(Raised::already()),
        }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: entered by us, and left in the order opposite to entering. Cannot fail then. An exception that
        // is on its way is not touched.
        unsafe { ffi::PyContext_Exit(self.0.as_ptr()) };
    }
}
