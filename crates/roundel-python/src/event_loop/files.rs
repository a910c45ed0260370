//! Reading and writing files, for `raw_file`.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::rc::Rc;

use roundel::{Attempt, FileAccess, Started, Transfer};

use super::{EventLoop, os_error};
use crate::hot::{Class, Obj, Object, Raised, Result, Str, exceptions};
use crate::job::Job;
use crate::waiter::Waiter;

/// A way in which a descriptor can be watched.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Watched {
    ForReading,
    ForWriting,
}

impl EventLoop {
    /// The loop of ours that runs in this thread; raises `RuntimeError` if there is none.
    pub(crate) fn running_for_files() -> Result<Obj<Self>> {
        Self::running().ok_or_else(|| {
            let text = "roundel's files need a running event loop of roundel's";
            Raised::new(&exceptions::runtime_error(), text)
        })
    }

    /// Reads what needs no waiting. Runs no Python code.
    pub(crate) fn read_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        room: &mut [MaybeUninit<u8>],
    ) -> io::Result<Attempt> {
        match self.dispatcher.get() {
            Some(dispatcher) => dispatcher.read_now(fd, offset, room),
            None => Ok(Attempt::Blocks),
        }
    }

    /// Writes what needs no waiting. Runs no Python code.
    pub(crate) fn write_now(
        &self,
        fd: RawFd,
        offset: Option<u64>,
        data: &[u8],
    ) -> io::Result<Attempt> {
        match self.dispatcher.get() {
            Some(dispatcher) => dispatcher.write_now(fd, offset, data),
            None => Ok(Attempt::Blocks),
        }
    }

    /// Starts a transfer that wakes `waiter`.
    pub(crate) fn start_transfer(
        &self,
        transfer: Transfer,
        waiter: &Obj<Waiter>,
    ) -> Result<Rc<Started>> {
        self.check_open()?;
        let job = Job::Wake(waiter.clone());
        Ok(self.dispatcher()?.start_transfer(transfer, job))
    }

    /// Asks for the end of a transfer.
    pub(crate) fn cancel_transfer(&self, started: &Rc<Started>) {
        if let Some(dispatcher) = self.dispatcher.get() {
            dispatcher.cancel_transfer(started);
        }
    }

    /// Has `waiter` woken when a descriptor is ready; false if it can't be watched, or somebody else does.
    pub(crate) fn watch_file(&self, fd: RawFd, how: Watched, waiter: &Obj<Waiter>) -> Result<bool> {
        let dispatcher = self.dispatcher()?;
        let job = Job::Wake(waiter.clone());
        let watched = match how {
            Watched::ForReading if dispatcher.reader(fd).is_none() => {
                dispatcher.add_reader(fd, job)
            }
            Watched::ForWriting if dispatcher.writer(fd).is_none() => {
                dispatcher.add_writer(fd, job)
            }
            Watched::ForReading | Watched::ForWriting => return Ok(false),
        };
        Ok(watched.is_ok())
    }

    /// Ends what [`watch_file`](Self::watch_file) began.
    pub(crate) fn unwatch_file(&self, fd: RawFd, how: Watched) {
        let Some(dispatcher) = self.dispatcher.get() else {
            return;
        };
        drop(match how {
            Watched::ForReading => dispatcher.remove_reader(fd),
            Watched::ForWriting => dispatcher.remove_writer(fd),
        });
    }

    fn set_file_access(this: &Obj<Self>, access: &Object) -> Result<()> {
        let access = match Str::of(access)?.as_str() {
            "best" => FileAccess::Best,
            "ring" => FileAccess::Ring,
            "threads" => FileAccess::Threads,
            other => {
                let text =
                    format!("files are accessed by 'best', 'ring' or 'threads', not {other:?}");
                return Err(Raised::new(&exceptions::value_error(), text));
            }
        };
        let outcome = this.dispatcher()?.set_file_access(access);
        outcome.map_err(|error| os_error(&error))
    }
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    class.method1(
        c"_set_file_access",
        c"_set_file_access($self, access, /)\n--\n\nSay how files are read and written: 'best', 'ring' or 'threads'.",
        EventLoop::set_file_access,
    );
}
