//! Bytes that Python objects lend, and bytes that Python is given.
//!
//! The memory of a lent buffer may be shared with whoever else holds the object, and Python code that runs meanwhile
//! may change it. So it is handed to functions that run no Python code, for the length of a call.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use pyo3_ffi as ffi;

use super::error::{Raised, Result};
use super::object::{Obj, Object};

fn own(pointer: *mut ffi::PyObject) -> Result<Object> {
    // SAFETY: what a C function returned: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(pointer) }.ok_or_else(Raised::already)
}

/// Making and reading `bytes`.
pub(crate) struct Bytes;

impl Bytes {
    /// A `bytes` with a copy of these.
    pub(crate) fn copy(bytes: &[u8]) -> Result<Object> {
        let length = ffi::Py_ssize_t::try_from(bytes.len()).unwrap_or(ffi::Py_ssize_t::MAX);
        // SAFETY: a pointer to that many bytes.
        own(unsafe { ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast::<c_char>(), length) })
    }

    /// `object` if it is exactly a `bytes`, which says this; else a new one that says the same.
    pub(crate) fn of(object: &Object, says: &[u8]) -> Result<Object> {
        // SAFETY: only reads the type.
        if unsafe { ffi::PyBytes_CheckExact(object.as_ptr()) } == 0 {
            return Self::copy(says);
        }
        Ok(object.clone())
    }

    /// What a `bytes` object says, which never changes; `None` for any other object.
    pub(crate) fn read(object: &Object) -> Option<&[u8]> {
        // SAFETY: only reads the type.
        if unsafe { ffi::PyBytes_Check(object.as_ptr()) } == 0 {
            return None;
        }
        // SAFETY: a `bytes` object.
        let start = unsafe { ffi::PyBytes_AsString(object.as_ptr()) };
        // SAFETY: a `bytes` object.
        let length = usize::try_from(unsafe { ffi::PyBytes_Size(object.as_ptr()) }).unwrap_or(0);
        // SAFETY: that many bytes, which live as long as the object.
        Some(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
    }
}

impl Object {
    /// Whether this is a `bytearray` or a `memoryview`, or a `bytearray` of a derived class.
    pub(crate) fn is_bytearray_or_memoryview(&self) -> bool {
        // SAFETY: only reads the type.
        if unsafe { ffi::PyByteArray_Check(self.as_ptr()) } != 0 {
            return true;
        }
        // SAFETY: as above.
        unsafe { ffi::PyMemoryView_Check(self.as_ptr()) != 0 }
    }
}

/// The memory of an object, lent to C by the buffer protocol until this is dropped.
pub(crate) struct Buffer(ffi::Py_buffer);

impl Buffer {
    /// The contiguous bytes of an object; raises `TypeError` or `BufferError` for one that has none to lend.
    pub(crate) fn of(object: &Object) -> Result<Self> {
        Self::get(object, ffi::PyBUF_SIMPLE)
    }

    /// The same for writing.
    pub(crate) fn writable(object: &Object) -> Result<Self> {
        Self::get(object, ffi::PyBUF_WRITABLE)
    }

    fn get(object: &Object, flags: std::ffi::c_int) -> Result<Self> {
        let mut view = MaybeUninit::<ffi::Py_buffer>::uninit();
        // SAFETY: takes any object; fills the view or sets the error indicator.
        if unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), view.as_mut_ptr(), flags) } != 0 {
            return Err(Raised::already());
        }
        // SAFETY: filled, as the result says.
        Ok(Self(unsafe { view.assume_init() }))
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.0.len).unwrap_or(0)
    }

    /// Lends the bytes to `f`, which must not run Python code.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        if self.len() == 0 {
            return f(&[]);
        }
        // SAFETY: that many bytes, which the exporter keeps in place; nobody writes while `f` runs.
        f(unsafe { std::slice::from_raw_parts(self.0.buf.cast::<u8>(), self.len()) })
    }

    /// Lends the bytes for writing to `f`, which must not run Python code. For one from [`writable`](Self::writable).
    pub(crate) fn write<R>(&mut self, f: impl FnOnce(&mut [u8]) -> R) -> R {
        assert!(self.0.readonly == 0, "a writable buffer is needed");
        if self.len() == 0 {
            return f(&mut []);
        }
        // SAFETY: that many writable bytes, which the exporter keeps in place; nobody else uses them while `f` runs.
        f(unsafe { std::slice::from_raw_parts_mut(self.0.buf.cast::<u8>(), self.len()) })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: got by `get`, released once.
        unsafe { ffi::PyBuffer_Release(&raw mut self.0) };
    }
}
