//! `shield`: a future that can be cancelled in the place of another.

use super::ensure_future;
use crate::callback::{Action, Callback};
use crate::future_ref::{FutureRef, cancel};
use crate::hot::{Args, Module, Object, Result, Signature, copy_context};
use crate::loop_ref::LoopRef;
use crate::names::names;

/// The inner future is done: so is the outer one.
static INNER_DONE: Action = Action {
    name: "shield.<locals>._inner_done_callback",
    run: |callback, inner| match (callback.subject(), inner) {
        (Some(outer), Some(inner)) => hand_on(inner, &outer),
        _ => Ok(()),
    },
};

/// The outer future is done: it need not hear of the inner one any more.
static OUTER_DONE: Action = Action {
    name: "shield.<locals>._outer_done_callback",
    run: |callback, _| {
        let inner_done = callback.item();
        let inner_done = inner_done.as_ref().and_then(Object::downcast::<Callback>);
        match (callback.subject(), inner_done) {
            (Some(inner), Some(inner_done)) if !FutureRef::of(&inner).is_done()? => {
                FutureRef::of(&inner).forget(inner_done)
            }
            _ => Ok(()),
        }
    },
};

fn hand_on(inner: &Object, outer: &Object) -> Result<()> {
    let inner = FutureRef::of(inner);
    if FutureRef::of(outer).is_cancelled()? {
        if !cfg!(Py_3_14) && !inner.is_cancelled()? {
            // Marks the exception as seen. Newer versions report it.
            inner.exception()?;
        }
        return Ok(());
    }
    if inner.is_cancelled()? {
        return cancel(outer, None).map(drop);
    }
    match inner.exception()? {
        Some(exception) => outer.call_method(&names().set_exception, [&exception])?,
        None => outer.call_method(&names().set_result, [&inner.result()?])?,
    };
    Ok(())
}

fn shield(args: &Args<'_>) -> Result<Object> {
    static SIGNATURE: Signature<1> = Signature::function("shield", [c"arg"]);
    let [awaitable] = SIGNATURE.bind(args)?;
    let awaitable = awaitable.expect("invariant: a required parameter is bound");
    let inner = ensure_future(awaitable, None)?;
    if FutureRef::of(&inner).is_done()? {
        return Ok(inner);
    }
    let outer = LoopRef::of(&FutureRef::of(&inner).event_loop()?).create_future()?;
    let inner_done = Callback::create(&INNER_DONE, outer.clone(), None);
    let item = inner_done.as_any().clone();
    let outer_done = Callback::create(&OUTER_DONE, inner.clone(), Some(item));
    let context = copy_context()?;
    FutureRef::of(&inner).call_when_done(&inner_done, &context)?;
    FutureRef::of(&outer).call_when_done(&outer_done, &context)?;
    Ok(outer)
}

/// Adds `shield` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module.function(
        c"shield",
        c"shield(arg)\n--\n\nReturn a future of the result of an awaitable, which goes on when the future is cancelled.",
        shield,
    )?;
    Ok(())
}
