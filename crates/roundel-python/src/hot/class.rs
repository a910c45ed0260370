//! From Rust functions to the tables of a Python type.
//!
//! A method is given as a plain Rust function, `class.method0(c"done", DOC, Future::done)`. Each function has a
//! zero-sized type of its own, so a generic trampoline can be made for it that calls it directly; no macro,
//! no boxed closure, no look-up.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3_ffi as ffi;
use pyo3_ffi::{
    Py_ssize_t, PyGetSetDef, PyMemberDef, PyMethodDef, PyMethodDefPointer, PyObject, PySendResult,
    PyType_Slot, PyType_Spec,
};

use super::args::{self, Args};
use super::call::Sent;
use super::error::{Raised, Result};
use super::native::{self, Ancestor, HotType};
use super::object::{Any, Obj, Object};
use super::stop_iteration;
use super::value::{IntoObject, exceptions};

/// Says what a hot type looks like from Python.
pub(crate) struct Class<T> {
    methods: Vec<PyMethodDef>,
    attributes: Vec<PyGetSetDef>,
    slots: Vec<PyType_Slot>,
    flags: u64,
    kind: PhantomData<T>,
}

/// The one value of a function's type.
#[inline]
pub(super) fn conjure<F: Copy>() -> F {
    const {
        assert!(
            size_of::<F>() == 0,
            "a plain function or a closure that captures nothing"
        )
    };
    // SAFETY: a zero-sized value has no bytes, and one of it existed: whoever names `F` passed it in.
    unsafe { ptr::NonNull::<F>::dangling().read() }
}

/// Gives what a C function returns for an object: the pointer, or null with the error indicator set.
#[inline]
pub(super) fn returned(result: Result<Object>) -> *mut PyObject {
    result.map_or(ptr::null_mut(), Obj::into_ptr)
}

/// Runs the body of a function that Python called; a panic becomes an exception.
#[inline]
pub(super) fn guarded<R>(on_panic: R, body: impl FnOnce() -> R) -> R {
    // The objects that a panic can leave half changed are ours; what remains is said in the exception.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let text = text.unwrap_or_default();
        let _raised = Raised::new(
            &exceptions::system_error(),
            format!("roundel panicked: {text}"),
        );
        on_panic
    })
}

/// A function of one object and no other argument.
pub(crate) trait Unary<T, R>: Fn(&Obj<T>) -> R + Copy + 'static {}
impl<T, R, F: Fn(&Obj<T>) -> R + Copy + 'static> Unary<T, R> for F {}

/// A function of one object and one argument.
pub(crate) trait Binary<T, R>: Fn(&Obj<T>, &Object) -> R + Copy + 'static {}
impl<T, R, F: Fn(&Obj<T>, &Object) -> R + Copy + 'static> Binary<T, R> for F {}

/// A function of one object and the arguments of a call.
pub(crate) trait Variadic<T, R>: Fn(&Obj<T>, &Args<'_>) -> R + Copy + 'static {}
impl<T, R, F: Fn(&Obj<T>, &Args<'_>) -> R + Copy + 'static> Variadic<T, R> for F {}

unsafe extern "C" fn method0<T, R: IntoObject, F: Unary<T, R>>(
    this: *mut PyObject,
    _unused: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }).into_object())
    })
}

unsafe extern "C" fn method1<T, R: IntoObject, F: Binary<T, R>>(
    this: *mut PyObject,
    argument: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type and a live argument.
        let (this, argument) = unsafe { (Obj::lend(&this), Obj::lend(&argument)) };
        returned(conjure::<F>()(this, argument).into_object())
    })
}

pub(super) unsafe extern "C" fn method<T, R: IntoObject, F: Variadic<T, R>>(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type and a vector of live arguments.
        let (this, args) = unsafe { (Obj::lend(&this), Args::from_vector(args, count, &names)) };
        returned(conjure::<F>()(this, &args).into_object())
    })
}

unsafe extern "C" fn getter<T, R: IntoObject, F: Unary<T, R>>(
    this: *mut PyObject,
    _closure: *mut c_void,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a getter with an object of its type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }).into_object())
    })
}

unsafe extern "C" fn setter<T, F: Binary<T, Result<()>>>(
    this: *mut PyObject,
    value: *mut PyObject,
    _closure: *mut c_void,
) -> c_int {
    guarded(-1, || {
        if value.is_null() {
            let _raised = Raised::new(&exceptions::attribute_error(), "cannot delete attribute");
            return -1;
        }
        // SAFETY: Python calls a setter with an object of its type and a live value.
        let (this, value) = unsafe { (Obj::lend(&this), Obj::lend(&value)) };
        status(conjure::<F>()(this, value))
    })
}

fn status(result: Result<()>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}

unsafe extern "C" fn init<T, F: Variadic<T, Result<()>>>(
    this: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> c_int {
    guarded(-1, || {
        // SAFETY: Python calls `__init__` with an object of the type, a tuple and a dictionary or null.
        let this = unsafe { Obj::lend(&this) };
        // SAFETY: as above.
        status(unsafe { args::from_tuple(args, kwargs, |args| conjure::<F>()(this, args)) })
    })
}

unsafe extern "C" fn call<T, R: IntoObject, F: Variadic<T, R>>(
    this: *mut PyObject,
    args: *mut PyObject,
    kwargs: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: as for `init`.
        let this = unsafe { Obj::lend(&this) };
        // SAFETY: as for `init`.
        unsafe {
            args::from_tuple(args, kwargs, |args| {
                returned(conjure::<F>()(this, args).into_object())
            })
        }
    })
}

unsafe extern "C" fn repr<T, R: IntoObject, F: Unary<T, R>>(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: the same contract as a getter's.
    unsafe { getter::<T, R, F>(this, ptr::null_mut()) }
}

/// What two objects are compared for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
}

unsafe extern "C" fn compare<T, F>(
    this: *mut PyObject,
    other: *mut PyObject,
    operator: c_int,
) -> *mut PyObject
where
    F: Fn(&Obj<T>, &Object, Comparison) -> Result<Object> + Copy + 'static,
{
    let comparison = match operator {
        ffi::Py_LT => Comparison::Less,
        ffi::Py_LE => Comparison::LessOrEqual,
        ffi::Py_EQ => Comparison::Equal,
        ffi::Py_NE => Comparison::NotEqual,
        ffi::Py_GT => Comparison::Greater,
        _ => Comparison::GreaterOrEqual,
    };
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls the slot with an object of the type and a live one.
        let (this, other) = unsafe { (Obj::lend(&this), Obj::lend(&other)) };
        returned(conjure::<F>()(this, other, comparison))
    })
}

unsafe extern "C" fn hash<T, F: Unary<T, Result<isize>>>(this: *mut PyObject) -> ffi::Py_hash_t {
    guarded(-1, || {
        // SAFETY: Python calls the slot with an object of the type.
        conjure::<F>()(unsafe { Obj::lend(&this) }).unwrap_or(-1)
    })
}

unsafe extern "C" fn set_attribute<T, F: Fn(&Obj<T>, &Object) + Copy + 'static>(
    this: *mut PyObject,
    name: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    guarded(-1, || {
        // SAFETY: Python calls the slot with an object of the type and a string.
        let (object, attribute) = unsafe { (Obj::lend(&this), Obj::lend(&name)) };
        conjure::<F>()(object, attribute);
        // SAFETY: as above; the value is live, or null to delete.
        unsafe { ffi::PyObject_GenericSetAttr(this, name, value) }
    })
}

unsafe extern "C" fn itself(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: Python calls the slot with a live object.
    unsafe { Obj::<Any>::share(this) }.into_ptr()
}

unsafe extern "C" fn iternext<T, F: Unary<T, Sent>>(this: *mut PyObject) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls the slot with an object of the type.
        match conjure::<F>()(unsafe { Obj::lend(&this) }) {
            Sent::Yielded(value) => value.into_ptr(),
            Sent::Returned(value) => stop_iteration::finish(value),
            Sent::Raised(_) => ptr::null_mut(),
        }
    })
}

unsafe extern "C" fn am_send<T, F: Unary<T, Sent>>(
    this: *mut PyObject,
    _value: *mut PyObject,
    result: *mut *mut PyObject,
) -> PySendResult {
    let (how, value) = guarded((PySendResult::PYGEN_ERROR, ptr::null_mut()), || {
        // SAFETY: Python calls the slot with an object of the type.
        match conjure::<F>()(unsafe { Obj::lend(&this) }) {
            Sent::Yielded(value) => (PySendResult::PYGEN_NEXT, value.into_ptr()),
            Sent::Returned(value) => (PySendResult::PYGEN_RETURN, value.into_ptr()),
            Sent::Raised(_) => (PySendResult::PYGEN_ERROR, ptr::null_mut()),
        }
    });
    // SAFETY: Python passes a place for the result.
    unsafe { *result = value };
    how
}

unsafe extern "C" fn send_method<T, F: Unary<T, Sent>>(
    this: *mut PyObject,
    _value: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }).into_object())
    })
}

impl<T: HotType> Class<T> {
    /// Can be called to make an object: `T::default()`, then `f` as its `__init__`.
    pub(crate) fn init<F: Variadic<T, Result<()>>>(&mut self, _f: F) -> &mut Self
    where
        T: Default,
        <T::Base as Ancestor>::Chain: Default,
    {
        self.flags = 0;
        self.slot(ffi::Py_tp_new, native::new::<T> as *mut c_void);
        self.slot(ffi::Py_tp_init, init::<T, F> as *mut c_void)
    }

    /// A method without arguments.
    pub(crate) fn method0<R: IntoObject, F: Unary<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        _f: F,
    ) -> &mut Self {
        let pointer = PyMethodDefPointer {
            PyCFunction: method0::<T, R, F>,
        };
        self.add_method(name, doc, pointer, ffi::METH_NOARGS)
    }

    /// A method with one positional argument.
    pub(crate) fn method1<R: IntoObject, F: Binary<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        _f: F,
    ) -> &mut Self {
        let pointer = PyMethodDefPointer {
            PyCFunction: method1::<T, R, F>,
        };
        self.add_method(name, doc, pointer, ffi::METH_O)
    }

    /// A method that takes any arguments.
    pub(crate) fn method<R: IntoObject, F: Variadic<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        _f: F,
    ) -> &mut Self {
        let pointer = PyMethodDefPointer {
            PyCFunctionFastWithKeywords: method::<T, R, F>,
        };
        self.add_method(name, doc, pointer, ffi::METH_FASTCALL | ffi::METH_KEYWORDS)
    }

    /// A class method with one argument, a plain function of `types.GenericAlias`: `Future[int]`.
    pub(crate) fn generic(&mut self) -> &mut Self {
        let pointer = PyMethodDefPointer {
            PyCFunction: ffi::Py_GenericAlias,
        };
        let doc = c"See PEP 585.";
        self.add_method(
            c"__class_getitem__",
            doc,
            pointer,
            ffi::METH_O | ffi::METH_CLASS,
        )
    }

    fn add_method(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        pointer: PyMethodDefPointer,
        flags: c_int,
    ) -> &mut Self {
        self.methods.push(PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: pointer,
            // A method wins over the wrapper that Python makes of the slot of the same name.
            ml_flags: flags | ffi::METH_COEXIST,
            ml_doc: doc.as_ptr(),
        });
        self
    }

    /// An attribute that can be read.
    pub(crate) fn getter<R: IntoObject, F: Unary<T, R>>(
        &mut self,
        name: &'static CStr,
        _f: F,
    ) -> &mut Self {
        self.attributes.push(PyGetSetDef {
            name: name.as_ptr(),
            get: Some(getter::<T, R, F>),
            set: None,
            doc: ptr::null(),
            closure: ptr::null_mut(),
        });
        self
    }

    /// An attribute that can be read and set.
    pub(crate) fn property<R: IntoObject, F: Unary<T, R>, G: Binary<T, Result<()>>>(
        &mut self,
        name: &'static CStr,
        get: F,
        _set: G,
    ) -> &mut Self {
        self.getter(name, get);
        if let Some(attribute) = self.attributes.last_mut() {
            attribute.set = Some(setter::<T, G>);
        }
        self
    }

    /// Awaitable: `f` goes one step on.
    pub(crate) fn awaitable<F: Unary<T, Sent>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_am_await, itself as *mut c_void);
        self.slot(ffi::Py_tp_iternext, iternext::<T, F> as *mut c_void);
        self.slot(ffi::Py_am_send, am_send::<T, F> as *mut c_void)
    }

    /// `iter(object)` is what `f` gives.
    pub(crate) fn iterable<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_iter, repr::<T, R, F> as *mut c_void)
    }

    /// Awaitable, its own iterator, and with the method `send` that a coroutine has.
    pub(crate) fn coroutine<F: Unary<T, Sent>>(&mut self, f: F) -> &mut Self {
        self.awaitable(f);
        self.slot(ffi::Py_tp_iter, itself as *mut c_void);
        let pointer = PyMethodDefPointer {
            PyCFunction: send_method::<T, F>,
        };
        let doc = c"send($self, value, /)\n--\n\nGo one step on, as a generator would.";
        self.add_method(c"send", doc, pointer, ffi::METH_O)
    }

    /// An iterator: `f` gives the next object.
    pub(crate) fn iterator<F: Unary<T, Sent>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_iter, itself as *mut c_void);
        self.slot(ffi::Py_tp_iternext, iternext::<T, F> as *mut c_void)
    }

    /// An async iterator, its own `__aiter__`: `f` makes what `__anext__` gives.
    pub(crate) fn async_iterator<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_am_aiter, itself as *mut c_void);
        self.slot(ffi::Py_am_anext, repr::<T, R, F> as *mut c_void)
    }

    /// Can be called.
    pub(crate) fn callable<R: IntoObject, F: Variadic<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_call, call::<T, R, F> as *mut c_void)
    }

    /// `repr(object)`.
    pub(crate) fn repr<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_repr, repr::<T, R, F> as *mut c_void)
    }

    /// `<`, `==` and so on.
    pub(crate) fn compare<F>(&mut self, _f: F) -> &mut Self
    where
        F: Fn(&Obj<T>, &Object, Comparison) -> Result<Object> + Copy + 'static,
    {
        self.slot(ffi::Py_tp_richcompare, compare::<T, F> as *mut c_void)
    }

    /// `hash(object)`.
    pub(crate) fn hash<F: Unary<T, Result<isize>>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_hash, hash::<T, F> as *mut c_void)
    }

    /// `f` hears of each attribute that is set on an object, by its name.
    pub(crate) fn on_set_attribute<F: Fn(&Obj<T>, &Object) + Copy + 'static>(
        &mut self,
        _f: F,
    ) -> &mut Self {
        self.slot(ffi::Py_tp_setattro, set_attribute::<T, F> as *mut c_void)
    }

    /// The docstring of the type.
    pub(crate) fn doc(&mut self, doc: &'static CStr) -> &mut Self {
        self.slot(ffi::Py_tp_doc, doc.as_ptr().cast_mut().cast())
    }

    pub(super) fn slot(&mut self, slot: c_int, pointer: *mut c_void) -> &mut Self {
        self.slots.push(PyType_Slot {
            slot,
            pfunc: pointer,
        });
        self
    }

    /// Makes the type.
    pub(super) fn build(module: &Object) -> Result<Object> {
        let mut class = Self {
            methods: Vec::new(),
            attributes: Vec::new(),
            slots: Vec::new(),
            // Until there is a constructor: an object that Python made on its own would have no value.
            flags: u64::from(ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION),
            kind: PhantomData,
        };
        T::class(&mut class);
        class.finish(module)
    }

    fn finish(mut self, module: &Object) -> Result<Object> {
        self.slot(ffi::Py_tp_dealloc, native::dealloc::<T> as *mut c_void);
        self.slot(ffi::Py_tp_traverse, native::traverse::<T> as *mut c_void);
        self.slot(ffi::Py_tp_clear, native::clear::<T> as *mut c_void);
        self.slot(ffi::Py_tp_finalize, native::finalize::<T> as *mut c_void);
        self.slot(ffi::Py_tp_members, leak(members::<T>()).cast());
        if T::ATTRIBUTES {
            self.attributes.push(dict_attribute());
        }
        self.methods.push(PyMethodDef::zeroed());
        self.attributes.push(PyGetSetDef::default());
        let methods = leak(std::mem::take(&mut self.methods));
        self.slot(ffi::Py_tp_methods, methods.cast());
        let attributes = leak(std::mem::take(&mut self.attributes));
        self.slot(ffi::Py_tp_getset, attributes.cast());
        self.slot(0, ptr::null_mut());
        let slots = leak(self.slots);

        let subclassable = if T::SUBCLASSABLE {
            ffi::Py_TPFLAGS_BASETYPE
        } else {
            0
        };
        let flags = self.flags as std::ffi::c_ulong
            | ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_HAVE_GC
            | subclassable;
        let mut spec = PyType_Spec {
            name: T::NAME.as_ptr(),
            basicsize: c_int::try_from(native::basic_size::<T>()).unwrap_or(c_int::MAX),
            itemsize: 0,
            flags: u32::try_from(flags).unwrap_or(0),
            slots,
        };
        let base = T::Base::type_pointer().cast();
        // SAFETY: a complete spec whose tables live for ever; the base is a type or null.
        let made = unsafe { ffi::PyType_FromModuleAndSpec(module.as_ptr(), &raw mut spec, base) };
        // SAFETY: a new reference, or null with the error indicator set.
        let made: Object = unsafe { Obj::steal(made) }.ok_or_else(Raised::already)?;
        // The cell keeps a reference of its own for as long as the process lives.
        T::cell().set(made.clone().into_ptr().cast());
        Ok(made)
    }
}

/// Where Python finds the weak references and the dictionary of an object.
fn members<T: HotType>() -> Vec<PyMemberDef> {
    let offset = |name: &'static CStr, offset: usize| PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: Py_ssize_t::try_from(offset).unwrap_or(0),
        flags: ffi::Py_READONLY,
        doc: ptr::null(),
    };
    let mut members = vec![offset(c"__weaklistoffset__", native::WEAKREFS_OFFSET)];
    if T::ATTRIBUTES {
        members.push(offset(c"__dictoffset__", native::DICT_OFFSET));
    }
    members.push(PyMemberDef::default());
    members
}

fn dict_attribute() -> PyGetSetDef {
    PyGetSetDef {
        name: c"__dict__".as_ptr(),
        get: Some(ffi::PyObject_GenericGetDict),
        set: Some(ffi::PyObject_GenericSetDict),
        doc: ptr::null(),
        closure: ptr::null_mut(),
    }
}

/// A table that Python keeps a pointer to.
pub(super) fn leak<I>(table: Vec<I>) -> *mut I {
    Box::leak(table.into_boxed_slice()).as_mut_ptr()
}
