//! `sleep`: the wait for a time.

use crate::hot::{
    Args, Float, IntoObject, Module, Obj, Object, Raised, Result, Signature, exceptions, none,
};
use crate::loop_ref::LoopRef;
use crate::waiter::{Operation, Poll, Waiter, attempt, nothing_to_pass_on};

static SLEEP: Operation = Operation::new("sleep", poll, interrupt);

/// A `sleep` whose delay is not a number, which is found out when it is awaited, as asyncio does.
static SLEEP_WRONGLY: Operation = Operation::new("sleep", poll_wrong, nothing_to_pass_on);

/// Adds `sleep` to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module.async_function(
        c"sleep",
        c"sleep(delay, result=None)\n--\n\nWait for delay seconds, then return result. A delay of 0 or less lets others run once.\n\nNever wakes early. Cancelling it leaves nothing behind (asyncio.sleep).\n\nRaises:\n    ValueError: the delay is not a number (NaN).",
        sleep,
    )?;
    Ok(())
}

fn sleep(args: &Args<'_>) -> Result<Obj<Waiter>> {
    static SIGNATURE: Signature<2> =
        Signature::function("sleep", [c"delay", c"result"]).required(1);
    let [delay, result] = SIGNATURE.bind(args)?;
    let delay = delay.expect("invariant: a required parameter is bound");
    match Float::of(delay) {
        Ok(seconds) => Ok(Waiter::create(&SLEEP, None, result.cloned(), seconds)),
        Err(raised) => {
            raised.clear();
            Ok(Waiter::create(
                &SLEEP_WRONGLY,
                None,
                Some(delay.clone()),
                0.0,
            ))
        }
    }
}

fn poll(waiter: &Obj<Waiter>, woken: bool) -> Poll {
    if woken {
        return Poll::Ready(waiter.item().unwrap_or_else(none));
    }
    let delay = waiter.number();
    if delay <= 0.0 {
        return Poll::Yield;
    }
    fall_asleep(waiter, delay)
}

#[inline(never)]
fn fall_asleep(waiter: &Obj<Waiter>, delay: f64) -> Poll {
    if delay.is_nan() {
        let text = "Invalid delay: NaN (not a number)";
        return Poll::Failed(Raised::new(&exceptions::value_error(), text));
    }
    let event_loop = attempt!(LoopRef::running());
    attempt!(Waiter::wake_later(waiter, &event_loop, delay));
    Waiter::park(waiter)
}

/// Fails as the comparison with 0 does, or else as the search for NaN.
fn poll_wrong(waiter: &Obj<Waiter>, _woken: bool) -> Poll {
    let delay = waiter.item().unwrap_or_else(none);
    let zero = attempt!(0_i64.into_object());
    attempt!(delay.less_or_equal(&zero));
    attempt!(Float::of(&delay));
    Poll::Ready(none())
}

/// Tells the loop that its timer need not fire.
fn interrupt(waiter: &Obj<Waiter>, woken: bool, exception: &Object) -> Poll {
    if !woken {
        attempt!(waiter.forget_timer());
    }
    Poll::raise(exception)
}
