//! The queues that differ from `Queue` in the order of their items alone.

use super::Queue;
use super::items::Order;
use crate::hot::{Args, Class, HotType, Obj, TypeCell, Visit};
use crate::names::names;

/// A queue that gives the least item first (`asyncio.PriorityQueue`).
#[derive(Default)]
pub(crate) struct PriorityQueue;

impl HotType for PriorityQueue {
    type Base = Queue;
    const NAME: &'static std::ffi::CStr = c"roundel.PriorityQueue";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"PriorityQueue(maxsize=0)\n--\n\nA queue that gives the least item first, often a tuple (priority, data) (asyncio.PriorityQueue).")
            .poses_as(|| names().priority_queue.clone())
            .init(|this: &Obj<Self>, args: &Args<'_>| Queue::init(this.base(), args, Order::Priority));
    }

    fn traverse(&self, _visit: &mut Visit) {}

    fn clear(&self) {}
}

/// A queue that gives the item first that was put last (`asyncio.LifoQueue`).
#[derive(Default)]
pub(crate) struct LifoQueue;

impl HotType for LifoQueue {
    type Base = Queue;
    const NAME: &'static std::ffi::CStr = c"roundel.LifoQueue";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"LifoQueue(maxsize=0)\n--\n\nA queue that gives the item first that was put last (asyncio.LifoQueue).")
            .poses_as(|| names().lifo_queue.clone())
            .init(|this: &Obj<Self>, args: &Args<'_>| Queue::init(this.base(), args, Order::Lifo));
    }

    fn traverse(&self, _visit: &mut Visit) {}

    fn clear(&self) {}
}
