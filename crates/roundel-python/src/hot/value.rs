//! Plain values: constants, numbers, strings, tuples, and what a method may return.

use std::ffi::{CStr, c_char};

use pyo3_ffi as ffi;

use super::error::{Raised, Result};
use super::object::{Obj, Object};

/// `None`.
#[inline]
pub(crate) fn none() -> Object {
    // SAFETY: takes the address of a static.
    let none = unsafe { ffi::Py_None() };
    if cfg!(Py_3_12) {
        // SAFETY: immortal: nobody counts its references.
        let none = unsafe { Obj::steal(none) };
        // SAFETY: not null.
        return unsafe { none.unwrap_unchecked() };
    }
    // SAFETY: lives for ever.
    unsafe { Obj::share(none) }
}

fn own(pointer: *mut ffi::PyObject) -> Result<Object> {
    // SAFETY: what a C function returned: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(pointer) }.ok_or_else(Raised::already)
}

/// Python's own exception types.
pub(crate) mod exceptions {
    use super::{Obj, Object, ffi};

    macro_rules! exceptions {
        ($($name:ident = $object:ident),* $(,)?) => { $(
            pub(crate) fn $name() -> Object {
                // SAFETY: a type that lives for ever.
                unsafe { Obj::share(ffi::$object) }
            }
        )* };
    }
    exceptions! {
        exception = PyExc_Exception,
        memory_error = PyExc_MemoryError,
        generator_exit = PyExc_GeneratorExit,
        keyboard_interrupt = PyExc_KeyboardInterrupt,
        system_exit = PyExc_SystemExit,
        stop_iteration = PyExc_StopIteration,
        stop_async_iteration = PyExc_StopAsyncIteration,
        assertion_error = PyExc_AssertionError,
        recursion_error = PyExc_RecursionError,
        runtime_error = PyExc_RuntimeError,
        system_error = PyExc_SystemError,
        type_error = PyExc_TypeError,
        overflow_error = PyExc_OverflowError,
        value_error = PyExc_ValueError,
        attribute_error = PyExc_AttributeError,
        index_error = PyExc_IndexError,
        os_error = PyExc_OSError,
        timeout_error = PyExc_TimeoutError,
        blocking_io_error = PyExc_BlockingIOError,
        connection_reset_error = PyExc_ConnectionResetError,
        not_implemented_error = PyExc_NotImplementedError,
        interrupted_error = PyExc_InterruptedError,
        deprecation_warning = PyExc_DeprecationWarning,
        runtime_warning = PyExc_RuntimeWarning,
        resource_warning = PyExc_ResourceWarning,
        connection_error = PyExc_ConnectionError,
        broken_pipe_error = PyExc_BrokenPipeError,
    }
}

/// What a method may return to Python.
pub(crate) trait IntoObject {
    /// The object, or the exception that is set.
    fn into_object(self) -> Result<Object>;
}

impl IntoObject for Object {
    #[inline]
    fn into_object(self) -> Result<Object> {
        Ok(self)
    }
}

impl<T: super::HotType> IntoObject for Obj<T> {
    #[inline]
    fn into_object(self) -> Result<Object> {
        Ok(self.into_any())
    }
}

impl IntoObject for () {
    #[inline]
    fn into_object(self) -> Result<Object> {
        Ok(none())
    }
}

impl IntoObject for bool {
    #[inline]
    fn into_object(self) -> Result<Object> {
        Ok(boolean(self))
    }
}

impl IntoObject for f64 {
    fn into_object(self) -> Result<Object> {
        // SAFETY: gives a new reference or sets the error indicator.
        own(unsafe { ffi::PyFloat_FromDouble(self) })
    }
}

impl IntoObject for i64 {
    fn into_object(self) -> Result<Object> {
        // SAFETY: as above.
        own(unsafe { ffi::PyLong_FromLongLong(self) })
    }
}

impl IntoObject for usize {
    fn into_object(self) -> Result<Object> {
        // SAFETY: as above.
        own(unsafe { ffi::PyLong_FromSize_t(self) })
    }
}

impl IntoObject for &str {
    fn into_object(self) -> Result<Object> {
        let length = ffi::Py_ssize_t::try_from(self.len()).unwrap_or(ffi::Py_ssize_t::MAX);
        // SAFETY: a pointer to that many bytes of UTF-8.
        own(unsafe { ffi::PyUnicode_FromStringAndSize(self.as_ptr().cast::<c_char>(), length) })
    }
}

impl IntoObject for String {
    fn into_object(self) -> Result<Object> {
        self.as_str().into_object()
    }
}

impl<T: IntoObject> IntoObject for Option<T> {
    #[inline]
    fn into_object(self) -> Result<Object> {
        self.map_or_else(|| Ok(none()), IntoObject::into_object)
    }
}

impl<T: IntoObject> IntoObject for Result<T> {
    #[inline]
    fn into_object(self) -> Result<Object> {
        self.and_then(IntoObject::into_object)
    }
}

impl IntoObject for Vec<Object> {
    /// A list.
    fn into_object(self) -> Result<Object> {
        let length = ffi::Py_ssize_t::try_from(self.len()).unwrap_or(ffi::Py_ssize_t::MAX);
        // SAFETY: gives a new list of empty places.
        let list = own(unsafe { ffi::PyList_New(length) })?;
        for (index, item) in (0..).zip(self) {
            // SAFETY: a place of a list nobody else has seen; the item is stolen.
            unsafe { ffi::PyList_SET_ITEM(list.as_ptr(), index, item.into_ptr()) };
        }
        Ok(list)
    }
}

/// Making and reading tuples.
pub(crate) struct Tuple;

impl Tuple {
    /// A tuple of these.
    pub(crate) fn of(items: &[Object]) -> Result<Object> {
        let length = ffi::Py_ssize_t::try_from(items.len()).unwrap_or(ffi::Py_ssize_t::MAX);
        // SAFETY: gives a new tuple of empty places.
        let tuple = own(unsafe { ffi::PyTuple_New(length) })?;
        for (index, item) in (0..).zip(items) {
            // SAFETY: a place of a tuple nobody else has seen; the item is stolen.
            unsafe { ffi::PyTuple_SET_ITEM(tuple.as_ptr(), index, item.clone().into_ptr()) };
        }
        Ok(tuple)
    }

    /// `object` if it is a tuple, or a tuple of what it gives.
    pub(crate) fn from(object: &Object) -> Result<Object> {
        // SAFETY: takes any object; gives a new reference or sets the error indicator.
        own(unsafe { ffi::PySequence_Tuple(object.as_ptr()) })
    }

    /// The items of a tuple, lent for as long as the tuple is held.
    pub(crate) fn items(tuple: &Object) -> &[Object] {
        // SAFETY: only reads the type.
        let is_tuple = unsafe { ffi::PyTuple_Check(tuple.as_ptr()) } != 0;
        assert!(is_tuple, "a tuple is needed");
        // SAFETY: a tuple.
        let length = unsafe { ffi::PyTuple_GET_SIZE(tuple.as_ptr()) };
        let length = usize::try_from(length).unwrap_or(0);
        // SAFETY: only computes an address within the tuple.
        let items = unsafe { &raw const (*tuple.as_ptr().cast::<ffi::PyTupleObject>()).ob_item };
        // SAFETY: that many items follow each other in memory, and never change.
        unsafe { std::slice::from_raw_parts(items.cast::<Object>(), length) }
    }
}

/// Reading floats.
pub(crate) struct Float;

impl Float {
    /// The number as a float, if it is exactly a `float` or an `int` that has one: arithmetic on it is that of machines.
    #[inline]
    pub(crate) fn plain(number: &Object) -> Option<f64> {
        // SAFETY: reads the type of a live object.
        if unsafe { ffi::PyFloat_CheckExact(number.as_ptr()) } != 0 {
            return Self::of(number).ok();
        }
        // SAFETY: reads the type of a live object.
        if unsafe { ffi::PyLong_CheckExact(number.as_ptr()) } == 0 {
            return None;
        }
        match Self::of_int(number) {
            Ok(value) => Some(value),
            Err(raised) => {
                raised.clear();
                None
            }
        }
    }

    /// The number as a float, as `float()` would make it of a number.
    #[inline]
    pub(crate) fn of(number: &Object) -> Result<f64> {
        // SAFETY: reads the type of a live object.
        if unsafe { ffi::PyLong_CheckExact(number.as_ptr()) } != 0 {
            return Self::of_int(number);
        }
        // SAFETY: takes any object; -1 may mean that the error indicator is set.
        let value = unsafe { ffi::PyFloat_AsDouble(number.as_ptr()) };
        Self::checked(value)
    }
}

impl Float {
    /// The value that a conversion gave, of which -1 may mean that the error indicator is set.
    #[expect(clippy::float_cmp, reason = "exactly that value says so")]
    #[inline]
    fn checked(value: f64) -> Result<f64> {
        // SAFETY: always allowed.
        if value == -1.0 && !unsafe { ffi::PyErr_Occurred() }.is_null() {
            return Err(Raised::already());
        }
        Ok(value)
    }

    /// Without the float object that the general way makes of an `int`.
    #[inline]
    fn of_int(number: &Object) -> Result<f64> {
        // SAFETY: an `int`; -1 may mean that the error indicator is set.
        let value = unsafe { ffi::PyLong_AsDouble(number.as_ptr()) };
        Self::checked(value)
    }
}

/// Making and reading strings.
pub(crate) struct Str;

impl Str {
    /// An interned string, for names.
    pub(crate) fn intern(text: &CStr) -> Result<Object> {
        // SAFETY: a C string.
        own(unsafe { ffi::PyUnicode_InternFromString(text.as_ptr()) })
    }

    /// `str(object)` as a Rust string, lossy.
    pub(crate) fn of(object: &Object) -> Result<String> {
        // SAFETY: takes any object.
        Self::read(&own(unsafe { ffi::PyObject_Str(object.as_ptr()) })?)
    }

    /// `repr(object)` as a Rust string, lossy.
    pub(crate) fn repr(object: &Object) -> Result<String> {
        // SAFETY: takes any object.
        Self::read(&own(unsafe { ffi::PyObject_Repr(object.as_ptr()) })?)
    }

    fn read(text: &Object) -> Result<String> {
        let mut length = 0;
        // SAFETY: a `str`; the bytes live as long as it does.
        let bytes = unsafe { ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut length) };
        if bytes.is_null() {
            return Err(Raised::already());
        }
        let length = usize::try_from(length).unwrap_or(0);
        // SAFETY: that many bytes, as Python says.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// Whether a `str` says exactly `text`, which is ASCII.
    pub(crate) fn equals(object: &Object, text: &CStr) -> bool {
        // SAFETY: keyword names are strings.
        unsafe { ffi::PyUnicode_CompareWithASCIIString(object.as_ptr(), text.as_ptr()) == 0 }
    }
}

/// `True` or `False`.
#[inline]
pub(crate) fn boolean(value: bool) -> Object {
    let pointer = if value {
        // SAFETY: takes the address of a static.
        unsafe { ffi::Py_True() }
    } else {
        // SAFETY: as above.
        unsafe { ffi::Py_False() }
    };
    // SAFETY: both live for ever.
    unsafe { Obj::share(pointer) }
}
