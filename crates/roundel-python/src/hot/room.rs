//! `bytes` objects that are being filled.

use std::mem::MaybeUninit;

use pyo3_ffi as ffi;
use pyo3_ffi::{Py_ssize_t, PyObject};

use super::error::{Raised, Result};
use super::object::{Obj, Object};

/// A `bytes` object that nobody else has seen, so that its content can still change.
#[derive(Debug)]
pub(crate) struct Room(Object);

impl Room {
    /// Room for so many bytes; raises `MemoryError` if there is none.
    pub(crate) fn new(length: usize) -> Result<Self> {
        let length = Py_ssize_t::try_from(length).unwrap_or(Py_ssize_t::MAX);
        // SAFETY: gives a new object whose content is not set.
        own(unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), length) }).map(Self)
    }

    /// How many bytes there is room for.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: a `bytes` object.
        usize::try_from(unsafe { ffi::PyBytes_Size(self.0.as_ptr()) }).unwrap_or(0)
    }

    /// The room after the first `start` bytes.
    pub(crate) fn after(&mut self, start: usize) -> &mut [MaybeUninit<u8>] {
        // SAFETY: a `bytes` object.
        let bytes = unsafe { ffi::PyBytes_AsString(self.0.as_ptr()) };
        let bytes: *mut MaybeUninit<u8> = bytes.cast();
        // SAFETY: so many bytes, which nobody else knows of; an empty object may be anybody's, but has none.
        let all = unsafe { std::slice::from_raw_parts_mut(bytes, self.len()) };
        &mut all[start..]
    }

    /// Fills the room after the first `start` bytes with `data`, as far as there is room for it; gives how much.
    pub(crate) fn put(&mut self, start: usize, data: &[u8]) -> usize {
        let room = self.after(start);
        for (place, &byte) in room.iter_mut().zip(data) {
            place.write(byte);
        }
        data.len().min(room.len())
    }

    /// The object, of which the first `length` bytes have been filled.
    pub(crate) fn finish(self, length: usize) -> Result<Object> {
        if length >= self.len() {
            return Ok(self.0);
        }
        // SAFETY: a `bytes` object.
        let bytes = unsafe { ffi::PyBytes_AsString(self.0.as_ptr()) };
        let length = Py_ssize_t::try_from(length).unwrap_or(0);
        // SAFETY: so many bytes have been filled.
        own(unsafe { ffi::PyBytes_FromStringAndSize(bytes, length) })
    }
}

fn own(pointer: *mut PyObject) -> Result<Object> {
    // SAFETY: what a C function returned: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(pointer) }.ok_or_else(Raised::already)
}
