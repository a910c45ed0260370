//! Python exceptions as Rust errors.

use std::ffi::{CStr, CString};
use std::fmt::Display;

use pyo3_ffi as ffi;
use pyo3_ffi::PyObject;

use super::object::{Obj, Object};

/// Python's error indicator is set.
///
/// Holds nothing: the exception waits in the interpreter, where C keeps it, so handing an error up costs
/// what returning null costs. Whoever has a `Raised` returns it to Python or takes the exception out with
/// [`fetch`](Self::fetch) before anything else of Python runs.
#[derive(Debug)]
#[must_use = "Python's error indicator is set: return this or fetch the exception"]
pub(crate) struct Raised(());

/// Does what may come back to where it is called; raises `RecursionError` when that is too deep for the stack.
pub(crate) fn recurse<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    /// Also when `f` panics.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            // SAFETY: this thread has entered.
            unsafe { ffi::Py_LeaveRecursiveCall() };
        }
    }
    // SAFETY: called by an attached thread, with a C string.
    if unsafe { ffi::Py_EnterRecursiveCall(c"".as_ptr()) } != 0 {
        return Err(Raised::already());
    }
    let _leave = Leave;
    f()
}

/// What a call into Python comes to.
pub(crate) type Result<T> = std::result::Result<T, Raised>;

impl Raised {
    /// Says that some C function has set the indicator.
    #[inline]
    pub(super) fn already() -> Self {
        debug_assert!(indicated(), "no exception is set");
        Self(())
    }

    /// Says that a function has failed, and sees to it that there is an exception.
    #[cold]
    pub(super) fn by_callee() -> Self {
        if indicated() {
            return Self(());
        }
        let kind = super::value::exceptions::system_error();
        Self::new(&kind, "a call returned NULL without setting an exception")
    }

    /// Raises `exception(text)`.
    #[cold]
    pub(crate) fn new(exception: &Object, text: impl Display) -> Self {
        let text = CString::new(text.to_string().replace('\0', "\\0")).unwrap_or_default();
        // SAFETY: an exception type and a C string.
        unsafe { ffi::PyErr_SetString(exception.as_ptr(), text.as_ptr()) };
        Self(())
    }

    /// Raises an exception object, or an exception type without arguments.
    #[cold]
    pub(crate) fn throw(exception: &Object) -> Self {
        if exception.is_exception() {
            let kind = exception.type_of();
            // SAFETY: an exception and its type.
            unsafe { ffi::PyErr_SetObject(kind.as_ptr(), exception.as_ptr()) };
        } else {
            // SAFETY: Python checks what it is given.
            unsafe { ffi::PyErr_SetNone(exception.as_ptr()) };
        }
        Self::already()
    }

    /// Raises again what was fetched before; unlike [`throw`](Self::throw) the context stays as it is.
    #[cold]
    pub(crate) fn restore(exception: Object) -> Self {
        restore_raw(exception.into_ptr());
        Self(())
    }

    /// Takes the exception out of the indicator.
    #[expect(
        clippy::unused_self,
        reason = "having one says that the indicator is set"
    )]
    pub(crate) fn fetch(self) -> Object {
        // SAFETY: the indicator is set, so there is an exception, and the reference is ours.
        unsafe { Obj::steal(fetch_raw()) }.expect("invariant: the error indicator is set")
    }

    /// Whether the exception is an instance of `kind`.
    #[expect(
        clippy::unused_self,
        reason = "having one says that the indicator is set"
    )]
    pub(crate) fn matches(&self, kind: &Object) -> bool {
        // SAFETY: the indicator is set.
        unsafe { ffi::PyErr_ExceptionMatches(kind.as_ptr()) != 0 }
    }

    /// Forgets the exception.
    #[expect(
        clippy::unused_self,
        reason = "having one says that the indicator is set"
    )]
    pub(crate) fn clear(self) {
        // SAFETY: always allowed.
        unsafe { ffi::PyErr_Clear() };
    }

    /// Reports the exception by `sys.unraisablehook`, as what happened in `place`.
    #[expect(
        clippy::unused_self,
        reason = "having one says that the indicator is set"
    )]
    pub(crate) fn unraisable(self, place: &Object) {
        // SAFETY: the indicator is set and `place` lives.
        unsafe { ffi::PyErr_WriteUnraisable(place.as_ptr()) };
    }
}

/// A new type of exception, `class name(Exception)`.
pub(crate) fn new_exception(name: &CStr, doc: &CStr) -> Result<Object> {
    let none = std::ptr::null_mut();
    // SAFETY: two C strings; no base means `Exception`.
    let made = unsafe { ffi::PyErr_NewExceptionWithDoc(name.as_ptr(), doc.as_ptr(), none, none) };
    // SAFETY: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(made) }.ok_or_else(Raised::already)
}

/// Whether an exception object is an instance of `kind`.
pub(crate) fn is_instance_of(exception: &Object, kind: &Object) -> bool {
    // SAFETY: two live objects.
    unsafe { ffi::PyErr_GivenExceptionMatches(exception.as_ptr(), kind.as_ptr()) != 0 }
}

fn indicated() -> bool {
    // SAFETY: always allowed.
    !unsafe { ffi::PyErr_Occurred() }.is_null()
}

/// Runs `f` with the indicator put aside, as a finalizer must.
pub(super) fn preserved(f: impl FnOnce()) {
    let pending = if indicated() {
        fetch_raw()
    } else {
        std::ptr::null_mut()
    };
    f();
    if !pending.is_null() {
        restore_raw(pending);
    }
}

#[cfg(Py_3_12)]
fn fetch_raw() -> *mut PyObject {
    // SAFETY: always allowed.
    unsafe { ffi::PyErr_GetRaisedException() }
}

#[cfg(Py_3_12)]
fn restore_raw(exception: *mut PyObject) {
    // SAFETY: an owned exception object, which is stolen.
    unsafe { ffi::PyErr_SetRaisedException(exception) };
}

#[cfg(not(Py_3_12))]
fn fetch_raw() -> *mut PyObject {
    let (mut kind, mut value, mut traceback) = (
        std::ptr::null_mut(),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    // SAFETY: the three are filled with owned references or null.
    unsafe { ffi::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback) };
    // SAFETY: the three that were fetched; they stay owned or null.
    unsafe { ffi::PyErr_NormalizeException(&raw mut kind, &raw mut value, &raw mut traceback) };
    if !traceback.is_null() {
        // SAFETY: a normalized exception and a traceback, of which it takes a reference of its own.
        unsafe { ffi::PyException_SetTraceback(value, traceback) };
        // SAFETY: the reference that was fetched.
        unsafe { ffi::Py_DECREF(traceback) };
    }
    // SAFETY: the reference that was fetched.
    unsafe { ffi::Py_XDECREF(kind) };
    value
}

#[cfg(not(Py_3_12))]
fn restore_raw(exception: *mut PyObject) {
    // SAFETY: a live exception object.
    let kind = unsafe { ffi::Py_TYPE(exception) }.cast();
    // SAFETY: the type lives as long as its object.
    unsafe { ffi::Py_INCREF(kind) };
    // SAFETY: a live exception object; gives a new reference or null.
    let traceback = unsafe { ffi::PyException_GetTraceback(exception) };
    // SAFETY: steals the three references, each of which is ours.
    unsafe { ffi::PyErr_Restore(kind, exception, traceback) };
}
