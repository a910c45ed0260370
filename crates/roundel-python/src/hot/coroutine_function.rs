//! Native functions that are coroutine functions to whoever asks.
//!
//! `inspect.iscoroutinefunction`, and with it mocks and frameworks, knows only functions written in Python. So what
//! asyncio has as an `async def` is one here too, with signature and docstring, and Python is told to call a native
//! function in its place (`PyFunction_SetVectorcall`, from CPython 3.12 on). Its body is not reached, but for a method
//! that is called with `self=`.
//!
//! It costs about 80 instructions a call over a native function, which `Queue.put` and `Queue.get` can't spare.

use std::ffi::CStr;
use std::sync::OnceLock;

use pyo3_ffi as ffi;
use pyo3_ffi::PyObject;

use super::call::import;
use super::error::{Raised, Result};
use super::native::HotType;
use super::object::{Obj, Object};
use super::value::{IntoObject, Str, exceptions};

/// Whether Python can be told.
pub(super) const POSSIBLE: bool = cfg!(Py_3_12);

/// How Python calls a function.
pub(super) type Call = ffi::vectorcallfunc;

/// How it calls one that nobody changed.
static ORDINARY: OnceLock<Call> = OnceLock::new();

/// A coroutine function to be made.
pub(super) struct CoroutineFunction {
    pub(super) name: &'static CStr,
    /// The signature as native functions have it in their docstrings, and the docstring after it.
    pub(super) doc: &'static CStr,
    pub(super) call: Call,
}

#[cfg(Py_3_12)]
unsafe extern "C" {
    // pyo3-ffi lacks it.
    #[link_name = "PyFunction_SetVectorcall"]
    fn set_vectorcall(function: *mut PyObject, call: Call);
}

#[cfg(not(Py_3_12))]
unsafe fn set_vectorcall(_function: *mut PyObject, _call: Call) {}

impl CoroutineFunction {
    /// Makes the function, `owner` being the class that it is a method of.
    pub(super) fn make(&self, owner: Option<&CStr>) -> Result<Object> {
        let doc = self.doc.to_string_lossy();
        let (signature, text) = doc.split_once("\n--\n\n").unwrap_or((&doc, ""));
        let signature = signature.replace("$self, /", "self");
        let source =
            format!("async def {signature}: raise TypeError('self is to be given by position')");
        let scope = import(c"builtins", c"dict")?.call([])?;
        scope.dict_set(&Str::intern(c"__name__")?, &Str::intern(c"roundel")?)?;
        import(c"builtins", c"exec")?.call([&source.into_object()?, &scope])?;
        let made = scope.dict_get(&Str::intern(self.name)?)?;
        let made = made.expect("invariant: the source defines it");
        made.set_attr(&Str::intern(c"__doc__")?, &text.into_object()?)?;
        if let Some(owner) = owner {
            let full = format!(
                "{}.{}",
                owner.to_string_lossy(),
                self.name.to_string_lossy()
            );
            made.set_attr(&Str::intern(c"__qualname__")?, &full.into_object()?)?;
        }
        // SAFETY: a live object.
        if let Some(call) = unsafe { ffi::PyVectorcall_Function(made.as_ptr()) } {
            ORDINARY.get_or_init(|| call);
        }
        // SAFETY: a function of Python's, and one that can be called as such.
        unsafe { set_vectorcall(made.as_ptr(), self.call) };
        Ok(made)
    }
}

/// The receiver of a method, which anybody can call with whatever there is.
#[inline]
pub(super) fn receiver<T: HotType>(this: &Object) -> Result<&Obj<T>> {
    this.downcast::<T>().ok_or_else(|| foreign::<T>(this))
}

#[cold]
fn foreign<T: HotType>(this: &Object) -> Raised {
    let found = match this.type_name() {
        Ok(found) => found,
        Err(raised) => return raised,
    };
    let wanted = T::NAME.to_string_lossy();
    let text = format!("a method of '{wanted}' objects doesn't apply to a '{found}' object");
    Raised::new(&exceptions::type_error(), text)
}

/// Says what is wrong with the arguments of a call in the words of Python, which reads the signature.
///
/// # Safety
/// As Python calls a function.
#[cold]
pub(super) unsafe fn refuse(
    function: *mut PyObject,
    args: *const *mut PyObject,
    flags: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    let call = ORDINARY.get().expect("invariant: a function was made");
    // SAFETY: as the caller says.
    unsafe { call(function, args, flags, names) }
}
