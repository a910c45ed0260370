//! `ensure_future`: a future of whatever can be awaited.

use crate::future::loop_or_current;
use crate::future_ref::{FutureRef, own_future};
use crate::hot::{Args, Module, Object, Raised, Result, Signature, close, exceptions, none};
use crate::loop_ref::LoopRef;
use crate::names::names;

/// The future itself, or a task of `event_loop`, the current one if none is given, that awaits `awaitable`.
pub(crate) fn ensure_future(awaitable: &Object, event_loop: Option<&LoopRef>) -> Result<Object> {
    if is_future(awaitable)? {
        check_loop(awaitable, event_loop)?;
        return Ok(awaitable.clone());
    }
    if !is_coroutine(awaitable)? {
        // Rare: leaves it to asyncio to wrap it into a coroutine, or to refuse it.
        let event_loop = event_loop.map_or_else(none, |event_loop| event_loop.object().clone());
        let arguments = [awaitable.clone(), event_loop];
        return names()
            .ensure_future
            .call_keywords(&arguments, &names().kw_loop);
    }
    let event_loop = match event_loop {
        Some(event_loop) => event_loop.clone(),
        None => loop_or_current(None)?,
    };
    event_loop
        .create_task(&Args::from_slice(std::slice::from_ref(awaitable)))
        .map_err(|raised| closed(awaitable, raised))
}

/// Closes a coroutine that no task was made of because the loop would not.
#[cold]
fn closed(coroutine: &Object, raised: Raised) -> Raised {
    if !raised.matches(&exceptions::runtime_error()) {
        return raised;
    }
    let exception = raised.fetch();
    match close(coroutine) {
        Ok(()) => Raised::restore(exception),
        Err(raised) => raised,
    }
}

/// `asyncio.isfuture(object)`.
pub(crate) fn is_future(object: &Object) -> Result<bool> {
    if object.is_coroutine() {
        return Ok(false);
    }
    Ok(own_future(object).is_some() || names().is_future.call([object])?.truth()?)
}

/// `asyncio.iscoroutine(object)`.
pub(crate) fn is_coroutine(object: &Object) -> Result<bool> {
    Ok(object.is_coroutine() || names().is_coroutine.call([object])?.truth()?)
}

fn check_loop(future: &Object, event_loop: Option<&LoopRef>) -> Result<()> {
    match event_loop {
        Some(event_loop) if !event_loop.is(&FutureRef::of(future).event_loop()?) => {
            let text = "The future belongs to a different loop than the one specified as the loop argument";
            Err(Raised::new(&exceptions::value_error(), text))
        }
        _ => Ok(()),
    }
}

/// Adds `ensure_future` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module.function(
        c"ensure_future",
        c"ensure_future(coro_or_future, *, loop=None)\n--\n\nReturn a future as it is, a task for a coroutine or another awaitable.\n\nRaises:\n    TypeError: it can't be awaited.\n    ValueError: the future is another loop's.",
        |args: &Args<'_>| {
            static SIGNATURE: Signature<2> =
                Signature::function("ensure_future", [c"coro_or_future", c"loop"])
                    .required(1)
                    .positional(1);
            let [awaitable, event_loop] = SIGNATURE.bind(args)?;
            let awaitable = awaitable.expect("invariant: a required parameter is bound");
            let event_loop = event_loop.and_then(Object::not_none).map(LoopRef::of);
            ensure_future(awaitable, event_loop.as_ref())
        },
    )?;
    Ok(())
}
