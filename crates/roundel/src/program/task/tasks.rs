//! The list of tasks that have not ended.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::Task;

/// The name of a task, which other threads may know: unlike the task itself it is harmless there.
///
/// The lower half is the task's place in the list, the upper half tells how many tasks have had
/// that place before. After 2³² of them an old name may wake a new task, which does no harm: that
/// it can be woken for nothing is part of a future's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TaskId(u64);

impl TaskId {
    fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(index) | u64::from(generation) << 32)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
    fn lower(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn index(self) -> usize {
        self.lower() as usize
    }

    #[inline]
    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Every task that has not ended, and the names of those that have one.
#[derive(Default)]
pub(crate) struct Tasks {
    list: RefCell<List>,
    /// Kept here, as few have one, until the last reference to the task is gone.
    names: RefCell<HashMap<TaskId, Rc<str>>>,
}

/// The tasks by their place, and how many have had that place before: side by side rather than in
/// one vector, where each place would be padded to a third more.
#[derive(Default)]
struct List {
    tasks: Vec<Option<Task>>,
    generations: Vec<u32>,
    vacant: Vec<u32>,
}

impl Tasks {
    /// Adds the task that `make` makes, and returns what else it makes.
    #[inline]
    pub(super) fn add<T>(&self, make: impl FnOnce(TaskId) -> (Task, T)) -> (Task, T) {
        let id = self.list.borrow_mut().reserve();
        let (task, rest) = make(id);
        self.list.borrow_mut().tasks[id.index()] = Some(task.clone());
        (task, rest)
    }

    #[inline]
    pub(crate) fn get(&self, id: TaskId) -> Option<Task> {
        self.list.borrow_mut().find(id)?.clone()
    }

    /// Takes a task off the list. The caller drops it, as that may run anybody's code.
    #[inline]
    pub(super) fn remove(&self, id: TaskId) -> Option<Task> {
        let mut list = self.list.borrow_mut();
        let task = list.find(id)?.take()?;
        list.vacate(id);
        Some(task)
    }

    /// Returns all tasks.
    pub(crate) fn all(&self) -> Vec<Task> {
        self.list.borrow().tasks.iter().flatten().cloned().collect()
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

impl List {
    fn reserve(&mut self) -> TaskId {
        let index = self.vacant.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.tasks.len());
            self.tasks.push(None);
            self.generations.push(0);
            index.expect("more tasks than fit into memory")
        });
        TaskId::new(index, self.generations[index as usize])
    }

    fn vacate(&mut self, id: TaskId) {
        self.generations[id.index()] = id.generation().wrapping_add(1);
        self.vacant.push(id.lower());
    }

    #[inline]
    fn find(&mut self, id: TaskId) -> Option<&mut Option<Task>> {
        let generation = *self.generations.get(id.index())?;
        (generation == id.generation()).then(|| &mut self.tasks[id.index()])
    }
}
