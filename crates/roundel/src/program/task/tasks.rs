//! The list of tasks that have not ended.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::Task;

/// The number of a task, by which reports know it when it may be gone.
///
/// After 2³² of them a number comes again, and a report may then have the wrong name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskId(u32);

/// Every task that has not ended, and the names of those that have one.
#[derive(Default)]
pub(crate) struct Tasks {
    /// Each knows its place: when it ends, the last one gets that.
    list: RefCell<Vec<Task>>,
    so_far: Cell<u32>,
    /// Kept here, as few have one, until the last reference to the task is gone.
    names: RefCell<HashMap<TaskId, Rc<str>>>,
}

impl Tasks {
    /// Returns the number of the next task.
    #[inline]
    pub(super) fn next_id(&self) -> TaskId {
        let number = self.so_far.get();
        self.so_far.set(number.wrapping_add(1));
        TaskId(number)
    }

    /// Adds a task.
    #[inline]
    pub(super) fn add(&self, task: Task) {
        let mut list = self.list.borrow_mut();
        task.0.place.set(place(list.len()));
        list.push(task);
    }

    /// Takes a task off the list. The caller drops it, as that may run anybody's code.
    #[inline]
    pub(super) fn remove(&self, task: &Task) -> Task {
        let mut list = self.list.borrow_mut();
        let index = task.0.place.get();
        let removed = list.swap_remove(index as usize);
        if let Some(moved) = list.get(index as usize) {
            moved.0.place.set(index);
        }
        debug_assert_eq!(removed, *task);
        removed
    }

    /// Returns the task of this number. For reports: it looks at all there are.
    pub(crate) fn find(&self, id: TaskId) -> Option<Task> {
        let list = self.list.borrow();
        list.iter().find(|task| task.0.id == id).cloned()
    }

    /// Returns all tasks.
    pub(crate) fn all(&self) -> Vec<Task> {
        self.list.borrow().clone()
    }

    pub(super) fn set_name(&self, id: TaskId, name: Rc<str>) {
        self.names.borrow_mut().insert(id, name);
    }

    pub(super) fn forget_name(&self, id: TaskId) {
        self.names.borrow_mut().remove(&id);
    }

    pub(super) fn name(&self, id: TaskId) -> Option<Rc<str>> {
        self.names.borrow().get(&id).cloned()
    }
}

#[inline]
fn place(index: usize) -> u32 {
    u32::try_from(index).expect("more tasks than fit into memory")
}
