//! Readiness by kqueue, on macOS and the BSDs.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::{Buffer, spare_capacity};
use rustix::event::kqueue::{self, EventFilter, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::fork::Generation;
use super::{EVENTS_PER_WAIT, Event, Interest, Notifier};

/// A kqueue and the notifier that ends its waits.
#[derive(Debug)]
pub(crate) struct Poller {
    queue: ManuallyDrop<OwnedFd>,
    generation: Generation,
    notifier: Arc<Notifier>,
}

impl Poller {
    pub(crate) fn new(notifier: Arc<Notifier>) -> io::Result<Self> {
        let queue = ManuallyDrop::new(kqueue::kqueue()?);
        let poller = Self {
            queue,
            generation: Generation::present(),
            notifier,
        };
        let fd = poller.notifier.as_fd().as_raw_fd();
        poller.change(EventFilter::Read(fd), EventFlags::ADD)?;
        Ok(poller)
    }

    /// Returns a poller of this process, if this one has been made by one that it is a fork of.
    pub(crate) fn renew(&self) -> io::Result<Option<Self>> {
        let is_inherited = self.generation.is_past();
        is_inherited
            .then(|| Self::new(Arc::clone(&self.notifier)))
            .transpose()
    }

    /// Watches `fd` in the directions `new` where it was watched in the directions `old`.
    ///
    /// The kernel forgets a closed descriptor, and its number may be in use again: what is to be
    /// watched is therefore added even if it was before, which changes nothing where it still is.
    pub(crate) fn watch(&self, fd: RawFd, old: Interest, new: Interest) -> io::Result<()> {
        if fd < 0 {
            return Err(Errno::BADF.into());
        }
        self.watch_one(EventFilter::Read(fd), old.readable, new.readable)?;
        self.watch_one(EventFilter::Write(fd), old.writable, new.writable)
    }

    /// Watches `fd` for what happens next, after which the kernel forgets it.
    pub(crate) fn watch_once(
        &self,
        fd: RawFd,
        _is_known: bool,
        wanted: Interest,
    ) -> io::Result<()> {
        if fd < 0 {
            return Err(Errno::BADF.into());
        }
        let flags = EventFlags::ADD | EventFlags::ONESHOT;
        if wanted.readable {
            self.change(EventFilter::Read(fd), flags)?;
        }
        if wanted.writable {
            self.change(EventFilter::Write(fd), flags)?;
        }
        Ok(())
    }

    fn watch_one(&self, filter: EventFilter, old: bool, new: bool) -> io::Result<()> {
        match (old, new) {
            (_, true) => self.change(filter, EventFlags::ADD),
            (true, false) => self.change(filter, EventFlags::DELETE),
            (false, false) => Ok(()),
        }
    }

    fn change(&self, filter: EventFilter, flags: EventFlags) -> io::Result<()> {
        let change = [kqueue::Event::new(filter, flags, null_mut())];
        let mut room: [kqueue::Event; 0] = [];
        self.kevent(&change, &mut room, Some(Duration::ZERO))
            .map(drop)
    }

    /// Waits for events until there are some, a notification comes or `timeout` has passed.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.list.clear();
        events.list.reserve(EVENTS_PER_WAIT);
        self.kevent(&[], spare_capacity(&mut events.list), timeout)?;
        let notifier = self.notifier.as_fd().as_raw_fd();
        let before = events.list.len();
        events
            .list
            .retain(|event| !matches!(event.filter(), EventFilter::Read(fd) if fd == notifier));
        if events.list.len() < before {
            self.notifier.clear();
        }
        Ok(())
    }

    fn kevent<B: Buffer<kqueue::Event>>(
        &self,
        changes: &[kqueue::Event],
        room: B,
        timeout: Option<Duration>,
    ) -> io::Result<B::Output> {
        let timeout = timeout
            .map(Timespec::try_from)
            .transpose()
            .map_err(io::Error::other)?;
        // SAFETY: the changes name descriptors by number; for one that isn't open the kernel
        // answers EBADF, and it forgets those that are closed later.
        let outcome =
            unsafe { kqueue::kevent_timespec(&*self.queue, changes, room, timeout.as_ref()) };
        Ok(outcome?)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        // A kqueue is not inherited: in a forked child its number is free, or another's by then.
        if !self.generation.is_past() {
            // SAFETY: nobody uses it after this.
            unsafe { ManuallyDrop::drop(&mut self.queue) };
        }
    }
}

/// The events of the last wait, in a buffer that is used again.
#[derive(Default)]
pub(crate) struct Events {
    list: Vec<kqueue::Event>,
}

impl Events {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.list.iter().filter_map(|event| match event.filter() {
            EventFilter::Read(fd) => Some(Event {
                fd,
                ready: Interest {
                    readable: true,
                    writable: false,
                },
            }),
            EventFilter::Write(fd) => Some(Event {
                fd,
                ready: Interest {
                    readable: false,
                    writable: true,
                },
            }),
            _ => None,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }
}
