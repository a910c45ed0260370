//! `wait`: until some or all of several futures are done.

use std::cell::Cell;

use super::ensure::{is_coroutine, is_future};
use crate::callback::{Action, Callback};
use crate::future_ref::FutureRef;
use crate::handle::cancel_handle;
use crate::hot::{
    Args, Class, Deque, HotType, IntoObject, Module, Obj, Object, Raised, Result, Signature, Slot,
    Str, Tuple, TypeCell, Visit, copy_context, exceptions, none,
};
use crate::loop_ref::LoopRef;
use crate::waiter::{Operation, Poll, Waiter, attempt};

/// What is to be waited for, and how far that has come.
struct Waiting {
    /// The arguments, as they were given.
    futures: Slot,
    timeout: Slot,
    return_when: Slot,
    /// The different futures.
    members: Deque<Object>,
    enough: Cell<Enough>,
    /// How many of them are not done.
    left: Cell<usize>,
    /// What they call when they are done.
    callback: Slot<Callback>,
    timer: Slot,
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enough {
    All,
    First,
    FirstException,
}

static WAIT: Operation = Operation::new(
    "wait",
    |waiter, woken| {
        let waiting = waiter.owner::<Waiting>();
        if woken {
            return waiting.finish().into();
        }
        attempt!(waiting.begin(waiter));
        Waiter::park(waiter)
    },
    |waiter, _, exception| {
        attempt!(waiter.owner::<Waiting>().stop_watching());
        Poll::raise(exception)
    },
);

static COMPLETED: Action = Action {
    name: "_wait.<locals>._on_completion",
    run: |callback, future| match (callback.owner::<Waiter>(), future) {
        (Some(waiter), Some(future)) => waiter.owner::<Waiting>().completed(&waiter, future),
        _ => Ok(()),
    },
};

static TIMED_OUT: Action = Action {
    name: "_release_waiter",
    run: |callback, _| match callback.owner::<Waiter>() {
        Some(waiter) => Waiter::wake(&waiter),
        None => Ok(()),
    },
};

impl Waiting {
    /// Checks the arguments, and has the futures and the timer tell.
    fn begin(&self, waiter: &Obj<Waiter>) -> Result<()> {
        let futures = self.futures.take().unwrap_or_else(none);
        let members = self.check(&futures)?;
        let event_loop = LoopRef::running()?;
        if let Some(timeout) = self.timeout.take().filter(|timeout| !timeout.is_none()) {
            let timed_out = Callback::on(&TIMED_OUT, waiter);
            let timer = event_loop.call_later(&timeout, timed_out.as_any())?;
            self.timer.set(Some(timer));
        }
        self.left.set(members.len());
        let callback = Callback::on(&COMPLETED, waiter);
        let context = copy_context()?;
        for future in members {
            FutureRef::of(&future).call_when_done(&callback, &context)?;
            self.members.push_back(future);
        }
        self.callback.set(Some(callback));
        Ok(())
    }

    /// The different futures, in the order in which they were given.
    fn check(&self, futures: &Object) -> Result<Vec<Object>> {
        let wrong = |text: String| Err(Raised::new(&exceptions::type_error(), text));
        if is_future(futures)? || is_coroutine(futures)? {
            let name = futures.type_name()?;
            return wrong(format!("expect a list of futures, not {name}"));
        }
        if !futures.truth()? {
            let text = "Set of Tasks/Futures is empty.";
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        self.enough.set(enough(self.return_when.take())?);
        let different = Object::new_dict()?;
        for future in Tuple::items(&Tuple::from(futures)?) {
            different.dict_set(future, &none())?;
        }
        let members = different.to_vec()?;
        for member in &members {
            if is_coroutine(member)? {
                let text = "Passing coroutines is forbidden, use tasks explicitly.";
                return wrong(String::from(text));
            }
        }
        if members.is_empty() {
            let text = "Set of Futures is empty.";
            return Err(Raised::new(&exceptions::assertion_error(), text));
        }
        Ok(members)
    }

    /// One of the futures is done.
    fn completed(&self, waiter: &Obj<Waiter>, future: &Object) -> Result<()> {
        self.left.set(self.left.get().saturating_sub(1));
        let future = FutureRef::of(future);
        let enough = self.left.get() == 0
            || match self.enough.get() {
                Enough::All => false,
                Enough::First => true,
                Enough::FirstException => !future.is_cancelled()? && future.exception()?.is_some(),
            };
        if !enough {
            return Ok(());
        }
        self.cancel_timer()?;
        Waiter::wake(waiter)
    }

    fn cancel_timer(&self) -> Result<()> {
        self.timer
            .take()
            .map_or(Ok(()), |timer| cancel_handle(&timer))
    }

    /// Wants to hear no more of timer and futures.
    fn stop_watching(&self) -> Result<()> {
        self.cancel_timer()?;
        let Some(callback) = self.callback.take() else {
            return Ok(());
        };
        let members = self.members.to_vec();
        members
            .iter()
            .try_for_each(|future| FutureRef::of(future).forget(&callback))
    }

    /// `(done, pending)`, two sets.
    fn finish(&self) -> Result<Object> {
        self.stop_watching()?;
        let (done, pending) = (Object::new_set()?, Object::new_set()?);
        for future in self.members.take() {
            let set = if FutureRef::of(&future).is_done()? {
                &done
            } else {
                &pending
            };
            set.set_add(&future)?;
        }
        Tuple::of(&[done, pending])
    }
}

/// Reads `return_when`.
fn enough(return_when: Option<Object>) -> Result<Enough> {
    let Some(return_when) = return_when else {
        return Ok(Enough::All);
    };
    let known = [
        ("ALL_COMPLETED", Enough::All),
        ("FIRST_COMPLETED", Enough::First),
        ("FIRST_EXCEPTION", Enough::FirstException),
    ];
    for (name, enough) in known {
        if return_when.equals(&name.into_object()?)? {
            return Ok(enough);
        }
    }
    let text = format!("Invalid return_when value: {}", Str::of(&return_when)?);
    Err(Raised::new(&exceptions::value_error(), text))
}

fn wait(args: &Args<'_>) -> Result<Obj<Waiter>> {
    static SIGNATURE: Signature<3> =
        Signature::function("wait", [c"fs", c"timeout", c"return_when"])
            .required(1)
            .positional(1);
    let [futures, timeout, return_when] = SIGNATURE.bind(args)?;
    let waiting = Obj::create(Waiting {
        futures: Slot::new(futures.cloned()),
        timeout: Slot::new(timeout.cloned()),
        return_when: Slot::new(return_when.cloned()),
        members: Deque::new(),
        enough: Cell::new(Enough::All),
        left: Cell::new(0),
        callback: Slot::empty(),
        timer: Slot::empty(),
    });
    Ok(Waiter::on(&WAIT, &waiting))
}

/// Adds `wait` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module.hidden_class::<Waiting>()?.async_function(
        c"wait",
        c"wait(fs, *, timeout=None, return_when='ALL_COMPLETED')\n--\n\nWait until all futures are done, or the first is, or the first has failed; return the sets (done, pending).\n\nA timeout is no error, and nothing is cancelled by it.\n\nRaises:\n    TypeError: a coroutine is among them.\n    ValueError: there are none, or return_when is not known.",
        wait,
    )?;
    Ok(())
}

impl HotType for Waiting {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._Waiting";
    const FREELIST: usize = 64;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(_class: &mut Class<Self>) {}

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.futures);
        visit.slot(&self.timeout);
        visit.slot(&self.return_when);
        self.members
            .traverse(visit, |future, visit| visit.object(future));
        visit.slot(&self.callback);
        visit.slot(&self.timer);
    }

    fn clear(&self) {
        self.futures.set(None);
        drop(self.members.take());
        self.callback.set(None);
        self.timer.set(None);
    }
}
