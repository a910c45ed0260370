//! What a queue holds, and in which order it gives it back.

use std::cell::Cell;

use crate::hot::{Deque, IntoObject, Object, Raised, Result, Slot, Str, Visit, exceptions};
use crate::names::names;

/// Which item comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That which was put first.
    Fifo,
    /// That which was put last.
    Lifo,
    /// The least.
    Priority,
}

/// The items of a queue.
///
/// They are in a Rust collection until Python asks for asyncio's `queue._queue`. From then on they are in the
/// collection that it gets, which it may change.
pub(super) struct Items {
    native: Deque<Object>,
    python: Slot,
    order: Cell<Order>,
}

impl Items {
    pub(super) const fn new() -> Self {
        Self {
            native: Deque::new(),
            python: Slot::empty(),
            order: Cell::new(Order::Fifo),
        }
    }

    /// Sets the order, and begins without items.
    pub(super) fn reset(&self, order: Order) -> Result<()> {
        self.order.set(order);
        drop(self.native.take());
        self.python.set(match order {
            // Python compares its items, so they are better off with Python.
            Order::Priority => Some(Vec::new().into_object()?),
            Order::Fifo | Order::Lifo => None,
        });
        Ok(())
    }

    pub(super) fn order(&self) -> Order {
        self.order.get()
    }

    #[inline]
    pub(super) fn len(&self) -> Result<usize> {
        if self.python.is_set() {
            return self.python_len();
        }
        Ok(self.native.len())
    }

    #[cold]
    fn python_len(&self) -> Result<usize> {
        self.python()?.length()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> Result<bool> {
        if self.python.is_set() {
            return Ok(!self.python()?.truth()?);
        }
        Ok(self.native.is_empty())
    }

    /// Adds an item, if there are less than `limit`, they are in the Rust collection, and that has room; else it does not
    /// ask for the item.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    pub(super) fn add_last(&self, limit: usize, item: impl FnOnce() -> Option<Object>) -> bool {
        let has_room = !self.python.is_set() && self.native.len() < limit && self.native.has_room();
        if has_room && let Some(item) = item() {
            self.native.push_back(item);
            return true;
        }
        false
    }

    /// Takes the next item out, if there is one and it is the first in the Rust collection.
    #[expect(clippy::inline_always, reason = "on the way of every await")]
    #[inline(always)]
    pub(super) fn take_first(&self) -> Option<Object> {
        if self.python.is_set() || self.order.get() != Order::Fifo {
            return None;
        }
        self.native.pop_front()
    }

    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(super) fn add(&self, item: Object) -> Result<()> {
        if self.python.is_set() {
            return self.add_to_python(item);
        }
        self.native.push_back(item);
        Ok(())
    }

    #[cold]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller has no use for it, in either case"
    )]
    fn add_to_python(&self, item: Object) -> Result<()> {
        let python = self.python()?;
        let added = match self.order.get() {
            Order::Priority => names().heappush.call([&python, &item]),
            Order::Fifo | Order::Lifo => python.call_method(&names().append, [&item]),
        };
        added.map(drop)
    }

    /// Takes the next item out, if there is one.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(super) fn take(&self) -> Result<Option<Object>> {
        if self.python.is_set() {
            return self.take_from_python();
        }
        Ok(match self.order.get() {
            Order::Fifo => self.native.pop_front(),
            Order::Lifo | Order::Priority => self.native.pop_back(),
        })
    }

    #[cold]
    fn take_from_python(&self) -> Result<Option<Object>> {
        let python = self.python()?;
        if !python.truth()? {
            return Ok(None);
        }
        let taken = match self.order.get() {
            Order::Fifo => python.call_method(&names().popleft, []),
            Order::Lifo => python.call_method(&names().pop, []),
            Order::Priority => names().heappop.call([&python]),
        };
        taken.map(Some)
    }

    /// The items as Python's collection, in which they are from here on.
    pub(super) fn python(&self) -> Result<Object> {
        if let Some(python) = self.python.get() {
            return Ok(python);
        }
        let list = self.native.to_vec().into_object()?;
        let python = match self.order.get() {
            Order::Fifo => names().deque.call([&list])?,
            Order::Lifo | Order::Priority => list,
        };
        self.set_python(&python);
        Ok(python)
    }

    /// Has the items be those of a collection of Python's.
    pub(super) fn set_python(&self, python: &Object) {
        self.python.set(Some(python.clone()));
        drop(self.native.take());
    }

    /// The items as `repr` shows them.
    pub(super) fn describe(&self) -> Result<String> {
        let items = match self.python.get() {
            None => self.native.to_vec(),
            Some(python) => python.to_vec()?,
        };
        Str::repr(&items.into_object()?)
    }

    pub(super) fn traverse(&self, visit: &mut Visit) {
        self.native
            .traverse(visit, |item, visit| visit.object(item));
        visit.slot(&self.python);
    }

    pub(super) fn clear(&self) {
        drop(self.native.take());
        self.python.set(None);
    }
}

/// What taking an item out raises if there is none.
#[cold]
pub(super) fn nothing_left() -> Raised {
    Raised::new(&exceptions::index_error(), "pop from an empty deque")
}
