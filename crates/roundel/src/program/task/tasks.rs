//! The list of tasks that have not ended.

use std::cell::RefCell;

use super::Task;

/// The name of a task, which other threads may know: unlike the task itself it is harmless there.
///
/// The lower half is the task's place in the list, the upper half tells how many tasks have had
/// that place before. After 2³² of them an old name may wake a new task, which does no harm: that
/// it can be woken for nothing is part of a future's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(u64);

impl TaskId {
    fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(index) | u64::from(generation) << 32)
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "it is the lower half")]
    fn index(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Every task that has not ended, by its name.
#[derive(Default)]
pub(crate) struct Tasks {
    list: RefCell<List>,
}

#[derive(Default)]
struct List {
    slots: Vec<Slot>,
    vacant: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    task: Option<Task>,
}

impl Tasks {
    /// Adds the task that `make` makes, and returns what else it makes.
    pub(super) fn add<T>(&self, make: impl FnOnce(TaskId) -> (Task, T)) -> (Task, T) {
        let id = self.list.borrow_mut().reserve();
        let (task, rest) = make(id);
        self.list.borrow_mut().slots[id.index() as usize].task = Some(task.clone());
        (task, rest)
    }

    #[inline]
    pub(crate) fn get(&self, id: TaskId) -> Option<Task> {
        self.list.borrow_mut().find(id)?.task.clone()
    }

    /// Takes a task off the list. The caller drops it, as that may run anybody's code.
    pub(super) fn remove(&self, id: TaskId) -> Option<Task> {
        let mut list = self.list.borrow_mut();
        let slot = list.find(id)?;
        let task = slot.task.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        list.vacant.push(id.index());
        Some(task)
    }

    /// Returns all tasks.
    pub(crate) fn all(&self) -> Vec<Task> {
        self.list
            .borrow()
            .slots
            .iter()
            .filter_map(|slot| slot.task.clone())
            .collect()
    }
}

impl List {
    fn reserve(&mut self) -> TaskId {
        let index = self.vacant.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.slots.len());
            self.slots.push(Slot::default());
            index.expect("more tasks than fit into memory")
        });
        let slot = &mut self.slots[index as usize];
        TaskId::new(index, slot.generation)
    }

    #[inline]
    fn find(&mut self, id: TaskId) -> Option<&mut Slot> {
        let slot = &mut self.slots[id.index() as usize];
        (slot.generation == id.generation()).then_some(slot)
    }
}
