//! What Python sees of a `Queue`.

use super::items::{self, Order};
use super::{GET, JOIN, PUT, Queue, own_methods};
use crate::hot::{Args, Class, HotType, Obj, Object, Signature, TypeCell, Visit};
use crate::locks::Binding;
use crate::names::names;
use crate::waiter::{Waiter, WaitersView};

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
        .method_of_one(
            c"put",
            c"put($self, /, item)\n--\n\nWait until the queue is not full, and put an item into it.\n\nRaises:\n    QueueShutDown: the queue was shut down.",
            || const { &Signature::method("Queue.put", [c"item"]) },
            |this: &Obj<Queue>, item: &Object| {
                let owner = this.as_any().clone();
                Waiter::create(&PUT, Some(owner), Some(item.clone()), 0.0)
            },
        )
        .method_of_one(
            c"put_nowait",
            c"put_nowait($self, /, item)\n--\n\nPut an item into the queue without waiting.\n\nRaises:\n    QueueFull: the queue is full.\n    QueueShutDown: the queue was shut down.",
            || const { &Signature::method("Queue.put_nowait", [c"item"]) },
            Queue::put_nowait,
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
        .async_method0(
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
