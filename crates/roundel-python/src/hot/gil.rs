//! What the global interpreter lock guards, and how to let go of it.

use std::cell::UnsafeCell;

use pyo3_ffi as ffi;

use super::error::{Raised, Result};

/// A static that is only touched by threads attached to the interpreter.
///
/// On a free-threaded build attached threads run side by side; there its users keep away from it
/// (`cfg!(Py_GIL_DISABLED)`), since what it holds are caches that can be done without.
pub(super) struct GilCell<T>(UnsafeCell<T>);

// SAFETY: `with` is only called by attached threads, of which the GIL lets one run at a time.
unsafe impl<T> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Gives access for the length of `f`, which must not run Python code.
    #[inline]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the GIL is held throughout, and `f` does not come back here.
        f(unsafe { &mut *self.0.get() })
    }
}

/// Runs the dispatcher's wait with the thread detached from the interpreter, so that other threads can run.
///
/// The dispatcher passes its wait here and nothing else may: it knows of no Python object.
pub(crate) fn detached(wait: &mut dyn FnMut()) {
    /// Attaches again also when the wait panics.
    struct Attach(*mut ffi::PyThreadState);
    impl Drop for Attach {
        fn drop(&mut self) {
            // SAFETY: the state that this thread saved.
            unsafe { ffi::PyEval_RestoreThread(self.0) };
        }
    }
    // SAFETY: the thread is attached, since it runs the extension.
    let _attach = Attach(unsafe { ffi::PyEval_SaveThread() });
    wait();
}

/// Runs the Python handlers of signals that have come in; only the main thread has any.
pub(crate) fn check_signals() -> Result<()> {
    // SAFETY: called by an attached thread.
    if unsafe { ffi::PyErr_CheckSignals() } < 0 {
        Err(Raised::already())
    } else {
        Ok(())
    }
}

/// `threading.get_ident()`.
#[inline]
pub(crate) fn thread_ident() -> u64 {
    // SAFETY: always allowed.
    unsafe { ffi::PyThread_get_thread_ident() as u64 }
}

/// The version of the interpreter that runs, which may be newer than the one that this was built for.
pub(crate) fn python_version() -> (u8, u8, u8) {
    // SAFETY: always allowed.
    let text = unsafe { ffi::Py_GetVersion() };
    // SAFETY: a C string that lives for ever.
    let text = unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy();
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}
