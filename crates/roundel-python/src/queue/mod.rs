//! `Queue`, `PriorityQueue`, `LifoQueue`: from producers to consumers.
//!
//! Who waits is woken to try again (`asyncio.queues` does so, too): an item belongs to nobody until it is taken,
//! so that none gets lost with a task that is cancelled. Whoever is woken and does not try passes its turn on.

mod items;
mod kinds;

use std::cell::{Cell, OnceCell};

use items::{Items, Order};
use kinds::{LifoQueue, PriorityQueue};

use crate::hot::{
    Args, Class, Float, HotType, IntoObject, Module, Obj, Object, Raised, Result, Signature, Slot,
    Str, TypeCell, Visit, exceptions, none,
};
use crate::locks::{Binding, Bound, Event, Pristine};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, Waiters, WaitersView, attempt, nothing_to_pass_on};

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

static GET: Operation = Operation {
    name: "Queue.get",
    poll: |waiter, _woken| {
        let queue = waiter.owner::<Queue>();
        if !queue.pristine.get() {
            return Queue::get_by_methods(queue, waiter);
        }
        match attempt!(queue.try_get()) {
            Some(item) => Poll::Ready(item),
            None => Queue::wait_for_item(queue, waiter),
        }
    },
    interrupt: |waiter, woken, exception| {
        let queue = waiter.owner::<Queue>();
        if woken && !attempt!(Queue::ask_empty(queue)) {
            attempt!(queue.getters.release_next());
        }
        Poll::raise(exception)
    },
};

static PUT: Operation = Operation {
    name: "Queue.put",
    poll: |waiter, _woken| {
        let queue = waiter.owner::<Queue>();
        if !queue.pristine.get() {
            return Queue::put_by_methods(queue, waiter);
        }
        if attempt!(queue.items.len()) >= queue.limit.get() {
            return Queue::wait_for_room(queue, waiter);
        }
        let item = waiter.take_item().unwrap_or_else(none);
        Poll::from(queue.put(item).map(|()| none()))
    },
    interrupt: |waiter, woken, exception| {
        let queue = waiter.owner::<Queue>();
        if woken && !attempt!(Queue::ask_full(queue)) {
            attempt!(queue.putters.release_next());
        }
        Poll::raise(exception)
    },
};

static JOIN: Operation = Operation {
    name: "Queue.join",
    poll: |waiter, woken| {
        let queue = waiter.owner::<Queue>();
        if !woken && queue.unfinished_tasks.get() <= 0 {
            return Poll::Ready(none());
        }
        let finished = queue.finished.get();
        let waiting = finished.and_then(|finished| Event::wait(finished, waiter, woken));
        waiting.unwrap_or_else(|| Poll::Ready(none()))
    },
    interrupt: nothing_to_pass_on,
};

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

    /// Puts an item into the queue, which is not full.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn put(&self, item: Object) -> Result<()> {
        if self.is_shut_down.get() {
            return Err(shut_down());
        }
        self.items.add(item)?;
        self.has_put()
    }

    /// Has a waiter wait until an item can be put.
    fn wait_for_room(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if this.is_shut_down.get() {
            return Poll::Failed(shut_down());
        }
        attempt!(Binding::check(this));
        this.putters.park(waiter)
    }

    /// Does what follows from putting an item.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    fn has_put(&self) -> Result<()> {
        self.unfinished_tasks.set(self.unfinished_tasks.get() + 1);
        if let Some(finished) = self.finished.get() {
            finished.reset();
        }
        self.getters.release_next()
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

    /// Has a waiter wait until there is an item.
    fn wait_for_item(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if this.is_shut_down.get() {
            return Poll::Failed(shut_down());
        }
        attempt!(Binding::check(this));
        this.getters.park(waiter)
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
            return Self::wait_for_item(this, waiter);
        }
        Poll::from(this.as_any().call_method(&names().get_nowait, []))
    }

    #[cold]
    fn put_by_methods(this: &Obj<Self>, waiter: &Obj<Waiter>) -> Poll {
        if attempt!(Self::call_full(this)) {
            return Self::wait_for_room(this, waiter);
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

impl HotType for Queue {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Queue";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Queue(maxsize=0)\n--\n\nA queue of items; with a maxsize greater than 0, put() waits while there are that many (asyncio.Queue).")
            .poses_as(|| names().queue.clone())
            .init(|this: &Obj<Self>, args: &Args<'_>| Self::init(this, args, Order::Fifo))
            .generic()
            .repr(|this: &Obj<Self>| Self::describe(this, &format!(" at {:#x}", this.address())))
            .string(|this: &Obj<Self>| Self::describe(this, ""))
            .on_set_attribute(|this: &Obj<Self>, name: &Object| {
                this.pristine.attribute_set(name, &own_methods());
            });
        declare_size(class);
        declare_traffic(class);
        declare_tasks(class);
        declare_internals(class);
        Binding::declare(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.items.traverse(visit);
        self.getters.traverse(visit);
        self.putters.traverse(visit);
        self.binding.traverse(visit);
        visit.slot(&self.maxsize);
        if let Some(finished) = self.finished.get() {
            visit.object(finished);
        }
    }

    fn clear(&self) {
        self.items.clear();
        self.getters.clear();
        self.putters.clear();
        self.binding.clear();
    }
}

fn declare_size(class: &mut Class<Queue>) {
    class
        .method0(
            c"qsize",
            c"qsize($self, /)\n--\n\nReturn how many items there are.",
            |this: &Obj<Queue>| this.items.len(),
        )
        .method0(
            c"empty",
            c"empty($self, /)\n--\n\nReturn True if there are no items.",
            |this: &Obj<Queue>| this.items.is_empty(),
        )
        .method0(
            c"full",
            c"full($self, /)\n--\n\nReturn True if there are maxsize items.",
            Queue::full,
        )
        .getter(c"maxsize", |this: &Obj<Queue>| this.maxsize.get())
        .property(
            c"_maxsize",
            |this: &Obj<Queue>| this.maxsize.get(),
            |this: &Obj<Queue>, value: &Object| this.set_maxsize(value),
        );
}

fn declare_traffic(class: &mut Class<Queue>) {
    class
        .method(
            c"put",
            c"put($self, /, item)\n--\n\nWait until the queue is not full, and put an item into it.\n\nRaises:\n    QueueShutDown: the queue was shut down.",
            |this: &Obj<Queue>, args: &Args<'_>| {
                static SIGNATURE: Signature<1> = Signature::method("Queue.put", [c"item"]);
                let [item] = SIGNATURE.bind(args)?;
                let owner = this.as_any().clone();
                Ok(Waiter::create(&PUT, Some(owner), item.cloned(), 0.0))
            },
        )
        .method(
            c"put_nowait",
            c"put_nowait($self, /, item)\n--\n\nPut an item into the queue without waiting.\n\nRaises:\n    QueueFull: the queue is full.\n    QueueShutDown: the queue was shut down.",
            |this: &Obj<Queue>, args: &Args<'_>| {
                static SIGNATURE: Signature<1> = Signature::method("Queue.put_nowait", [c"item"]);
                let [item] = SIGNATURE.bind(args)?;
                Queue::put_nowait(this, item.expect("invariant: a required parameter is bound"))
            },
        )
        .method0(
            c"get",
            c"get($self, /)\n--\n\nWait until there is an item, take it out and return it.\n\nRaises:\n    QueueShutDown: the queue was shut down and is empty.",
            |this: &Obj<Queue>| Waiter::on(&GET, this),
        )
        .method0(
            c"get_nowait",
            c"get_nowait($self, /)\n--\n\nTake an item out without waiting and return it.\n\nRaises:\n    QueueEmpty: there is none.\n    QueueShutDown: the queue was shut down and is empty.",
            Queue::get_nowait,
        )
        .method(
            c"shutdown",
            c"shutdown($self, /, immediate=False)\n--\n\nHave put() raise QueueShutDown, and get() when the queue is empty.\n\nIf immediate, the queue is emptied and its items count as done.",
            Queue::shutdown,
        );
}

fn declare_tasks(class: &mut Class<Queue>) {
    class
        .method0(
            c"task_done",
            c"task_done($self, /)\n--\n\nSay that what an item stood for is done.\n\nRaises:\n    ValueError: called more often than there were items.",
            |this: &Obj<Queue>| this.task_done(),
        )
        .method0(
            c"join",
            c"join($self, /)\n--\n\nWait until task_done() was called for every item.",
            |this: &Obj<Queue>| Waiter::on(&JOIN, this),
        )
        .property(
            c"_unfinished_tasks",
            |this: &Obj<Queue>| this.unfinished_tasks.get(),
            |this: &Obj<Queue>, value: &Object| {
                this.unfinished_tasks.set(value.to_i64()?);
                Ok(())
            },
        )
        .getter(c"_finished", |this: &Obj<Queue>| this.finished.get().cloned());
}

/// The private names that derived classes use.
fn declare_internals(class: &mut Class<Queue>) {
    class
        .method1(
            c"_init",
            c"_init($self, maxsize, /)\n--\n\nBegin without items.",
            |this: &Obj<Queue>, _: &Object| this.items.reset(this.items.order()),
        )
        .method0(
            c"_get",
            c"_get($self, /)\n--\n\nTake the next item out.",
            |this: &Obj<Queue>| this.items.take()?.ok_or_else(items::nothing_left),
        )
        .method1(
            c"_put",
            c"_put($self, item, /)\n--\n\nAdd an item.",
            |this: &Obj<Queue>, item: &Object| this.items.add(item.clone()),
        )
        .method0(
            c"_format",
            c"_format($self, /)\n--\n\nReturn the state in words.",
            Queue::format,
        )
        .method1(
            c"_wakeup_next",
            c"_wakeup_next($self, waiters, /)\n--\n\nWake the first of the waiters that waits.",
            Queue::wake_next_of,
        )
        .property(
            c"_queue",
            |this: &Obj<Queue>| this.items.python(),
            |this: &Obj<Queue>, items: &Object| {
                this.items.set_python(items);
                Ok(())
            },
        )
        .getter(c"_getters", |this: &Obj<Queue>| {
            WaitersView::of(this, |owner| &owner.known::<Queue>().getters)
        })
        .getter(c"_putters", |this: &Obj<Queue>| {
            WaitersView::of(this, |owner| &owner.known::<Queue>().putters)
        })
        .property(
            c"_is_shutdown",
            |this: &Obj<Queue>| this.is_shut_down.get(),
            |this: &Obj<Queue>, value: &Object| {
                this.is_shut_down.set(value.truth()?);
                Ok(())
            },
        );
}
