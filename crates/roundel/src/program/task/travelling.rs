//! The waker of a task that may leave its thread.

use std::sync::Arc;
use std::task::Wake;

use super::{Task, TaskId};
use crate::dispatcher::Inbox;
use crate::program::runtime::{Core, Letter};

/// Wakes a task, which it knows by name only, from any thread.
pub(super) struct Travelling {
    inbox: Arc<Inbox<Letter>>,
    id: TaskId,
}

impl Travelling {
    pub(super) fn new(inbox: &Arc<Inbox<Letter>>, id: TaskId) -> Self {
        let inbox = Arc::clone(inbox);
        Self { inbox, id }
    }
}

impl Wake for Travelling {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match Core::try_current().filter(|core| Arc::ptr_eq(&core.inbox, &self.inbox)) {
            // At home there is no need of a letter.
            Some(core) => core.tasks.get(self.id).into_iter().for_each(Task::wake),
            // If the inbox is closed, the task has ended with its runtime.
            None => drop(self.inbox.push(Letter::Wake(self.id))),
        }
    }
}
