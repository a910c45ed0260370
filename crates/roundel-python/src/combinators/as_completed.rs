//! `as_completed`: results in the order in which they come.

use std::cell::Cell;

use super::ensure::{is_coroutine, is_future};
use super::ensure_future;
use crate::callback::{Action, Callback};
use crate::future::loop_or_current;
use crate::future_ref::FutureRef;
use crate::handle::cancel_handle;
use crate::hot::{
    Args, Class, Deque, HotType, Module, Obj, Object, Raised, Result, Sent, Signature, Slot, Tuple,
    TypeCell, Visit, copy_context, exceptions, none,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, attempt};

/// The iterator that `as_completed` returns: of awaitables of the results, or asynchronously of the futures.
struct AsCompleted {
    /// The arguments, as they were given, until it begins.
    awaitables: Slot,
    timeout: Slot,
    /// The futures that are not done: the keys of a dictionary, so that they are in order and easy to find.
    todo: Slot,
    /// How many have not been asked for.
    left: Cell<usize>,
    /// The futures that are done and have not been handed out; nothing for one that the timeout gave up.
    done: Deque<Option<Object>>,
    /// Who waits for one of them.
    waiters: Waiters,
    /// What the futures call when they are done.
    callback: Slot<Callback>,
    timer: Slot,
}

/// What `for` gets: the result of the next.
static RESULT: Operation = Operation::new(
    "_AsCompletedIterator._wait_for_one",
    |waiter, _| {
        let iterator = waiter.owner::<AsCompleted>();
        match iterator.take() {
            None => iterator.waiters.park(waiter),
            Some(next) => next.and_then(|next| FutureRef::of(&next).result()).into(),
        }
    },
    AsCompleted::not_taken,
);

/// What `async for` gets: the next.
static FUTURE: Operation = Operation::new(
    "_AsCompletedIterator.__anext__",
    |waiter, woken| {
        let iterator = waiter.owner::<AsCompleted>();
        if !woken {
            attempt!(iterator.begin(iterator));
            attempt!(iterator.ask());
        }
        iterator
            .take()
            .map_or_else(|| iterator.waiters.park(waiter), Poll::from)
    },
    AsCompleted::not_taken,
);

static COMPLETED: Action = Action {
    name: "_AsCompletedIterator._handle_completion",
    run: |callback, future| match (callback.owner::<AsCompleted>(), future) {
        (Some(iterator), Some(future)) => iterator.completed(future),
        _ => Ok(()),
    },
};

static TIMED_OUT: Action = Action {
    name: "_AsCompletedIterator._handle_timeout",
    run: |callback, _| match callback.owner::<AsCompleted>() {
        Some(iterator) => iterator.timed_out(),
        None => Ok(()),
    },
};

fn as_completed(args: &Args<'_>) -> Result<Object> {
    static SIGNATURE: Signature<2> = Signature::function("as_completed", [c"fs", c"timeout"])
        .required(1)
        .positional(1);
    let [awaitables, timeout] = SIGNATURE.bind(args)?;
    let this = Obj::create(AsCompleted {
        awaitables: Slot::new(awaitables.cloned()),
        timeout: Slot::new(timeout.and_then(Object::not_none).cloned()),
        todo: Slot::empty(),
        left: Cell::new(0),
        done: Deque::new(),
        waiters: Waiters::new(),
        callback: Slot::empty(),
        timer: Slot::empty(),
    });
    // Up to 3.12 it is a generator, which does nothing before it is asked for the first.
    if cfg!(Py_3_13) {
        this.begin(&this)?;
    }
    Ok(this.into_any())
}

/// Refuses one awaitable in the place of several.
fn check_iterable(awaitables: &Object) -> Result<()> {
    let text = if cfg!(Py_3_13) {
        if !names().is_awaitable.call([awaitables])?.truth()? {
            return Ok(());
        }
        "expects an iterable of awaitables"
    } else {
        if !is_future(awaitables)? && !is_coroutine(awaitables)? {
            return Ok(());
        }
        "expect an iterable of futures"
    };
    let text = format!("{text}, not {}", awaitables.type_name()?);
    Err(Raised::new(&exceptions::type_error(), text))
}

impl AsCompleted {
    /// Checks the arguments, and has the futures and the timer tell; does nothing the second time.
    fn begin(&self, this: &Obj<Self>) -> Result<()> {
        let Some(awaitables) = self.awaitables.take() else {
            return Ok(());
        };
        check_iterable(&awaitables)?;
        let event_loop = loop_or_current(None)?;
        self.watch(this, &awaitables, &event_loop)?;
        match self.timeout.take() {
            Some(timeout) => self.arm(this, &timeout, &event_loop),
            None => Ok(()),
        }
    }

    /// Has a future of each different awaitable tell when it is done.
    fn watch(&self, this: &Obj<Self>, awaitables: &Object, event_loop: &LoopRef) -> Result<()> {
        let different = Object::new_dict()?;
        for awaitable in Tuple::items(&Tuple::from(awaitables)?) {
            different.dict_set(awaitable, &none())?;
        }
        let todo = Object::new_dict()?;
        for awaitable in different.to_vec()? {
            todo.dict_set(&ensure_future(&awaitable, Some(event_loop))?, &none())?;
        }
        let futures = todo.to_vec()?;
        let callback = Callback::on(&COMPLETED, this);
        let context = copy_context()?;
        for future in &futures {
            FutureRef::of(future).call_when_done(&callback, &context)?;
        }
        if !futures.is_empty() {
            self.callback.set(Some(callback));
        }
        self.left.set(futures.len());
        self.todo.set(Some(todo));
        Ok(())
    }

    fn arm(&self, this: &Obj<Self>, timeout: &Object, event_loop: &LoopRef) -> Result<()> {
        if self.left.get() == 0 {
            return Ok(());
        }
        let timed_out = Callback::on(&TIMED_OUT, this);
        let timer = event_loop.call_later(timeout, timed_out.as_any())?;
        self.timer.set(Some(timer));
        Ok(())
    }

    fn completed(&self, future: &Object) -> Result<()> {
        let Some(todo) = self.todo.get() else {
            return Ok(());
        };
        if !todo.dict_contains(future)? {
            return Ok(());
        }
        todo.dict_remove(future)?;
        self.done.push_back(Some(future.clone()));
        if todo.dict_len() == 0 {
            self.callback.set(None);
            if let Some(timer) = self.timer.take() {
                cancel_handle(&timer)?;
            }
        }
        self.waiters.release_next()
    }

    /// Gives up all that are not done.
    fn timed_out(&self) -> Result<()> {
        self.timer.set(None);
        let (Some(todo), Some(callback)) = (self.todo.take(), self.callback.take()) else {
            return Ok(());
        };
        for future in todo.to_vec()? {
            FutureRef::of(&future).forget(&callback)?;
            self.done.push_back(None);
            self.waiters.release_next()?;
        }
        Ok(())
    }

    /// Counts one more as asked for; raises `StopAsyncIteration` if there is none left.
    fn ask(&self) -> Result<()> {
        if self.left.get() == 0 {
            return Err(Raised::throw(&exceptions::stop_async_iteration()));
        }
        self.left.set(self.left.get() - 1);
        Ok(())
    }

    /// The next that is done, or `TimeoutError`; nothing if it has to be waited for.
    fn take(&self) -> Option<Result<Object>> {
        let next = self.done.pop_front()?;
        Some(next.ok_or_else(|| Raised::throw(&exceptions::timeout_error())))
    }

    /// Whoever waited does so no more: what it asked for is to be had again.
    fn not_taken(waiter: &Obj<Waiter>, woken: bool, exception: &Object) -> Poll {
        let iterator = waiter.owner::<Self>();
        iterator.left.set(iterator.left.get() + 1);
        if woken && !iterator.done.is_empty() {
            attempt!(iterator.waiters.release_next());
        }
        Poll::raise(exception)
    }

    /// `__next__`.
    fn advance(this: &Obj<Self>) -> Sent {
        if let Err(raised) = this.begin(this) {
            return Sent::Raised(raised);
        }
        if this.left.get() == 0 {
            return Sent::Returned(none());
        }
        this.left.set(this.left.get() - 1);
        Sent::Yielded(Waiter::on(&RESULT, this).into_any())
    }
}

/// Adds `as_completed` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module.hidden_class::<AsCompleted>()?.function(
        c"as_completed",
        c"as_completed(fs, *, timeout=None)\n--\n\nRun awaitables together and iterate over them as they end.\n\nThe iterator gives awaitables of the results; async for, the futures themselves, which are done then.\n\nRaises:\n    TypeError: fs is one awaitable.\n    TimeoutError: where the results are awaited, or by async for, for those that took longer than timeout seconds.",
        as_completed,
    )?;
    Ok(())
}

impl HotType for AsCompleted {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._AsCompletedIterator";
    const FREELIST: usize = 64;
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The iterator that as_completed() returns.")
            .iterator(Self::advance)
            .async_iterator(|this: &Obj<Self>| Waiter::on(&FUTURE, this));
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.awaitables);
        visit.slot(&self.timeout);
        visit.slot(&self.todo);
        self.done.traverse(visit, |future, visit| {
            if let Some(future) = future {
                visit.object(future);
            }
        });
        self.waiters.traverse(visit);
        visit.slot(&self.callback);
        visit.slot(&self.timer);
    }

    fn clear(&self) {
        self.awaitables.set(None);
        self.todo.set(None);
        drop(self.done.take());
        self.waiters.clear();
        self.callback.set(None);
        self.timer.set(None);
    }
}
