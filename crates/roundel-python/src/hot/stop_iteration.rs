//! Returning a value from `__next__` without making an exception for it each time.
//!
//! `await x` on a native awaitable calls its `tp_iternext`; the value comes back in a `StopIteration`.
//! Making and unmaking one costs more than the rest of the call, so from CPython 3.12 on, where an
//! exception is one object, a single one is used again and again:
//!
//! - only while nobody else holds it (reference count 1);
//! - [`settle`] takes the value out of it after each step of a coroutine, so that the value does not
//!   live longer than its receiver wants it.
//!
//! `None` needs no exception at all: null without an error says it.

use pyo3_ffi::PyObject;

use super::error::Raised;
use super::object::Object;
use super::value::exceptions;

/// Ends a `tp_iternext` with `value`; gives what the slot has to return.
#[expect(clippy::inline_always, reason = "on the way of every await")]
#[inline(always)]
pub(super) fn finish(value: Object) -> *mut PyObject {
    if !value.is_none() {
        raise(value);
    } else if cfg!(Py_3_12) {
        // Immortal: nobody counts its references, so that one may get lost.
        let _none = value.into_ptr();
    }
    std::ptr::null_mut()
}

/// Raises a `StopIteration` of its own for `value`. Built by hand, since `PyErr_SetObject` would unpack a tuple
/// and take an exception for the `StopIteration` itself.
pub(super) fn raise_new(value: &Object) -> Raised {
    match exceptions::stop_iteration().call([value]) {
        Ok(exception) => Raised::throw(&exception),
        Err(raised) => raised,
    }
}

#[cfg(not(all(Py_3_12, not(Py_GIL_DISABLED))))]
mod recycled {
    use super::{Object, raise_new};

    #[expect(
        clippy::needless_pass_by_value,
        reason = "the other way to do it keeps the value"
    )]
    #[inline]
    pub(super) fn raise(value: Object) {
        let _raised = raise_new(&value);
    }

    #[inline]
    pub(super) fn settle() {}
}

#[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
mod recycled {
    use pyo3_ffi as ffi;
    use pyo3_ffi::{PyObject, PyStopIterationObject};

    use super::super::gil::GilCell;
    use super::super::value::none;
    use super::{Object, exceptions, raise_new};

    struct Recycled {
        exception: *mut PyStopIterationObject,
        /// The exception holds a value other than `None`.
        loaded: bool,
    }

    static RECYCLED: GilCell<Recycled> = GilCell::new(Recycled {
        exception: std::ptr::null_mut(),
        loaded: false,
    });

    #[inline(never)]
    pub(super) fn raise(value: Object) {
        let Some(exception) = free_exception() else {
            let _raised = raise_new(&value);
            return;
        };
        // SAFETY: ours alone (reference count 1), so nobody looks at its value meanwhile.
        let old = unsafe { std::mem::replace(&mut (*exception).value, value.into_ptr()) };
        // SAFETY: the reference that the exception held, given up after the new one is in.
        unsafe { ffi::Py_XDECREF(old) };
        // SAFETY: lives, since we own it.
        unsafe { ffi::Py_INCREF(exception.cast()) };
        // SAFETY: steals the reference that was just made.
        unsafe { ffi::PyErr_SetRaisedException(exception.cast()) };
    }

    /// The exception, marked as loaded, if nobody else holds it.
    #[inline]
    fn free_exception() -> Option<*mut PyStopIterationObject> {
        RECYCLED.with(|recycled| {
            let exception = recycled.exception;
            // SAFETY: null or an object that we own.
            if exception.is_null() || unsafe { ffi::Py_REFCNT(exception.cast()) } != 1 {
                return renew(recycled);
            }
            recycled.loaded = true;
            Some(exception)
        })
    }

    /// Leaves the exception to whoever holds it and makes another for the next time.
    #[cold]
    fn renew(recycled: &mut Recycled) -> Option<*mut PyStopIterationObject> {
        let old = recycled.exception.cast::<PyObject>();
        // SAFETY: somebody else holds the old one too, so nothing dies here.
        unsafe { ffi::Py_XDECREF(old) };
        let new = match exceptions::stop_iteration().call([]) {
            Ok(new) => new.into_ptr(),
            Err(raised) => {
                // The caller raises an exception of its own.
                raised.clear();
                std::ptr::null_mut()
            }
        };
        recycled.exception = new.cast();
        recycled.loaded = false;
        None
    }

    #[inline]
    pub(super) fn settle() {
        let value = RECYCLED.with(|recycled| {
            if !std::mem::take(&mut recycled.loaded) || recycled.exception.is_null() {
                return std::ptr::null_mut();
            }
            let none = none().into_ptr();
            // SAFETY: an object that we own; its value is `None` instead.
            unsafe { std::mem::replace(&mut (*recycled.exception).value, none) }
        });
        // SAFETY: the reference that the exception held. Python code that runs here finds nothing half done.
        unsafe { ffi::Py_XDECREF(value) };
    }
}

use recycled::raise;

/// Takes the value out of the recycled exception. Called after each step of a coroutine.
#[inline]
pub(crate) fn settle() {
    recycled::settle();
}
