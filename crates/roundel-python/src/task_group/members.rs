//! The tasks of a group that are not done.

use std::cell::Cell;

use crate::hot::{Deque, Obj, Object, Result, Slot, Visit, none};
use crate::task::Task;

/// The tasks, in the order in which they were added.
///
/// A task of ours knows its place, so that it is found without a look-up when it ends. Tasks end in about the order in
/// which they began, so the places of those that are done go away at the front; those in between are empty until they
/// are more than the others.
#[derive(Default)]
pub(super) struct Members {
    places: Deque<Option<Obj<Task>>>,
    /// The number of the first place, less one: 0 is no place.
    before: Cell<u32>,
    /// How many of the places are taken.
    count: Cell<usize>,
    /// The tasks that are not of exactly our type, or have a place in another group: the keys of a dictionary.
    others: Slot,
}

impl Members {
    /// So many places are not worth being made fewer.
    const FEW: usize = 64;

    #[inline]
    pub(super) fn add(&self, task: &Object) -> Result<()> {
        if let Some(own) = task.downcast_exact::<Task>()
            && own.place().get() == 0
        {
            if self.places.len() >= Self::FEW && self.places.len() / 2 > self.count.get() {
                self.close_ranks();
            }
            if let Some(place) = self.next_place() {
                own.place().set(place);
                self.places.push_back(Some(own.clone()));
                self.count.set(self.count.get() + 1);
                return Ok(());
            }
        }
        self.add_other(task)
    }

    #[inline]
    fn next_place(&self) -> Option<u32> {
        let taken = u32::try_from(self.places.len()).ok()?;
        self.before.get().checked_add(taken)?.checked_add(1)
    }

    #[cold]
    fn add_other(&self, task: &Object) -> Result<()> {
        let others = match self.others.get() {
            Some(others) => others,
            None => Object::new_dict()?,
        };
        self.others.set(Some(others.clone()));
        others.dict_set(task, &none())
    }

    #[inline]
    pub(super) fn remove(&self, task: &Object) -> Result<()> {
        if let Some(own) = task.downcast_exact::<Task>()
            && let Some(index) = self.index_of(own)
        {
            own.place().set(0);
            drop(self.places.replace(index, None));
            self.count.set(self.count.get() - 1);
            while self.places.front_is(Option::is_none) {
                self.places.pop_front();
                self.before.set(self.before.get() + 1);
            }
            if self.places.is_empty() {
                self.before.set(0);
            }
            return Ok(());
        }
        match self.others.get() {
            Some(others) if others.dict_contains(task)? => others.dict_remove(task),
            _ => Ok(()),
        }
    }

    /// Where a task is; `None` if it has no place here.
    #[inline]
    fn index_of(&self, task: &Obj<Task>) -> Option<usize> {
        let index = task.place().get().checked_sub(self.before.get() + 1)? as usize;
        let found = self
            .places
            .look(index, |place| place.as_ref().is_some_and(|it| it.is(task)));
        (found == Some(true)).then_some(index)
    }

    /// Does away with the empty places.
    #[cold]
    fn close_ranks(&self) {
        let tasks: Vec<_> = self.places.take().into_iter().flatten().collect();
        self.before.set(0);
        for (place, task) in (1..).zip(tasks) {
            task.place().set(place);
            self.places.push_back(Some(task));
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count.get() + self.others.get().map_or(0, |others| others.dict_len())
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, those of our type first.
    pub(super) fn to_vec(&self) -> Result<Vec<Object>> {
        let mut all: Vec<Object> = self
            .places
            .to_vec()
            .into_iter()
            .flatten()
            .map(Obj::into_any)
            .collect();
        if let Some(others) = self.others.get() {
            all.extend(others.to_vec()?);
        }
        Ok(all)
    }

    pub(super) fn traverse(&self, visit: &mut Visit) {
        self.places.traverse(visit, |place, visit| {
            if let Some(task) = place {
                visit.object(task);
            }
        });
        visit.slot(&self.others);
    }

    pub(super) fn clear(&self) {
        for task in self.places.take().into_iter().flatten() {
            task.place().set(0);
        }
        self.before.set(0);
        self.count.set(0);
        self.others.set(None);
    }
}
