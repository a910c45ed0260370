//! Who awaits a future, for `asyncio.capture_call_graph()` and its like, which CPython 3.14 brings.
//!
//! Nobody writes it down while programs run: `roundel._call_graph` finds it out when it is asked for. What is
//! kept is only what libraries say by `future_add_to_awaited_by()`.

use super::Future;
use crate::hot::{Args, Class, Module, Obj, Object, Result, Signature, import};
use crate::names::names;

/// Adds `future_add_to_awaited_by` and `future_discard_from_awaited_by` to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    if cfg!(Py_3_14) {
        module
            .function(
                c"future_add_to_awaited_by",
                c"future_add_to_awaited_by(fut, waiter, /)\n--\n\nHave call graphs show that one future waits for another (asyncio.future_add_to_awaited_by).",
                add,
            )?
            .function(
                c"future_discard_from_awaited_by",
                c"future_discard_from_awaited_by(fut, waiter, /)\n--\n\nUndo future_add_to_awaited_by().",
                discard,
            )?;
    }
    Ok(())
}

pub(super) fn declare(class: &mut Class<Future>) {
    if cfg!(Py_3_14) {
        class.getter(c"_asyncio_awaited_by", awaited_by);
    }
}

/// A set, or nothing if nobody awaits it.
fn awaited_by(this: &Obj<Future>) -> Result<Option<Object>> {
    let found = import(c"roundel._call_graph", c"awaiting")?.call([this.as_any()])?;
    if let Some(waiters) = this.look(|rare| rare.awaited_by.clone()) {
        for waiter in waiters.to_vec()? {
            found.set_add(&waiter)?;
        }
    }
    Ok(if found.truth()? { Some(found) } else { None })
}

fn add(args: &Args<'_>) -> Result<()> {
    static SIGNATURE: Signature<2> =
        Signature::function("future_add_to_awaited_by", [c"fut", c"waiter"]);
    let [Some(future), Some(waiter)] = SIGNATURE.bind(args)? else {
        return Ok(());
    };
    let Some(own) = future.downcast::<Future>() else {
        let asyncios = import(c"_asyncio", c"future_add_to_awaited_by")?;
        return asyncios.call([future, waiter]).map(drop);
    };
    if !names().is_future.call([waiter])?.truth()? {
        return Ok(());
    }
    let waiters = match own.look(|rare| rare.awaited_by.clone()) {
        Some(waiters) => waiters,
        None => Object::new_set()?,
    };
    waiters.set_add(waiter)?;
    drop(own.rare(|rare| rare.awaited_by.replace(waiters)));
    Ok(())
}

fn discard(args: &Args<'_>) -> Result<()> {
    static SIGNATURE: Signature<2> =
        Signature::function("future_discard_from_awaited_by", [c"fut", c"waiter"]);
    let [Some(future), Some(waiter)] = SIGNATURE.bind(args)? else {
        return Ok(());
    };
    let Some(own) = future.downcast::<Future>() else {
        let asyncios = import(c"_asyncio", c"future_discard_from_awaited_by")?;
        return asyncios.call([future, waiter]).map(drop);
    };
    match own.look(|rare| rare.awaited_by.clone()) {
        Some(waiters) => waiters.set_discard(waiter),
        None => Ok(()),
    }
}
