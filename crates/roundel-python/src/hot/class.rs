//! From Rust functions to the tables of a Python type.
//!
//! A method is given as a plain Rust function, `class.method0(c"done", DOC, Future::done)`; how Python comes to
//! call it is the affair of [`trampoline`].

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use pyo3_ffi as ffi;
use pyo3_ffi::{
    Py_ssize_t, PyGetSetDef, PyMemberDef, PyMethodDef, PyMethodDefPointer, PyType_Slot, PyType_Spec,
};

use super::ancestor::Ancestor;
use super::call::Sent;
use super::coroutine_function::{self, CoroutineFunction};
use super::error::{Raised, Result};
use super::native::{self, HotType};
use super::object::{Obj, Object};
use super::trampoline::{self, Binary, Comparison, Next, Signed, Unary, Variadic};
use super::value::{IntoObject, Str};

/// Says what a hot type looks like from Python.
pub(crate) struct Class<T> {
    methods: Vec<PyMethodDef>,
    attributes: Vec<PyGetSetDef>,
    coroutine_functions: Vec<CoroutineFunction>,
    slots: Vec<PyType_Slot>,
    flags: u64,
    kind: PhantomData<T>,
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
        self.slot(ffi::Py_tp_init, trampoline::init::<T, F> as *mut c_void)
    }

    /// A method without arguments.
    pub(crate) fn method0<R: IntoObject, F: Unary<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        _f: F,
    ) -> &mut Self {
        let pointer = PyMethodDefPointer {
            PyCFunction: trampoline::method0::<T, R, F>,
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
            PyCFunction: trampoline::method1::<T, R, F>,
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
            PyCFunctionFastWithKeywords: trampoline::method::<T, R, F>,
        };
        self.add_method(name, doc, pointer, ffi::METH_FASTCALL | ffi::METH_KEYWORDS)
    }

    /// A method with one parameter, which may be given by name.
    pub(crate) fn method_of_one<R: IntoObject + 'static, S: Signed<1>, F: Binary<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        _signature: S,
        _f: F,
    ) -> &mut Self {
        let pointer = PyMethodDefPointer {
            PyCFunctionFastWithKeywords: trampoline::method_of_one::<T, R, S, F>,
        };
        self.add_method(name, doc, pointer, ffi::METH_FASTCALL | ffi::METH_KEYWORDS)
    }

    /// A coroutine function without arguments.
    pub(crate) fn async_method0<R: IntoObject, F: Unary<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        f: F,
    ) -> &mut Self {
        if coroutine_function::POSSIBLE {
            self.add_coroutine_function(name, doc, trampoline::async_method0::<T, R, F>)
        } else {
            self.method0(name, doc, f)
        }
    }

    /// A coroutine function that takes any arguments.
    pub(crate) fn async_method<R: IntoObject, F: Variadic<T, R>>(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        f: F,
    ) -> &mut Self {
        if coroutine_function::POSSIBLE {
            self.add_coroutine_function(name, doc, trampoline::async_method::<T, R, F>)
        } else {
            self.method(name, doc, f)
        }
    }

    fn add_coroutine_function(
        &mut self,
        name: &'static CStr,
        doc: &'static CStr,
        call: coroutine_function::Call,
    ) -> &mut Self {
        self.coroutine_functions
            .push(CoroutineFunction { name, doc, call });
        self
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
        // A method wins over the wrapper that Python makes of the slot of the same name. Not for all methods: the
        // interpreter's specialized calls want to see the flags that say how a method is called, and no other.
        let coexist = if name.to_bytes().starts_with(b"__") {
            ffi::METH_COEXIST
        } else {
            0
        };
        self.methods.push(PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: pointer,
            ml_flags: flags | coexist,
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
            get: Some(trampoline::getter::<T, R, F>),
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
            attribute.set = Some(trampoline::setter::<T, G>);
        }
        self
    }

    /// Passes for an instance of the type that `f` gives, as `isinstance` sees it. What derives from the type does
    /// not: it has to find its own class there.
    pub(crate) fn poses_as<F: Fn() -> Object + Copy + 'static>(&mut self, _f: F) -> &mut Self {
        self.getter(c"__class__", |this: &Obj<T>| {
            if this.is_exact() {
                trampoline::conjure::<F>()()
            } else {
                this.as_any().type_of()
            }
        })
    }

    /// Awaitable: `f` goes one step on.
    pub(crate) fn awaitable<F: Unary<T, Sent>>(&mut self, f: F) -> &mut Self {
        self.awaitable_by(trampoline::iternext::<T, F>, f)
    }

    fn awaitable_by<F: Unary<T, Sent>>(&mut self, next: ffi::iternextfunc, _f: F) -> &mut Self {
        self.slot(ffi::Py_am_await, trampoline::itself as *mut c_void);
        self.slot(ffi::Py_tp_iternext, next as *mut c_void);
        self.slot(ffi::Py_am_send, trampoline::am_send::<T, F> as *mut c_void)
    }

    /// `iter(object)` is what `f` gives.
    pub(crate) fn iterable<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_iter, trampoline::repr::<T, R, F> as *mut c_void)
    }

    /// Awaitable, its own iterator, and with the method `send` that a coroutine has.
    pub(crate) fn coroutine<F: Unary<T, Sent>>(&mut self, f: F) -> &mut Self {
        self.awaitable(f).its_own_iterator(f)
    }

    /// As [`coroutine`](Self::coroutine), but `next(object)`, and `await object`, which is the same, does what `next` says
    /// for the object, if it says something.
    pub(crate) fn coroutine_by<S: Unary<T, Option<Next<T>>>, F: Unary<T, Sent>>(
        &mut self,
        _next: S,
        f: F,
    ) -> &mut Self {
        self.awaitable_by(trampoline::next_by::<T, S, F>, f)
            .its_own_iterator(f)
    }

    fn its_own_iterator<F: Unary<T, Sent>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_iter, trampoline::itself as *mut c_void);
        let pointer = PyMethodDefPointer {
            PyCFunction: trampoline::send_method::<T, F>,
        };
        let doc = c"send($self, value, /)\n--\n\nGo one step on, as a generator would.";
        self.add_method(c"send", doc, pointer, ffi::METH_O)
    }

    /// An iterator: `f` gives the next object.
    pub(crate) fn iterator<F: Unary<T, Sent>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_iter, trampoline::itself as *mut c_void);
        self.slot(
            ffi::Py_tp_iternext,
            trampoline::iternext::<T, F> as *mut c_void,
        )
    }

    /// An async iterator, its own `__aiter__`: `f` makes what `__anext__` gives.
    pub(crate) fn async_iterator<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_am_aiter, trampoline::itself as *mut c_void);
        self.slot(ffi::Py_am_anext, trampoline::repr::<T, R, F> as *mut c_void)
    }

    /// Can be called.
    pub(crate) fn callable<R: IntoObject, F: Variadic<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_call, trampoline::call::<T, R, F> as *mut c_void)
    }

    /// `repr(object)`.
    pub(crate) fn repr<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_repr, trampoline::repr::<T, R, F> as *mut c_void)
    }

    /// `<`, `==` and so on.
    pub(crate) fn compare<F>(&mut self, _f: F) -> &mut Self
    where
        F: Fn(&Obj<T>, &Object, Comparison) -> Result<Object> + Copy + 'static,
    {
        self.slot(
            ffi::Py_tp_richcompare,
            trampoline::compare::<T, F> as *mut c_void,
        )
    }

    /// `hash(object)`.
    pub(crate) fn hash<F: Unary<T, Result<isize>>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_hash, trampoline::hash::<T, F> as *mut c_void)
    }

    /// `str(object)`.
    pub(crate) fn string<R: IntoObject, F: Unary<T, R>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_tp_str, trampoline::repr::<T, R, F> as *mut c_void)
    }

    /// `len(object)`.
    pub(crate) fn length<F: Unary<T, Result<usize>>>(&mut self, _f: F) -> &mut Self {
        self.slot(ffi::Py_sq_length, trampoline::length::<T, F> as *mut c_void)
    }

    /// `object[index]`, which makes it a sequence that can be iterated, too; fails where it ends.
    pub(crate) fn item<R: IntoObject, F: Fn(&Obj<T>, usize) -> R + Copy + 'static>(
        &mut self,
        _f: F,
    ) -> &mut Self {
        self.slot(ffi::Py_sq_item, trampoline::item::<T, R, F> as *mut c_void)
    }

    /// `f` hears of each attribute that is set on an object, by its name.
    pub(crate) fn on_set_attribute<F: Fn(&Obj<T>, &Object) + Copy + 'static>(
        &mut self,
        _f: F,
    ) -> &mut Self {
        self.slot(
            ffi::Py_tp_setattro,
            trampoline::set_attribute::<T, F> as *mut c_void,
        )
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
            coroutine_functions: Vec::new(),
            slots: Vec::new(),
            // Until there is a constructor: an object that Python made on its own would have no value.
            flags: ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION,
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
        let base = T::Base::type_object()?;
        let base = base.as_ref().map_or(ptr::null_mut(), Obj::as_ptr);
        // SAFETY: a complete spec whose tables live for ever; the base is a type or null.
        let made = unsafe { ffi::PyType_FromModuleAndSpec(module.as_ptr(), &raw mut spec, base) };
        // SAFETY: a new reference, or null with the error indicator set.
        let made: Object = unsafe { Obj::steal(made) }.ok_or_else(Raised::already)?;
        // Python's messages have the bare name then, as they do for classes written in Python.
        let name = Str::intern(bare_name(T::NAME))?;
        made.set_attr(&Str::intern(c"__name__")?, &name)?;
        for function in &self.coroutine_functions {
            let name = Str::intern(function.name)?;
            made.set_attr(&name, &function.make(Some(bare_name(T::NAME)))?)?;
        }
        // The cell keeps a reference of its own for as long as the process lives.
        T::cell().set(made.clone().into_ptr().cast());
        Ok(made)
    }
}

/// The last part of a dotted name.
pub(super) fn bare_name(name: &'static CStr) -> &'static CStr {
    let bytes = name.to_bytes_with_nul();
    let dot = bytes.iter().rposition(|&byte| byte == b'.');
    CStr::from_bytes_with_nul(&bytes[dot.map_or(0, |dot| dot + 1)..]).unwrap_or(name)
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
    let mut members = vec![offset(
        c"__weaklistoffset__",
        native::weakrefs_offset::<T>(),
    )];
    if T::ATTRIBUTES {
        members.push(offset(c"__dictoffset__", native::dict_offset::<T>()));
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
