//! Making the extension module.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use pyo3_ffi as ffi;
use pyo3_ffi::{PyMethodDef, PyMethodDefPointer, PyModuleDef, PyModuleDef_Slot, PyObject};

use super::args::Args;
use super::class::{Class, bare_name, leak};
use super::coroutine_function::{self, CoroutineFunction};
use super::error::{Raised, Result};
use super::native::HotType;
use super::object::{Obj, Object};
use super::trampoline::{self, conjure, guarded, returned};
use super::value::IntoObject;

/// A module that is being made.
pub(crate) struct Module(Object);

impl Module {
    /// Adds a type under the last part of its name.
    pub(crate) fn class<T: HotType>(&self) -> Result<&Self> {
        let made = Class::<T>::build(&self.0)?;
        self.add(bare_name(T::NAME), &made)
    }

    /// Makes a type that has no name in the module.
    pub(crate) fn hidden_class<T: HotType>(&self) -> Result<&Self> {
        Class::<T>::build(&self.0)?;
        Ok(self)
    }

    /// Adds a function.
    pub(crate) fn function<R: IntoObject, F: Fn(&Args<'_>) -> R + Copy + 'static>(
        &self,
        name: &'static CStr,
        doc: &'static CStr,
        _f: F,
    ) -> Result<&Self> {
        let definition = leak(vec![PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: PyMethodDefPointer {
                PyCFunctionFastWithKeywords: function::<R, F>,
            },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: doc.as_ptr(),
        }]);
        let module_name = super::value::Str::intern(c"roundel._roundel")?;
        // SAFETY: a definition that lives for ever, the module, and its name.
        let made =
            unsafe { ffi::PyCFunction_NewEx(definition, self.0.as_ptr(), module_name.as_ptr()) };
        // SAFETY: a new reference, or null with the error indicator set.
        let made: Object = unsafe { Obj::steal(made) }.ok_or_else(Raised::already)?;
        self.add(name, &made)
    }

    /// Adds a coroutine function.
    pub(crate) fn async_function<R: IntoObject, F: Fn(&Args<'_>) -> R + Copy + 'static>(
        &self,
        name: &'static CStr,
        doc: &'static CStr,
        f: F,
    ) -> Result<&Self> {
        if !coroutine_function::POSSIBLE {
            return self.function(name, doc, f);
        }
        let call = trampoline::async_function::<R, F>;
        self.add(name, &CoroutineFunction { name, doc, call }.make(None)?)
    }

    /// Adds an object.
    pub(crate) fn add(&self, name: &CStr, object: &Object) -> Result<&Self> {
        // SAFETY: a module, a C string and a live object, which is borrowed.
        match unsafe { ffi::PyModule_AddObjectRef(self.0.as_ptr(), name.as_ptr(), object.as_ptr()) }
        {
            0 => Ok(self),
            _ => Err(Raised::already()),
        }
    }
}

unsafe extern "C" fn function<R: IntoObject, F: Fn(&Args<'_>) -> R + Copy + 'static>(
    _module: *mut PyObject,
    args: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a function with a vector of live arguments.
        let args = unsafe { Args::from_vector(args, count, &names) };
        returned(conjure::<F>()(&args).into_object())
    })
}

unsafe extern "C" fn execute(module: *mut PyObject) -> c_int {
    guarded(-1, || {
        // SAFETY: Python passes the new module.
        let module = Module(unsafe { Obj::share(module) });
        if crate::fill(&module).is_ok() { 0 } else { -1 }
    })
}

/// What Python calls to import the module.
///
/// # Safety
/// Only to be called by Python.
#[expect(unreachable_pub, reason = "what the library exports")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyInit__roundel() -> *mut PyObject {
    let mut slots = vec![PyModuleDef_Slot {
        slot: ffi::Py_mod_exec,
        value: execute as *mut c_void,
    }];
    #[cfg(Py_3_12)]
    slots.push(PyModuleDef_Slot {
        slot: ffi::Py_mod_multiple_interpreters,
        value: ffi::Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED,
    });
    #[cfg(Py_3_13)]
    slots.push(PyModuleDef_Slot {
        slot: ffi::Py_mod_gil,
        value: ffi::Py_MOD_GIL_USED,
    });
    slots.push(PyModuleDef_Slot {
        slot: 0,
        value: ptr::null_mut(),
    });
    let definition = leak(vec![PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: c"_roundel".as_ptr(),
        m_doc: c"The native half of roundel.".as_ptr(),
        m_size: 0,
        m_methods: ptr::null_mut(),
        m_slots: leak(slots),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    }]);
    // SAFETY: a definition that lives for ever.
    unsafe { ffi::PyModuleDef_Init(definition) }
}
