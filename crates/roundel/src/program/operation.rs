//! A transfer to or from a file, and the task that waits for it.
//!
//! Whoever waits may be dropped at any time. The descriptor and the memory are the job's, which the
//! dispatcher keeps until the kernel or a thread is done with both: no earlier is a descriptor closed,
//! or memory freed, that is still being worked on.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::deadlock::note;
use super::runtime::{Core, Entry};
use super::task::TaskWaker;
use crate::files::Started;
use crate::sys::Transfer;

/// What the dispatcher keeps of a transfer, as a job.
pub(crate) struct Errand {
    /// Open until the errand is done.
    _file: Arc<File>,
    waiting: RefCell<Option<TaskWaker>>,
}

impl Errand {
    /// Wakes whoever waits for it.
    pub(crate) fn fire(&self) {
        let waiting = self.waiting.take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A transfer that is under way. Dropping it asks for its end.
pub(crate) struct Operation {
    core: Rc<Core>,
    started: Rc<Started>,
    errand: Rc<Errand>,
    is_left_alone: bool,
}

impl Operation {
    /// Starts a transfer that concerns `file`.
    ///
    /// # Panics
    ///
    /// Panics if this thread runs no runtime.
    #[track_caller]
    pub(crate) fn start(file: &Arc<File>, transfer: Transfer) -> Self {
        let core = Core::current();
        let errand = Rc::new(Errand {
            _file: Arc::clone(file),
            waiting: RefCell::default(),
        });
        let job = Entry::Errand(Rc::clone(&errand));
        let started = core.dispatcher.start_transfer(transfer, job);
        Self {
            core,
            started,
            errand,
            is_left_alone: false,
        }
    }

    /// Gives how many bytes went over, and the memory, once it is done.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<(io::Result<usize>, Vec<u8>)> {
        if let Some((result, transfer)) = self.started.take() {
            return Poll::Ready((result, transfer.into_buffer()));
        }
        if Rc::strong_count(&self.errand) == 1 {
            // The runtime has ended, and dropped its jobs.
            let error = io::Error::new(io::ErrorKind::NotConnected, "the runtime has ended");
            return Poll::Ready((Err(error), Vec::new()));
        }
        let replaced = self.errand.waiting.replace(Some(TaskWaker::of(cx)));
        drop(replaced);
        note(|| "a file".to_owned());
        Poll::Pending
    }

    /// Lets it go on by itself.
    pub(crate) fn leave_alone(mut self) {
        self.is_left_alone = true;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.is_left_alone {
            self.core.dispatcher.cancel_transfer(&self.started);
        }
    }
}
