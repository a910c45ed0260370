//! Calling Python: functions, methods, attributes, coroutines.

use pyo3_ffi as ffi;
use pyo3_ffi::{PyObject, PySendResult};

use super::error::{Raised, Result};
use super::object::{Obj, Object};
use super::stop_iteration;
use super::value::{IntoObject, Str, Tuple, exceptions, none};
use crate::names::names;

/// How one step of a coroutine or iterator ended.
#[derive(Debug)]
pub(crate) enum Sent {
    /// It waits for this.
    Yielded(Object),
    /// It is done, with this value.
    Returned(Object),
    /// It failed.
    Raised(Raised),
}

/// As the methods `send` and `throw` return it: only an exception can say there that it is done.
impl IntoObject for Sent {
    fn into_object(self) -> Result<Object> {
        match self {
            Self::Yielded(value) => Ok(value),
            Self::Returned(value) => Err(stop_iteration::raise_new(&value)),
            Self::Raised(raised) => Err(raised),
        }
    }
}

#[inline]
fn own(pointer: *mut PyObject) -> Result<Object> {
    // SAFETY: what a C function returned: a new reference, or null with the error indicator set.
    unsafe { Obj::steal(pointer) }.ok_or_else(Raised::already)
}

/// The arguments as C wants them, after a free place that the callee may use for `self`.
#[inline]
fn vector<const N: usize>(args: [&Object; N]) -> ([*mut PyObject; 1], [*mut PyObject; N]) {
    ([std::ptr::null_mut()], args.map(Obj::as_ptr))
}

/// A vector with a free place before it.
#[repr(C)]
struct Vector<const N: usize> {
    free: [*mut PyObject; 1],
    args: [*mut PyObject; N],
}

impl<const N: usize> Vector<N> {
    #[inline]
    fn new(args: [&Object; N]) -> Self {
        let (free, args) = vector(args);
        Self { free, args }
    }

    #[inline]
    fn pointer(&self) -> *const *mut PyObject {
        let start: *const *mut PyObject = std::ptr::from_ref(self).cast();
        // SAFETY: one past the free place, within the struct.
        unsafe { start.add(self.free.len()) }
    }
}

/// How a type has its objects called with a vector of arguments, if it has such a way.
#[inline]
fn vector_function(object: &Object) -> Option<ffi::vectorcallfunc> {
    // SAFETY: reads the type of a live object.
    let kind = unsafe { ffi::Py_TYPE(object.as_ptr()) };
    // SAFETY: a type that is ready.
    if unsafe { ffi::PyType_HasFeature(kind, ffi::Py_TPFLAGS_HAVE_VECTORCALL) } == 0 {
        return None;
    }
    // SAFETY: as above.
    let offset = unsafe { (*kind).tp_vectorcall_offset };
    // SAFETY: the type says that its objects have the function there.
    let place = unsafe { object.as_ptr().byte_offset(offset) };
    // SAFETY: as above.
    unsafe { *place.cast::<Option<ffi::vectorcallfunc>>() }
}

/// What a function came to that was called without the interpreter's own checks.
#[inline]
fn own_result(pointer: *mut PyObject) -> Result<Object> {
    // SAFETY: a new reference, or null.
    unsafe { Obj::steal(pointer) }.ok_or_else(Raised::by_callee)
}

impl Object {
    /// Calls the object with positional arguments.
    #[inline]
    pub(crate) fn call<const N: usize>(&self, args: [&Self; N]) -> Result<Self> {
        let vector = Vector::new(args);
        let flags = N | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
        let (pointer, none) = (vector.pointer(), std::ptr::null_mut());
        if let Some(function) = vector_function(self) {
            // SAFETY: the object's own function, and N live arguments with a free place before them.
            return own_result(unsafe { function(self.as_ptr(), pointer, flags, none) });
        }
        // SAFETY: N live arguments with a free place before them.
        own(unsafe { ffi::PyObject_Vectorcall(self.as_ptr(), pointer, flags, none) })
    }

    /// Calls the object with as many positional arguments as there are.
    pub(crate) fn call_slice(&self, args: &[Self]) -> Result<Self> {
        let pointer: *const *mut PyObject = args.as_ptr().cast();
        // SAFETY: that many live arguments; `Object` is a transparent pointer.
        own(unsafe {
            ffi::PyObject_Vectorcall(self.as_ptr(), pointer, args.len(), std::ptr::null_mut())
        })
    }

    /// Calls the object with positional arguments and, after them, one for each of `keywords` (a tuple).
    pub(crate) fn call_keywords(&self, args: &[Self], keywords: &Self) -> Result<Self> {
        let positional = args.len() - Tuple::items(keywords).len();
        let pointer: *const *mut PyObject = args.as_ptr().cast();
        // SAFETY: live arguments, and a tuple of names for the last of them.
        own(unsafe {
            ffi::PyObject_Vectorcall(self.as_ptr(), pointer, positional, keywords.as_ptr())
        })
    }

    /// Calls a method with positional arguments.
    #[inline]
    pub(crate) fn call_method<const N: usize>(
        &self,
        name: &Self,
        args: [&Self; N],
    ) -> Result<Self> {
        let mut all = [self.as_ptr(); 9];
        assert!(
            N < all.len(),
            "a call with more arguments than anything needs"
        );
        for (place, argument) in all.iter_mut().skip(1).zip(args) {
            *place = argument.as_ptr();
        }
        // SAFETY: the object and N live arguments.
        own(unsafe {
            ffi::PyObject_VectorcallMethod(name.as_ptr(), all.as_ptr(), N + 1, std::ptr::null_mut())
        })
    }

    /// Calls a method; `args` begins with the object itself and ends with the values of `keywords` (a tuple).
    pub(crate) fn call_method_keywords(
        name: &Self,
        args: &[Self],
        keywords: &Self,
    ) -> Result<Self> {
        let positional = args.len() - Tuple::items(keywords).len();
        let pointer: *const *mut PyObject = args.as_ptr().cast();
        // SAFETY: live arguments, and a tuple of names for the last of them.
        own(unsafe {
            ffi::PyObject_VectorcallMethod(name.as_ptr(), pointer, positional, keywords.as_ptr())
        })
    }

    /// An attribute.
    pub(crate) fn attr(&self, name: &Self) -> Result<Self> {
        // SAFETY: takes any object and a string.
        own(unsafe { ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr()) })
    }

    /// An attribute, or `None` if there is no such.
    pub(crate) fn attr_opt(&self, name: &Self) -> Result<Option<Self>> {
        match self.attr(name) {
            Ok(value) => Ok(Some(value)),
            Err(raised) if raised.matches(&exceptions::attribute_error()) => {
                raised.clear();
                Ok(None)
            }
            Err(raised) => Err(raised),
        }
    }

    /// Sets an attribute.
    pub(crate) fn set_attr(&self, name: &Self, value: &Self) -> Result<()> {
        // SAFETY: takes any object, a string and any value.
        match unsafe { ffi::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::already()),
        }
    }

    /// `bool(object)`.
    #[inline]
    pub(crate) fn truth(&self) -> Result<bool> {
        // SAFETY: takes any object.
        match unsafe { ffi::PyObject_IsTrue(self.as_ptr()) } {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Raised::already()),
        }
    }

    /// `object == other`.
    pub(crate) fn equals(&self, other: &Self) -> Result<bool> {
        self.compare(other, ffi::Py_EQ)
    }

    /// `object < other`.
    pub(crate) fn less(&self, other: &Self) -> Result<bool> {
        self.compare(other, ffi::Py_LT)
    }

    /// `object <= other`.
    pub(crate) fn less_or_equal(&self, other: &Self) -> Result<bool> {
        self.compare(other, ffi::Py_LE)
    }

    /// `self + other`.
    pub(crate) fn add(&self, other: &Self) -> Result<Self> {
        // SAFETY: takes any two objects.
        own(unsafe { ffi::PyNumber_Add(self.as_ptr(), other.as_ptr()) })
    }

    fn compare(&self, other: &Self, operator: std::ffi::c_int) -> Result<bool> {
        // SAFETY: takes any two objects.
        match unsafe { ffi::PyObject_RichCompareBool(self.as_ptr(), other.as_ptr(), operator) } {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Raised::already()),
        }
    }

    /// `object + other`.
    pub(crate) fn plus(&self, other: &Self) -> Result<Self> {
        // SAFETY: takes any two objects.
        own(unsafe { ffi::PyNumber_Add(self.as_ptr(), other.as_ptr()) })
    }

    /// `isinstance(object, kind)`.
    pub(crate) fn is_instance(&self, kind: &Self) -> Result<bool> {
        // SAFETY: takes any two objects.
        match unsafe { ffi::PyObject_IsInstance(self.as_ptr(), kind.as_ptr()) } {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Raised::already()),
        }
    }

    /// `callable(object)`.
    #[inline]
    pub(crate) fn is_callable(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyCallable_Check(self.as_ptr()) != 0 }
    }

    /// `hash(object)`; fails for what has none.
    pub(crate) fn hash(&self) -> Result<isize> {
        // SAFETY: takes any object.
        match unsafe { ffi::PyObject_Hash(self.as_ptr()) } {
            -1 => Err(Raised::already()),
            hash => Ok(hash),
        }
    }

    /// `list(object)` as a vector.
    pub(crate) fn to_vec(&self) -> Result<Vec<Self>> {
        Ok(Tuple::items(&Tuple::from(self)?).to_vec())
    }

    /// `len(object)`.
    pub(crate) fn length(&self) -> Result<usize> {
        // SAFETY: takes any object.
        let length = unsafe { ffi::PyObject_Size(self.as_ptr()) };
        usize::try_from(length).map_err(|_| Raised::already())
    }

    /// `object[key]` of a dictionary, or nothing.
    pub(crate) fn dict_get(&self, key: &Self) -> Result<Option<Self>> {
        // SAFETY: a dictionary; gives a borrowed reference, or null with or without an exception.
        let value = unsafe { ffi::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr()) };
        if !value.is_null() {
            // SAFETY: borrowed from the dictionary.
            return Ok(Some(unsafe { Self::share(value) }));
        }
        // SAFETY: always allowed.
        if unsafe { ffi::PyErr_Occurred() }.is_null() {
            Ok(None)
        } else {
            Err(Raised::already())
        }
    }

    /// `object[key] = value` of a dictionary.
    #[inline]
    pub(crate) fn dict_set(&self, key: &Self, value: &Self) -> Result<()> {
        // SAFETY: a dictionary; key and value are borrowed.
        match unsafe { ffi::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::already()),
        }
    }

    /// `del object[key]` of a dictionary.
    #[inline]
    pub(crate) fn dict_remove(&self, key: &Self) -> Result<()> {
        // SAFETY: a dictionary; the key is borrowed.
        match unsafe { ffi::PyDict_DelItem(self.as_ptr(), key.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::already()),
        }
    }

    /// `key in object` of a dictionary.
    pub(crate) fn dict_contains(&self, key: &Self) -> Result<bool> {
        // SAFETY: a dictionary; the key is borrowed.
        match unsafe { ffi::PyDict_Contains(self.as_ptr(), key.as_ptr()) } {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Raised::already()),
        }
    }

    /// `len(object)` of a dictionary.
    pub(crate) fn dict_len(&self) -> usize {
        // SAFETY: a dictionary.
        usize::try_from(unsafe { ffi::PyDict_Size(self.as_ptr()) }).unwrap_or(0)
    }

    /// A new, empty dictionary.
    pub(crate) fn new_dict() -> Result<Self> {
        // SAFETY: gives a new reference or sets the error indicator.
        own(unsafe { ffi::PyDict_New() })
    }

    /// A new, empty set.
    pub(crate) fn new_set() -> Result<Self> {
        // SAFETY: gives a new reference or sets the error indicator.
        own(unsafe { ffi::PySet_New(std::ptr::null_mut()) })
    }

    /// `object.add(value)` of a set.
    pub(crate) fn set_add(&self, value: &Self) -> Result<()> {
        // SAFETY: a set; the value is borrowed.
        match unsafe { ffi::PySet_Add(self.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::already()),
        }
    }

    /// `object.discard(value)` of a set.
    pub(crate) fn set_discard(&self, value: &Self) -> Result<()> {
        // SAFETY: a set; the value is borrowed.
        match unsafe { ffi::PySet_Discard(self.as_ptr(), value.as_ptr()) } {
            -1 => Err(Raised::already()),
            _ => Ok(()),
        }
    }

    /// Makes `cause` the cause and the context of this exception.
    pub(crate) fn set_cause(&self, cause: &Self) {
        // SAFETY: both are exceptions; a reference of its own is stolen by each call.
        unsafe { ffi::PyException_SetCause(self.as_ptr(), cause.clone().into_ptr()) };
        // SAFETY: as above.
        unsafe { ffi::PyException_SetContext(self.as_ptr(), cause.clone().into_ptr()) };
    }

    /// The traceback of this exception.
    pub(crate) fn traceback(&self) -> Option<Self> {
        // SAFETY: an exception.
        let traceback = unsafe { ffi::PyException_GetTraceback(self.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Self::steal(traceback) }
    }

    /// Sets the traceback of this exception.
    pub(crate) fn set_traceback(&self, traceback: Option<&Self>) {
        let none = none();
        // SAFETY: an exception, and a traceback or `None`.
        unsafe {
            ffi::PyException_SetTraceback(self.as_ptr(), traceback.unwrap_or(&none).as_ptr())
        };
    }

    /// The context of this exception: what was being handled when it was raised.
    pub(crate) fn context(&self) -> Option<Self> {
        // SAFETY: an exception.
        let context = unsafe { ffi::PyException_GetContext(self.as_ptr()) };
        // SAFETY: a new reference or null.
        unsafe { Self::steal(context) }
    }

    /// Sets the context of this exception.
    pub(crate) fn set_context(&self, context: &Self) {
        // SAFETY: both are exceptions; the reference of its own is stolen.
        unsafe { ffi::PyException_SetContext(self.as_ptr(), context.clone().into_ptr()) };
    }

    /// Makes this exception one that was raised `from None`.
    pub(crate) fn suppress_context(&self) {
        // SAFETY: an exception, and null for no cause.
        unsafe { ffi::PyException_SetCause(self.as_ptr(), std::ptr::null_mut()) };
    }

    /// Whether this is an instance of an exception type.
    pub(crate) fn is_exception(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyExceptionInstance_Check(self.as_ptr()) != 0 }
    }

    /// `type(object).__name__`.
    pub(crate) fn type_name(&self) -> Result<String> {
        Str::of(&self.type_of().attr(&names().__name__)?)
    }

    /// Whether this is a type.
    pub(crate) fn is_type(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyType_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is a coroutine made by `async def`, exactly.
    #[inline]
    pub(crate) fn is_coroutine(&self) -> bool {
        // SAFETY: reads the type of a live object.
        let kind = unsafe { ffi::Py_TYPE(self.as_ptr()) };
        std::ptr::eq(kind, &raw const ffi::PyCoro_Type)
    }

    /// Whether this is a tuple.
    pub(crate) fn is_tuple(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyTuple_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is a dictionary.
    pub(crate) fn is_dict(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyDict_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is a `str`.
    pub(crate) fn is_str(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyUnicode_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is an `int`.
    pub(crate) fn is_int(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyLong_Check(self.as_ptr()) != 0 }
    }

    /// Whether this is a `float`.
    pub(crate) fn is_float(&self) -> bool {
        // SAFETY: takes any object.
        unsafe { ffi::PyFloat_Check(self.as_ptr()) != 0 }
    }

    /// The value of an `int` that is not negative.
    pub(crate) fn to_u64(&self) -> Result<u64> {
        // SAFETY: takes any object; the greatest value may mean that the error indicator is set.
        let value = unsafe { ffi::PyLong_AsUnsignedLongLong(self.as_ptr()) };
        // SAFETY: always allowed.
        if value == u64::MAX && !unsafe { ffi::PyErr_Occurred() }.is_null() {
            return Err(Raised::already());
        }
        Ok(value)
    }

    /// The value of an `int`.
    pub(crate) fn to_i64(&self) -> Result<i64> {
        // SAFETY: takes any object; -1 may mean that the error indicator is set.
        let value = unsafe { ffi::PyLong_AsLongLong(self.as_ptr()) };
        // SAFETY: always allowed.
        if value == -1 && !unsafe { ffi::PyErr_Occurred() }.is_null() {
            return Err(Raised::already());
        }
        Ok(value)
    }
}

/// Goes one step on in a coroutine or iterator, with `None` as what the last one came to.
#[inline]
pub(crate) fn send(coroutine: &Object) -> Sent {
    let none = none();
    let mut result = std::ptr::null_mut();
    // SAFETY: Python checks the kind of the object; `result` is filled with an owned reference or null.
    let how = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), none.as_ptr(), &raw mut result) };
    match (how, own_opt(result)) {
        (PySendResult::PYGEN_NEXT, Some(value)) => Sent::Yielded(value),
        (PySendResult::PYGEN_RETURN, Some(value)) => Sent::Returned(value),
        _ => Sent::Raised(Raised::already()),
    }
}

/// Goes one step on in a coroutine by throwing an exception into it.
pub(crate) fn throw(coroutine: &Object, exception: &Object) -> Sent {
    match coroutine.call_method(&names().throw, [exception]) {
        Ok(value) => Sent::Yielded(value),
        Err(raised) if raised.matches(&exceptions::stop_iteration()) => {
            match raised.fetch().attr(&names().value) {
                Ok(value) => Sent::Returned(value),
                Err(raised) => Sent::Raised(raised),
            }
        }
        Err(raised) => Sent::Raised(raised),
    }
}

#[inline]
fn own_opt(pointer: *mut PyObject) -> Option<Object> {
    // SAFETY: an owned reference or null.
    unsafe { Obj::steal(pointer) }
}

/// `module.name`, imported if need be.
pub(crate) fn import(module: &std::ffi::CStr, name: &std::ffi::CStr) -> Result<Object> {
    let module = import_module(module)?;
    // SAFETY: a module and a C string.
    own(unsafe { ffi::PyObject_GetAttrString(module.as_ptr(), name.as_ptr()) })
}

/// A module, imported if need be.
pub(crate) fn import_module(module: &std::ffi::CStr) -> Result<Object> {
    // SAFETY: a C string.
    own(unsafe { ffi::PyImport_ImportModule(module.as_ptr()) })
}

/// `warnings.warn(text, kind)`, as seen from `level` Python frames up.
pub(crate) fn warn(kind: &Object, text: &std::ffi::CStr, level: isize) -> Result<()> {
    // SAFETY: an exception type and a C string.
    match unsafe { ffi::PyErr_WarnEx(kind.as_ptr(), text.as_ptr(), level) } {
        0 => Ok(()),
        _ => Err(Raised::already()),
    }
}
