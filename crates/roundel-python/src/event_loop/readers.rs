//! Watching descriptors. The Python half checks and converts what it is given.

use std::io;
use std::os::fd::RawFd;

use roundel::Dispatcher;

use super::{EventLoop, os_error};
use crate::handle::Handle;
use crate::hot::{
    Args, Class, IntoObject, Obj, Object, Raised, Result, Signature, Str, exceptions,
};
use crate::job::Job;
use crate::names::names;

/// How a dispatcher is told to watch.
type Add = fn(&Dispatcher<Job>, RawFd, Job) -> io::Result<Option<Job>>;
/// How it is told to stop.
type Remove = fn(&Dispatcher<Job>, RawFd) -> Option<Job>;

/// The number of a descriptor, or of what has a `fileno()`. Raises what the `selectors` module does.
pub(crate) fn descriptor(file: &Object) -> Result<RawFd> {
    let number = if file.is_int() {
        Ok(file.clone())
    } else {
        file.call_method(&names().fileno, [])
    };
    let number = match number.and_then(|number| number.to_i64()) {
        Ok(number) => number,
        Err(raised) if raised.matches(&exceptions::overflow_error()) => {
            raised.clear();
            return Err(too_large());
        }
        Err(raised) if is_wrong_kind(&raised) => {
            raised.clear();
            let text = format!("Invalid file object: {}", Str::repr(file)?);
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        Err(raised) => return Err(raised),
    };
    if number < 0 {
        let text = format!("Invalid file descriptor: {number}");
        return Err(Raised::new(&exceptions::value_error(), text));
    }
    RawFd::try_from(number).map_err(|_| too_large())
}

fn too_large() -> Raised {
    let text = "Python int too large to convert to C int";
    Raised::new(&exceptions::overflow_error(), text)
}

fn is_wrong_kind(raised: &Raised) -> bool {
    [
        exceptions::attribute_error(),
        exceptions::type_error(),
        exceptions::value_error(),
    ]
    .iter()
    .any(|kind| raised.matches(kind))
}

impl EventLoop {
    fn watch(
        this: &Obj<Self>,
        args: &Args<'_>,
        name: &'static str,
        add: Add,
    ) -> Result<Obj<Handle>> {
        let signature = Signature::method(name, [c"fd", c"callback", c"context"])
            .required(2)
            .positional(2)
            .variadic();
        let [file, callback, context] = signature.bind(args)?;
        let (Some(file), Some(callback)) = (file, callback) else {
            return Err(super::uninitialized());
        };
        this.check_open()?;
        let fd = descriptor(file)?;
        let arguments = args.positional.get(2..).unwrap_or_default();
        let context = context.and_then(Object::not_none);
        let handle = Handle::create(this, callback, arguments, context)?;
        // It may stay for as long as the descriptor does, and run many times.
        Handle::track(&handle);
        this.begin_watching(fd, Job::Handle(handle.clone()), add)?;
        if !file.is_int() {
            this.watched_files.enter(fd, file);
        }
        Ok(handle)
    }

    /// Has a job run whenever a descriptor can be read.
    pub(crate) fn add_reader(&self, fd: RawFd, job: Job) -> Result<()> {
        self.begin_watching(fd, job, Dispatcher::add_reader)
    }

    /// Has a job run whenever a socket can be read that may soon be closed or paused.
    pub(crate) fn add_reader_lazily(&self, fd: RawFd, job: Job) -> Result<()> {
        self.begin_watching(fd, job, Dispatcher::add_reader_lazily)
    }

    /// Has a job run whenever a descriptor can be written.
    pub(crate) fn add_writer(&self, fd: RawFd, job: Job) -> Result<()> {
        self.begin_watching(fd, job, Dispatcher::add_writer)
    }

    fn begin_watching(&self, fd: RawFd, job: Job, add: Add) -> Result<()> {
        self.check_open()?;
        self.forget_unwatched(fd);
        let dispatcher = self.dispatcher()?;
        let replaced = add(dispatcher, fd, job).map_err(|error| os_error(&error))?;
        // What has come there already is heard of in the next turn, as in asyncio, however busy the loop is.
        dispatcher.poll_soon();
        cancel(replaced)
    }

    /// Ends what [`add_reader`](Self::add_reader) began; false if nobody did.
    pub(crate) fn remove_reader(&self, fd: RawFd) -> Result<bool> {
        self.end_watching(fd, Dispatcher::remove_reader)
    }

    /// Ends what [`add_writer`](Self::add_writer) began; false if nobody did.
    pub(crate) fn remove_writer(&self, fd: RawFd) -> Result<bool> {
        self.end_watching(fd, Dispatcher::remove_writer)
    }

    fn end_watching(&self, fd: RawFd, remove: Remove) -> Result<bool> {
        if self.closed.get() {
            return Ok(false);
        }
        let removed = remove(self.dispatcher()?, fd);
        let found = removed.is_some();
        self.forget_unwatched(fd);
        cancel(removed)?;
        Ok(found)
    }

    /// The number of a file; of a closed one, that under which it is watched.
    pub(super) fn descriptor_of(&self, file: &Object) -> Result<RawFd> {
        descriptor(file).or_else(|raised| match self.watched_files.number_of(file) {
            Some(fd) => {
                raised.clear();
                Ok(fd)
            }
            None => Err(raised),
        })
    }

    fn forget_unwatched(&self, fd: RawFd) {
        if !self.watched_files.is_empty() && self.polls(fd) == Some((false, false)) {
            self.watched_files.leave(fd);
        }
    }

    fn unwatch(this: &Obj<Self>, file: &Object, remove: Remove) -> Result<bool> {
        if this.closed.get() {
            return Ok(false);
        }
        this.end_watching(this.descriptor_of(file)?, remove)
    }

    /// Whether a descriptor is watched for reading and for writing; `None` once the loop is closed.
    pub(crate) fn polls(&self, fd: RawFd) -> Option<(bool, bool)> {
        if self.closed.get() {
            return None;
        }
        let dispatcher = self.dispatcher.get()?;
        Some((
            dispatcher.reader(fd).is_some(),
            dispatcher.writer(fd).is_some(),
        ))
    }

    /// What a descriptor is watched for, in the bits of the `selectors` module.
    fn watched(this: &Obj<Self>, fd: &Object) -> Result<i64> {
        let (dispatcher, fd) = (this.dispatcher()?, descriptor(fd)?);
        let read = i64::from(dispatcher.reader(fd).is_some());
        let write = i64::from(dispatcher.writer(fd).is_some());
        Ok(read | write << 1)
    }
}

/// Keeps a callback that is ready already from running.
pub(super) fn cancel(job: Option<Job>) -> Result<()> {
    match job {
        Some(Job::Handle(handle)) => {
            handle.as_any().call_method(&names().cancel, [])?;
        }
        Some(Job::Channel(channel)) => channel.cancel(),
        Some(Job::Step(_) | Job::Told(_) | Job::Alarm(_) | Job::Wake(_)) | None => {}
    }
    Ok(())
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    class
        .method(
            c"_add_reader",
            c"_add_reader($self, fd, callback, /, *args, context=None)\n--\n\nHave callback(*args) called whenever the descriptor can be read; return its handle.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                EventLoop::watch(this, args, "EventLoop._add_reader", Dispatcher::add_reader)
            },
        )
        .method(
            c"_add_writer",
            c"_add_writer($self, fd, callback, /, *args, context=None)\n--\n\nHave callback(*args) called whenever the descriptor can be written; return its handle.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                EventLoop::watch(this, args, "EventLoop._add_writer", Dispatcher::add_writer)
            },
        )
        .method1(
            c"_remove_reader",
            c"_remove_reader($self, fd, /)\n--\n\nStop watching for reading; return False if nobody did.",
            |this: &Obj<EventLoop>, fd: &Object| {
                EventLoop::unwatch(this, fd, Dispatcher::remove_reader)?.into_object()
            },
        )
        .method1(
            c"_remove_writer",
            c"_remove_writer($self, fd, /)\n--\n\nStop watching for writing; return False if nobody did.",
            |this: &Obj<EventLoop>, fd: &Object| {
                EventLoop::unwatch(this, fd, Dispatcher::remove_writer)?.into_object()
            },
        )
        .method1(
            c"_watched",
            c"_watched($self, fd, /)\n--\n\nReturn what a descriptor is watched for: selectors.EVENT_READ, EVENT_WRITE, both or 0.",
            EventLoop::watched,
        );
}
