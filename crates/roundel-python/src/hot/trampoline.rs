//! What Python calls, and the Rust function that it comes to.
//!
//! Each Rust function has a zero-sized type of its own, so a generic trampoline can be made for it that calls it
//! directly; no macro, no boxed closure, no look-up.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3_ffi as ffi;
use pyo3_ffi::{Py_ssize_t, PyObject, PySendResult};

use super::args::{self, Args, Signature};
use super::call::Sent;
use super::coroutine_function;
use super::error::{Raised, Result};
use super::native::HotType;
use super::object::{self, Obj, Object};
use super::stop_iteration;
use super::value::{IntoObject, exceptions};

/// The one value of a function's type.
#[inline]
pub(super) fn conjure<F: Copy>() -> F {
    const {
        assert!(
            size_of::<F>() == 0,
            "a plain function or a closure that captures nothing"
        );
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
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(panic) => {
            raise_panic(&*panic);
            on_panic
        }
    }
}

#[cold]
#[inline(never)]
fn raise_panic(panic: &(dyn Any + Send)) {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    let text = text.unwrap_or_default();
    let _raised = Raised::new(
        &exceptions::system_error(),
        format!("roundel panicked: {text}"),
    );
}

/// A function of one object and no other argument.
pub(crate) trait Unary<T, R>: Fn(&Obj<T>) -> R + Copy + 'static {}
impl<T, R, F: Fn(&Obj<T>) -> R + Copy + 'static> Unary<T, R> for F {}

/// A function of one object and one argument.
pub(crate) trait Binary<T, R>: Fn(&Obj<T>, &Object) -> R + Copy + 'static {}
impl<T, R, F: Fn(&Obj<T>, &Object) -> R + Copy + 'static> Binary<T, R> for F {}

/// A function that gives the parameters of another.
pub(crate) trait Signed<const N: usize>:
    Fn() -> &'static Signature<N> + Copy + 'static
{
}
impl<const N: usize, F: Fn() -> &'static Signature<N> + Copy + 'static> Signed<N> for F {}

/// A function of one object and the arguments of a call.
pub(crate) trait Variadic<T, R>: Fn(&Obj<T>, &Args<'_>) -> R + Copy + 'static {}
impl<T, R, F: Fn(&Obj<T>, &Args<'_>) -> R + Copy + 'static> Variadic<T, R> for F {}

pub(super) unsafe extern "C" fn method0<T, R: IntoObject, F: Unary<T, R>>(
    this: *mut PyObject,
    _unused: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }).into_object())
    })
}

pub(super) unsafe extern "C" fn method1<T, R: IntoObject, F: Binary<T, R>>(
    this: *mut PyObject,
    argument: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type and a live argument.
        let this = unsafe { Obj::lend(&this) };
        // SAFETY: as above.
        let argument = unsafe { Obj::lend(&argument) };
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
        let this = unsafe { Obj::lend(&this) };
        // SAFETY: as above.
        let args = unsafe { Args::from_vector(args, count, &names) };
        returned(conjure::<F>()(this, &args).into_object())
    })
}

pub(super) unsafe extern "C" fn method_of_one<T: 'static, R, S, F>(
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject
where
    R: IntoObject + 'static,
    S: Signed<1>,
    F: Binary<T, R>,
{
    if count != 1 || !names.is_null() {
        // SAFETY: as this was called.
        return unsafe { method_by(bound::<T, R, S, F>, this, args, count, names) };
    }
    // SAFETY: Python passes one live argument.
    let argument = unsafe { *args };
    // SAFETY: as `method1` is called.
    unsafe { method1::<T, R, F>(this, argument) }
}

/// `method_of_one` where the argument is not the only one that was given by position.
fn bound<T: 'static, R, S, F>(this: &Obj<T>, args: &Args<'_>) -> Result<Object>
where
    R: IntoObject + 'static,
    S: Signed<1>,
    F: Binary<T, R>,
{
    let [argument] = conjure::<S>()().bind_required(args)?;
    conjure::<F>()(this, argument).into_object()
}

#[cold]
#[inline(never)]
unsafe fn method_by<T, R: IntoObject, F: Variadic<T, R>>(
    _f: F,
    this: *mut PyObject,
    args: *const *mut PyObject,
    count: Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as this was called.
    unsafe { method::<T, R, F>(this, args, count, names) }
}

/// What a coroutine function without arguments comes to.
pub(super) unsafe extern "C" fn async_method0<T: HotType, R: IntoObject, F: Unary<T, R>>(
    function: *mut PyObject,
    args: *const *mut PyObject,
    flags: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: as this was called.
        let is_plain = names.is_null() || unsafe { ffi::PyTuple_GET_SIZE(names) } == 0;
        if flags & !ffi::PY_VECTORCALL_ARGUMENTS_OFFSET != 1 || !is_plain {
            // SAFETY: as this was called.
            return unsafe { coroutine_function::refuse(function, args, flags, names) };
        }
        // SAFETY: there is one argument.
        let this = unsafe { &*args };
        // SAFETY: it is live.
        let this = unsafe { Obj::<object::Any>::lend(this) };
        match coroutine_function::receiver(this) {
            Ok(this) => returned(conjure::<F>()(this).into_object()),
            Err(_) => ptr::null_mut(),
        }
    })
}

/// What a coroutine function that takes any arguments comes to.
pub(super) unsafe extern "C" fn async_method<T: HotType, R: IntoObject, F: Variadic<T, R>>(
    function: *mut PyObject,
    args: *const *mut PyObject,
    flags: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        let count = flags & !ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
        if count == 0 {
            // SAFETY: as this was called.
            return unsafe { coroutine_function::refuse(function, args, flags, names) };
        }
        // SAFETY: there is at least one argument.
        let this = unsafe { &*args };
        // SAFETY: it is live.
        let this = unsafe { Obj::<object::Any>::lend(this) };
        let Ok(this) = coroutine_function::receiver(this) else {
            return ptr::null_mut();
        };
        // SAFETY: the others follow it.
        let rest = unsafe { args.add(1) };
        // SAFETY: as many as are left.
        let args = unsafe { Args::from_vector(rest, (count - 1).cast_signed(), &names) };
        returned(conjure::<F>()(this, &args).into_object())
    })
}

/// What a coroutine function that is no method comes to.
pub(super) unsafe extern "C" fn async_function<R: IntoObject, F>(
    _function: *mut PyObject,
    args: *const *mut PyObject,
    flags: usize,
    names: *mut PyObject,
) -> *mut PyObject
where
    F: Fn(&Args<'_>) -> R + Copy + 'static,
{
    guarded(ptr::null_mut(), || {
        let count = flags & !ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
        // SAFETY: Python calls a function with a vector of live arguments.
        let args = unsafe { Args::from_vector(args, count.cast_signed(), &names) };
        returned(conjure::<F>()(&args).into_object())
    })
}

pub(super) unsafe extern "C" fn getter<T, R: IntoObject, F: Unary<T, R>>(
    this: *mut PyObject,
    _closure: *mut c_void,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a getter with an object of its type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }).into_object())
    })
}

pub(super) unsafe extern "C" fn setter<T, F: Binary<T, Result<()>>>(
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
        let this = unsafe { Obj::lend(&this) };
        // SAFETY: as above.
        let value = unsafe { Obj::lend(&value) };
        status(conjure::<F>()(this, value))
    })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the exception is Python's from here on"
)]
fn status(result: Result<()>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}

pub(super) unsafe extern "C" fn init<T, F: Variadic<T, Result<()>>>(
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

pub(super) unsafe extern "C" fn call<T, R: IntoObject, F: Variadic<T, R>>(
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

pub(super) unsafe extern "C" fn repr<T, R: IntoObject, F: Unary<T, R>>(
    this: *mut PyObject,
) -> *mut PyObject {
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

pub(super) unsafe extern "C" fn compare<T, F>(
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
        let this = unsafe { Obj::lend(&this) };
        // SAFETY: as above.
        let other = unsafe { Obj::lend(&other) };
        returned(conjure::<F>()(this, other, comparison))
    })
}

pub(super) unsafe extern "C" fn hash<T, F: Unary<T, Result<isize>>>(
    this: *mut PyObject,
) -> ffi::Py_hash_t {
    guarded(-1, || {
        // SAFETY: Python calls the slot with an object of the type.
        conjure::<F>()(unsafe { Obj::lend(&this) }).unwrap_or(-1)
    })
}

pub(super) unsafe extern "C" fn length<T, F: Unary<T, Result<usize>>>(
    this: *mut PyObject,
) -> Py_ssize_t {
    guarded(-1, || {
        // SAFETY: Python calls the slot with an object of the type.
        match conjure::<F>()(unsafe { Obj::lend(&this) }) {
            Ok(length) => Py_ssize_t::try_from(length).unwrap_or(Py_ssize_t::MAX),
            Err(_) => -1,
        }
    })
}

pub(super) unsafe extern "C" fn item<
    T,
    R: IntoObject,
    F: Fn(&Obj<T>, usize) -> R + Copy + 'static,
>(
    this: *mut PyObject,
    index: Py_ssize_t,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // Still negative if it was before the first: out of range then, too.
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        // SAFETY: Python calls the slot with an object of the type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }, index).into_object())
    })
}

pub(super) unsafe extern "C" fn set_attribute<T, F: Fn(&Obj<T>, &Object) + Copy + 'static>(
    this: *mut PyObject,
    name: *mut PyObject,
    value: *mut PyObject,
) -> c_int {
    guarded(-1, || {
        // SAFETY: Python calls the slot with an object of the type and a string.
        let object = unsafe { Obj::lend(&this) };
        // SAFETY: as above.
        let attribute = unsafe { Obj::lend(&name) };
        conjure::<F>()(object, attribute);
        // SAFETY: as above; the value is live, or null to delete.
        unsafe { ffi::PyObject_GenericSetAttr(this, name, value) }
    })
}

pub(super) unsafe extern "C" fn itself(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: Python calls the slot with a live object.
    unsafe { Obj::<object::Any>::share(this) }.into_ptr()
}

/// What `tp_iternext` returns for how a step ended.
#[inline]
fn advanced(sent: Sent) -> *mut PyObject {
    match sent {
        Sent::Yielded(value) => value.into_ptr(),
        Sent::Returned(value) => stop_iteration::finish(value),
        Sent::Raised(_) => ptr::null_mut(),
    }
}

pub(super) unsafe extern "C" fn iternext<T, F: Unary<T, Sent>>(
    this: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls the slot with an object of the type.
        advanced(conjure::<F>()(unsafe { Obj::lend(&this) }))
    })
}

unsafe extern "C" fn iternext_shortened<T, S, F>(this: *mut PyObject) -> *mut PyObject
where
    S: Unary<T, Option<Object>>,
    F: Unary<T, Sent>,
{
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls the slot with an object of the type.
        let object = unsafe { Obj::lend(&this) };
        match conjure::<S>()(object) {
            Some(value) => stop_iteration::finish(value),
            None => advanced(conjure::<F>()(object)),
        }
    })
}

/// What `next(object)` does for some objects of type `T`: see
/// [`Class::coroutine_by`](super::class::Class::coroutine_by).
pub(crate) struct Next<T>(ffi::iternextfunc, PhantomData<fn(&T)>);

impl<T> Clone for Next<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Next<T> {}

impl<T> Next<T> {
    /// Is done with the value that `short` gives, or else, if `short` has done nothing, goes one step on by `long`.
    pub(crate) const fn shortened<S, F>(_short: S, _long: F) -> Self
    where
        S: Unary<T, Option<Object>>,
        F: Unary<T, Sent>,
    {
        Self(iternext_shortened::<T, S, F>, PhantomData)
    }
}

pub(super) unsafe extern "C" fn next_by<T, S, F>(this: *mut PyObject) -> *mut PyObject
where
    S: Unary<T, Option<Next<T>>>,
    F: Unary<T, Sent>,
{
    // SAFETY: Python calls the slot with an object of the type.
    match conjure::<S>()(unsafe { Obj::lend(&this) }) {
        // SAFETY: as this was called.
        Some(next) => unsafe { (next.0)(this) },
        // SAFETY: as this was called.
        None => unsafe { iternext::<T, F>(this) },
    }
}

pub(super) unsafe extern "C" fn am_send<T, F: Unary<T, Sent>>(
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

pub(super) unsafe extern "C" fn send_method<T, F: Unary<T, Sent>>(
    this: *mut PyObject,
    _value: *mut PyObject,
) -> *mut PyObject {
    guarded(ptr::null_mut(), || {
        // SAFETY: Python calls a method with an object of its type.
        returned(conjure::<F>()(unsafe { Obj::lend(&this) }).into_object())
    })
}
