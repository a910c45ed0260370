//! `Queue`, `PriorityQueue`, `LifoQueue`: from producers to consumers.
//!
//! Who waits is woken to try again (`asyncio.queues` does so, too): an item belongs to nobody until it is taken,
//! so that none gets lost with a task that is cancelled. Whoever is woken and does not try passes its turn on.

mod class;
mod items;
mod kinds;

use std::cell::{Cell, OnceCell};

use items::{Items, Order};
use kinds::{LifoQueue, PriorityQueue};

use crate::hot::{
    Args, Float, IntoObject, Module, Obj, Object, Raised, Result, Signature, Slot, Str, exceptions,
    none,
};
use crate::locks::{Binding, Bound, Event, Pristine};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, attempt, nothing_to_pass_on};

/// Adds the types to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module
        .add(c"QueueShutDown", &names().queue_shut_down)?
        .class::<Queue>()?
        .class::<PriorityQueue>()?
        .class::<LifoQueue>()?;
    Ok(())
}

/// A queue of items (`asyncio.Queue`).
pub(crate) struct Queue {
    items: Items,
    getters: Waiters,
    putters: Waiters,
    binding: Binding,
    /// As it was given.
    maxsize: Slot,
    /// From how many items on the queue is full; more than there can be if it never is.
    limit: Cell<usize>,
    unfinished_tasks: Cell<i64>,
    /// Set while there are no unfinished tasks.
    finished: OnceCell<Obj<Event>>,
    is_shut_down: Cell<bool>,
    pristine: Pristine,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            items: Items::new(),
            getters: Waiters::new(),
            putters: Waiters::new(),
            binding: Binding::default(),
            maxsize: Slot::empty(),
            limit: Cell::new(usize::MAX),
            unfinished_tasks: Cell::new(0),
            finished: OnceCell::new(),
            is_shut_down: Cell::new(false),
            pristine: Pristine::default(),
        }
    }
}

static GET: Operation = Operation::new("Queue.get", Queue::poll_get, Queue::interrupt_get)
    .shortened(|waiter: &Obj<Waiter>| waiter.at_once(|| waiter.owner::<Queue>().take_at_once()));

static PUT: Operation = Operation::new("Queue.put", Queue::poll_put, Queue::interrupt_put)
    .shortened(|waiter: &Obj<Waiter>| {
        waiter.at_once(|| waiter.owner::<Queue>().put_at_once(waiter))
    });

static JOIN: Operation = Operation::new(
    "Queue.join",
    |waiter, woken| {
        let queue = waiter.owner::<Queue>();
        if !woken && queue.unfinished_tasks.get() <= 0 {
            return Poll::Ready(none());
        }
        let finished = queue.finished.get();
        let waiting = finished.and_then(|finished| Event::wait(finished, waiter, woken));
        waiting.unwrap_or_else(|| Poll::Ready(none()))
    },
    nothing_to_pass_on,
);

/// What a queue does, if it has asyncio's methods.
impl Queue {
    fn init(this: &Obj<Self>, args: &Args<'_>, order: Order) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("Queue.__init__", [c"maxsize"]).required(0);
        let [maxsize] = SIGNATURE.bind(args)?;
        let maxsize = maxsize.map_or_else(|| 0_i64.into_object(), |maxsize| Ok(maxsize.clone()))?;
        this.set_maxsize(&maxsize)?;
        this.unfinished_tasks.set(0);
        let finished = || Obj::create(Event::default());
        this.finished.get_or_init(finished).set()?;
        this.items.reset(order)?;
        this.is_shut_down.set(false);
        this.pristine.inspect(this, &own_methods())?;
        if !this.pristine.get() {
            this.as_any().call_method(&names()._init, [&maxsize])?;
        }
        Ok(())
    }

    fn set_maxsize(&self, maxsize: &Object) -> Result<()> {
        // What can't be compared is told so in Python's words.
        maxsize.less_or_equal(&0_i64.into_object()?)?;
        let size = Float::of(maxsize)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and a cast of a float saturates"
        )]
        let limit = size.ceil() as usize;
        self.limit.set(if size > 0.0 { limit } else { usize::MAX });
        self.maxsize.set(Some(maxsize.clone()));
        Ok(())
    }

    /// Takes the next item out if there is one and nothing else has to be done: the short way of [`GET`].
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn take_at_once(&self) -> Option<Object> {
        if self.pristine.get() && self.putters.is_empty() {
            self.items.take_first()
        } else {
            None
        }
    }

    fn poll_get(waiter: &Obj<Waiter>, _woken: bool) -> Poll {
        let queue = waiter.owner::<Self>();
        if !queue.pristine.get() {
            return Self::get_by_methods(queue, waiter);
        }
        match attempt!(queue.try_get()) {
            Some(item) => Poll::Ready(item),
            None => Self::wait_among(queue, &queue.getters, waiter),
        }
    }

    fn interrupt_get(waiter: &Obj<Waiter>, woken: bool, exception: &Object) -> Poll {
        let queue = waiter.owner::<Self>();
        if woken && !attempt!(Self::ask_empty(queue)) {
            attempt!(queue.getters.release_next());
        }
        Poll::raise(exception)
    }

    /// Puts the waiter's item into the queue if there is room and nothing else has to be done: the short way of [`PUT`].
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn put_at_once(&self, waiter: &Waiter) -> Option<Object> {
        let can_put = self.pristine.get() && !self.is_shut_down.get() && self.getters.is_empty();
        if can_put && self.items.add_last(self.limit.get(), || waiter.take_item()) {
            self.count_task();
            return Some(none());
        }
        None
    }

    fn poll_put(waiter: &Obj<Waiter>, _woken: bool) -> Poll {
        let queue = waiter.owner::<Self>();
        if !queue.pristine.get() {
            return Self::put_by_methods(queue, waiter);
        }
        if attempt!(queue.items.len()) >= queue.limit.get() {
            return Self::wait_among(queue, &queue.putters, waiter);
        }
        let item = waiter.take_item().unwrap_or_else(none);
        Poll::from(queue.put(item).map(|()| none()))
    }

    fn interrupt_put(waiter: &Obj<Waiter>, woken: bool, exception: &Object) -> Poll {
        let queue = waiter.owner::<Self>();
        if woken && !attempt!(Self::ask_full(queue)) {
            attempt!(queue.putters.release_next());
        }
        Poll::raise(exception)
    }

    /// Puts an item into the queue, which is not full.
    #[inline(never)]
    fn put(&self, item: Object) -> Result<()> {
        if self.is_shut_down.get() {
            return Err(shut_down());
        }
        self.items.add(item)?;
        self.has_put()
    }

    /// Has a waiter wait among the getters or the putters, unless the queue was shut down.
    #[inline(never)]
    fn wait_among(this: &Obj<Self>, waiters: &Waiters, waiter: &Obj<Waiter>) -> Poll {
        if this.is_shut_down.get() {
            return Poll::Failed(shut_down());
        }
        attempt!(Binding::check(this));
        waiters.park(waiter)
    }

    /// Does what follows from putting an item.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn has_put(&self) -> Result<()> {
        self.count_task();
        self.getters.release_next()
    }

    /// There is one more unfinished task.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn count_task(&self) {
        self.unfinished_tasks.set(self.unfinished_tasks.get() + 1);
        if let Some(finished) = self.finished.get() {
            finished.reset();
        }
    }

    /// Takes the next item out, if there is one.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn try_get(&self) -> Result<Option<Object>> {
        let item = self.items.take()?;
        if item.is_some() && !self.putters.is_empty() {
            return self.with_room_for_next(item);
        }
        Ok(item)
    }

    /// Lets the next who waits for room put its item, since this one was taken out.
    #[inline(never)]
    fn with_room_for_next(&self, item: Option<Object>) -> Result<Option<Object>> {
        self.putters.release_next().map(|()| item)
    }

    #[inline]
    fn task_done(&self) -> Result<()> {
        let unfinished = self.unfinished_tasks.get() - 1;
        if unfinished < 0 {
            let text = "task_done() called too many times";
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        self.unfinished_tasks.set(unfinished);
        if unfinished == 0 {
            self.finish()
        } else {
            Ok(())
        }
    }

    /// There are no unfinished tasks any more.
    fn finish(&self) -> Result<()> {
        self.finished
            .get()
            .map_or(Ok(()), |finished| finished.set())
    }

    fn shutdown(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("Queue.shutdown", [c"immediate"]).required(0);
        let [immediate] = SIGNATURE.bind(args)?;
        this.is_shut_down.set(true);
        if immediate.map_or(Ok(false), Object::truth)? {
            Self::drain(this)?;
        }
        this.getters.release_all()?;
        this.putters.release_all()
    }

    /// Drops all items; the tasks that they stand for are done.
    fn drain(this: &Obj<Self>) -> Result<()> {
        while !Self::ask_empty(this)? {
            drop(if this.pristine.get() {
                this.items.take()?
            } else {
                Some(this.as_any().call_method(&names()._get, [])?)
            });
            let unfinished = this.unfinished_tasks.get();
            this.unfinished_tasks.set((unfinished - 1).max(0));
        }
        if this.unfinished_tasks.get() == 0 {
            this.finish()
        } else {
            Ok(())
        }
    }
}

#[cold]
fn shut_down() -> Raised {
    Raised::throw(&names().queue_shut_down)
}

/// The methods that other methods call. If one of them is replaced, all are looked up.
fn own_methods() -> [&'static Object; 8] {
    let names = names();
    [
        &names._init,
        &names._get,
        &names._put,
        &names.qsize,
        &names.empty,
        &names.full,
        &names.get_nowait,
        &names.put_nowait,
    ]
}

/// By calling the methods, which a derived class may have replaced.
impl Queue {
    #[inline]
    fn ask_empty(this: &Obj<Self>) -> Result<bool> {
        if this.pristine.get() {
            return this.items.is_empty();
        }
        this.as_any().call_method(&names().empty, [])?.truth()
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    fn ask_full(this: &Obj<Self>) -> Result<bool> {
        if this.pristine.get() {
            return Ok(this.items.len()? >= this.limit.get());
        }
        Self::call_full(this)
    }

    #[cold]
    fn call_full(this: &Obj<Self>) -> Result<bool> {
        this.as_any().call_method(&names().full, [])?.truth()
    }

    #[cold]
    fn get_by_methods(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if attempt!(Self::ask_empty(this)) {
            return Self::wait_among(this, &this.getters, waiter);
        }
        Poll::from(this.as_any().call_method(&names().get_nowait, []))
    }

    #[cold]
    fn put_by_methods(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if attempt!(Self::call_full(this)) {
            return Self::wait_among(this, &this.putters, waiter);
        }
        let item = waiter.take_item().unwrap_or_else(none);
        let put = this.as_any().call_method(&names().put_nowait, [&item]);
        Poll::from(put.map(|_| none()))
    }
}

/// The methods.
impl Queue {
    fn full(this: &Obj<Self>) -> Result<bool> {
        if this.limit.get() == usize::MAX {
            return Ok(false);
        }
        let size = if this.pristine.get() {
            this.items.len()?
        } else {
            let size = this.as_any().call_method(&names().qsize, [])?;
            usize::try_from(size.to_i64()?).unwrap_or(0)
        };
        Ok(size >= this.limit.get())
    }

    #[inline]
    fn put_nowait(this: &Obj<Self>, item: &Object) -> Result<()> {
        if this.is_shut_down.get() {
            return Err(shut_down());
        }
        if Self::ask_full(this)? {
            return Err(Raised::throw(&names().queue_full));
        }
        if this.pristine.get() {
            return this.put(item.clone());
        }
        this.as_any().call_method(&names()._put, [item])?;
        this.has_put()
    }

    #[inline]
    fn get_nowait(this: &Obj<Self>) -> Result<Object> {
        let item = if this.pristine.get() {
            this.try_get()?
        } else if Self::ask_empty(this)? {
            None
        } else {
            let item = this.as_any().call_method(&names()._get, [])?;
            this.putters.release_next()?;
            Some(item)
        };
        item.ok_or_else(|| this.nothing_to_get())
    }

    #[cold]
    fn nothing_to_get(&self) -> Raised {
        if self.is_shut_down.get() {
            return shut_down();
        }
        Raised::throw(&names().queue_empty)
    }
}

/// To look at.
impl Queue {
    fn format(this: &Obj<Self>) -> Result<String> {
        let maxsize = this.maxsize.get().unwrap_or_else(none);
        let mut parts = vec![format!("maxsize={}", Str::repr(&maxsize)?)];
        if !this.items.is_empty()? {
            parts.push(format!("_queue={}", this.items.describe()?));
        }
        for (name, waiters) in [("getters", &this.getters), ("putters", &this.putters)] {
            if !waiters.is_empty() {
                parts.push(format!("_{name}[{}]", waiters.len()));
            }
        }
        if this.unfinished_tasks.get() != 0 {
            parts.push(format!("tasks={}", this.unfinished_tasks.get()));
        }
        if this.is_shut_down.get() {
            parts.push(String::from("shutdown"));
        }
        Ok(parts.join(" "))
    }

    /// The type, where the queue is, if that is to be told, and the state.
    fn describe(this: &Obj<Self>, at: &str) -> Result<String> {
        let kind = Str::of(&this.as_any().type_of().attr(&names().__name__)?)?;
        let state = Str::of(&this.as_any().call_method(&names()._format, [])?)?;
        Ok(format!("<{kind}{at} {state}>"))
    }

    /// `_wakeup_next(waiters)`, for derived classes.
    fn wake_next_of(_this: &Obj<Self>, waiters: &Object) -> Result<()> {
        while waiters.truth()? {
            let waiter = waiters.call_method(&names().popleft, [])?;
            if !waiter.call_method(&names().done, [])?.truth()? {
                waiter.call_method(&names().set_result, [&none()])?;
                break;
            }
        }
        Ok(())
    }
}

impl Bound for Queue {
    fn binding(&self) -> &Binding {
        &self.binding
    }
}
