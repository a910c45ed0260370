//! What `await` does inside a coroutine: finds the iterator of an awaitable, and hands on to it what is thrown
//! and closed.

use pyo3_ffi as ffi;

use super::call::{Sent, throw};
use super::error::{Raised, Result, is_instance_of};
use super::object::{Obj, Object};
use super::value::exceptions;
use crate::names::names;

/// The iterator that `await awaitable` drives.
///
/// Raises `TypeError` for what can't be awaited, and `RuntimeError` for a coroutine that somebody awaits already.
pub(crate) fn await_iterator(awaitable: &Object) -> Result<Object> {
    if awaitable.is_coroutine() {
        if !awaitable.attr(&names().cr_await)?.is_none() {
            let text = "coroutine is being awaited already";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        return Ok(awaitable.clone());
    }
    if is_generator_coroutine(awaitable)? {
        return Ok(awaitable.clone());
    }
    let Some(await_slot) = await_slot(awaitable) else {
        return Err(not_awaitable(awaitable));
    };
    // SAFETY: the type's own slot, with an object of the type.
    let iterator = unsafe { await_slot(awaitable.as_ptr()) };
    // SAFETY: a new reference, or null with the error indicator set.
    let iterator: Option<Object> = unsafe { Obj::steal(iterator) };
    check_iterator(iterator.ok_or_else(Raised::already)?)
}

fn await_slot(awaitable: &Object) -> Option<ffi::unaryfunc> {
    // SAFETY: a live object has a type.
    let kind = unsafe { ffi::Py_TYPE(awaitable.as_ptr()) };
    // SAFETY: which is live, too.
    let methods = unsafe { (*kind).tp_as_async };
    // SAFETY: null or the table of the type.
    unsafe { methods.as_ref() }.and_then(|methods| methods.am_await)
}

/// Whether this is a generator that `types.coroutine` made.
fn is_generator_coroutine(awaitable: &Object) -> Result<bool> {
    const ITERABLE_COROUTINE: i64 = 0x100;
    // SAFETY: reads the type of a live object.
    if unsafe { ffi::PyGen_CheckExact(awaitable.as_ptr()) } == 0 {
        return Ok(false);
    }
    let flags = awaitable.attr(&names().gi_code)?.attr(&names().co_flags)?;
    Ok(flags.to_i64()? & ITERABLE_COROUTINE != 0)
}

fn check_iterator(iterator: Object) -> Result<Object> {
    let text = if iterator.is_coroutine() {
        String::from("__await__() returned a coroutine")
    // SAFETY: takes any object.
    } else if unsafe { ffi::PyIter_Check(iterator.as_ptr()) } == 0 {
        let name = iterator.type_name()?;
        format!("__await__() returned non-iterator of type '{name}'")
    } else {
        return Ok(iterator);
    };
    Err(Raised::new(&exceptions::type_error(), text))
}

#[cold]
fn not_awaitable(awaitable: &Object) -> Raised {
    let text = match awaitable.type_name() {
        Err(raised) => return raised,
        Ok(name) if cfg!(Py_3_14) => format!("'{name}' object can't be awaited"),
        Ok(name) => format!("object {name} can't be used in 'await' expression"),
    };
    Raised::new(&exceptions::type_error(), text)
}

/// Throws an exception into the iterator of an awaitable, as a coroutine does that awaits it.
pub(crate) fn throw_into(iterator: &Object, exception: Object) -> Sent {
    if is_instance_of(&exception, &exceptions::generator_exit()) {
        return match close(iterator) {
            Ok(()) => Sent::Raised(Raised::restore(exception)),
            Err(raised) => Sent::Raised(raised),
        };
    }
    match iterator.attr_opt(&names().throw) {
        Ok(Some(_)) => throw(iterator, &exception),
        Ok(None) => Sent::Raised(Raised::restore(exception)),
        Err(raised) => Sent::Raised(raised),
    }
}

/// `coroutine.close()`, if it has such a method.
pub(crate) fn close(coroutine: &Object) -> Result<()> {
    match coroutine.attr_opt(&names().close)? {
        Some(close) => close.call([]).map(drop),
        None => Ok(()),
    }
}
