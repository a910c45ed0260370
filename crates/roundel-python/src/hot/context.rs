//! `contextvars` contexts.

use std::ffi::{c_int, c_void};

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

/// `context.copy()`.
#[inline]
pub(crate) fn copy_of(context: &Object) -> Result<Object> {
    // SAFETY: Python checks that it is a context.
    let copy = unsafe { ffi::PyContext_Copy(context.as_ptr()) };
    // SAFETY: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(copy) }.ok_or_else(Raised::already)
}

/// What tells the bindings of a context that nobody has entered from those of others: the address of the immutable
/// map that they are in, which a copy shares, and which is good for as long as a context with it lives. `None` if
/// that is not to be found.
pub(crate) fn bindings(context: &Object) -> Option<usize> {
    /// The first object that was shown, and how many were.
    type Seen = (usize, usize);

    unsafe extern "C" fn see(object: *mut ffi::PyObject, seen: *mut c_void) -> c_int {
        // SAFETY: the place that is passed along below.
        let (first, count) = unsafe { &mut *seen.cast::<Seen>() };
        if *count == 0 {
            *first = object as usize;
        }
        *count += 1;
        0
    }

    if cfg!(Py_GIL_DISABLED) {
        return None;
    }
    // SAFETY: reads the type of a live object.
    let kind = unsafe { ffi::Py_TYPE(context.as_ptr()) };
    // SAFETY: a type that is ready.
    let traverse = unsafe { (*kind).tp_traverse }?;
    let mut seen: Seen = (0, 0);
    // SAFETY: the type's own way to show what an object of it refers to; `see` changes nothing.
    unsafe { traverse(context.as_ptr(), see, (&raw mut seen).cast()) };
    (seen.1 == 1).then_some(seen.0)
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
