//! Who wakes a task: from its own thread, or from any other.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use super::{Task, TaskId};
use crate::dispatcher::Inbox;
use crate::program::runtime::Core;

/// What a future leaves where it wants to be woken from, within the thread.
///
/// Nearly always that is the task itself, which costs neither an allocation nor an atomic
/// operation, as a clone of its [`Waker`] would. It is a waker where somebody polls with one of
/// their own making, to know which of several futures can go on.
pub(crate) enum TaskWaker {
    Task(Task),
    /// Boxed, as it is rare, and this type is half as large without it.
    Other(Box<Waker>),
}

impl TaskWaker {
    /// Returns who wakes what polls with `cx`.
    #[inline]
    pub(crate) fn of(cx: &Context<'_>) -> Self {
        let running = Core::try_current().and_then(|core| core.running_task());
        match running.filter(|task| task.is_woken_by(cx.waker())) {
            Some(task) => Self::Task(task),
            None => Self::Other(Box::new(cx.waker().clone())),
        }
    }

    /// Wakes. If that is somebody else's waker, it may run anything.
    #[inline]
    pub(crate) fn wake(self) {
        match self {
            Self::Task(task) => task.wake(),
            Self::Other(waker) => waker.wake(),
        }
    }
}

/// Makes a waker that may leave the thread of its task.
pub(super) fn travelling(inbox: &Arc<Inbox<TaskId>>, id: TaskId) -> Waker {
    Arc::new(Travelling {
        inbox: Arc::clone(inbox),
        id,
    })
    .into()
}

struct Travelling {
    inbox: Arc<Inbox<TaskId>>,
    id: TaskId,
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
            None => drop(self.inbox.push(self.id)),
        }
    }
}
