//! Readiness by Linux' epoll, level-triggered as asyncio's selectors are.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::fork::Generation;
use super::{EVENTS_PER_WAIT, Event, Interest, Notifier};

/// What the notifier's events carry where those of others carry their descriptor.
const NOTIFIER: u64 = u64::MAX;

/// An epoll instance and the notifier that ends its waits.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    generation: Generation,
    lacks_pwait2: Cell<bool>,
    notifier: Arc<Notifier>,
}

impl Poller {
    pub(crate) fn new(notifier: Arc<Notifier>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        // Edge-triggered, since every write to an eventfd is an edge: nobody needs to read it.
        let flags = EventFlags::IN | EventFlags::ET;
        epoll::add(
            &epoll,
            notifier.as_fd(),
            EventData::new_u64(NOTIFIER),
            flags,
        )?;
        Ok(Self {
            epoll,
            generation: Generation::present(),
            lacks_pwait2: Cell::new(false),
            notifier,
        })
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
    /// The kernel forgets a closed descriptor, and its number may be in use again: where what is
    /// remembered and what the kernel knows differ, the kernel's word counts.
    pub(crate) fn watch(&self, fd: RawFd, old: Interest, new: Interest) -> io::Result<()> {
        if new.is_none() {
            return Ok(epoll::delete(&self.epoll, lend(fd)?)?);
        }
        self.register(fd, !old.is_none(), flags(new))
    }

    /// Watches `fd` for what happens next. The kernel then remembers it until it is closed, but
    /// tells nothing about it: to watch it again once, being known, is one system call, and to end
    /// what has happened takes none.
    pub(crate) fn watch_once(&self, fd: RawFd, is_known: bool, wanted: Interest) -> io::Result<()> {
        self.register(fd, is_known, flags(wanted) | EventFlags::ONESHOT)
    }

    fn register(&self, fd: RawFd, is_known: bool, flags: EventFlags) -> io::Result<()> {
        let fd = lend(fd)?;
        let data = EventData::new_u64(u64::from(fd.as_raw_fd().unsigned_abs()));
        let outcome = if is_known {
            match epoll::modify(&self.epoll, fd, data, flags) {
                Err(Errno::NOENT) => epoll::add(&self.epoll, fd, data, flags),
                outcome => outcome,
            }
        } else {
            match epoll::add(&self.epoll, fd, data, flags) {
                Err(Errno::EXIST) => epoll::modify(&self.epoll, fd, data, flags),
                outcome => outcome,
            }
        };
        Ok(outcome?)
    }

    /// Waits for events until there are some, a notification comes or `timeout` has passed.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.list.clear();
        events.list.reserve(EVENTS_PER_WAIT);
        let Some(timeout) = timeout else {
            epoll::wait(&self.epoll, spare_capacity(&mut events.list), None)?;
            return Ok(());
        };
        if timeout.is_zero() || self.lacks_pwait2.get() {
            // This call counts in milliseconds, rounded up: late rather than early.
            let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
            epoll::wait(
                &self.epoll,
                spare_capacity(&mut events.list),
                Some(&timeout),
            )?;
            return Ok(());
        }
        match wait_precisely(&self.epoll, &mut events.list, timeout) {
            // Linux before 5.11, or a sandbox that knows no call as young as this one.
            Err(error) if is_unknown_call(&error) => {
                self.lacks_pwait2.set(true);
                self.wait(events, Some(timeout))
            }
            outcome => outcome,
        }
    }
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.epoll.as_raw_fd()
    }
}

/// The events of the last wait, in a buffer that is used again.
#[derive(Default)]
pub(crate) struct Events {
    list: Vec<epoll::Event>,
}

impl Events {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.list.iter().filter_map(|event| {
            let (data, flags) = (event.data.u64(), event.flags);
            // An error or a hang-up is news for both directions.
            let ready = Interest {
                readable: flags.intersects(EventFlags::OUT.complement()),
                writable: flags.intersects(EventFlags::IN.complement()),
            };
            RawFd::try_from(data).ok().map(|fd| Event { fd, ready })
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN, interest.readable);
    flags.set(EventFlags::OUT, interest.writable);
    flags
}

/// Lends a descriptor that a caller knows by number only.
fn lend<'a>(fd: RawFd) -> io::Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Errno::BADF.into());
    }
    // SAFETY: it is not -1, and nothing but epoll_ctl gets to see it, within one call; to a
    // number without an open file behind it epoll_ctl answers EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// The kernel's `struct __kernel_timespec`, which has 64 bits on every architecture.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

/// Waits with a timeout in nanoseconds, which `epoll_wait` can't.
///
/// Rustix makes this call only if the whole program is built for Linux 5.11 or later.
fn wait_precisely(
    epoll: &OwnedFd,
    list: &mut Vec<epoll::Event>,
    timeout: Duration,
) -> io::Result<()> {
    let timeout = KernelTimespec {
        seconds: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: i64::from(timeout.subsec_nanos()),
    };
    let room = list.spare_capacity_mut();
    // SAFETY: the kernel writes at most `room.len()` events, laid out as `epoll::Event` is, into
    // `room`, reads `timeout`, and takes a null pointer for "leave the signal mask alone". All of
    // these outlive the call.
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_raw_fd(),
            room.as_mut_ptr(),
            room.len(),
            &raw const timeout,
            std::ptr::null::<libc::sigset_t>(),
            0_usize,
        )
    };
    let Ok(count) = usize::try_from(outcome) else {
        return Err(io::Error::last_os_error());
    };
    // SAFETY: the list was empty, and the kernel has filled in `count` events within its capacity.
    unsafe { list.set_len(count) };
    Ok(())
}

fn is_unknown_call(error: &io::Error) -> bool {
    let unknown = [Errno::NOSYS, Errno::PERM].map(Errno::raw_os_error);
    error
        .raw_os_error()
        .is_some_and(|code| unknown.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poller() -> Poller {
        Poller::new(Arc::new(Notifier::new().unwrap())).unwrap()
    }

    fn waits(poller: &Poller, timeout: Duration) -> Duration {
        let began = super::super::monotonic();
        poller.wait(&mut Events::default(), Some(timeout)).unwrap();
        Duration::from_nanos(super::super::monotonic() - began)
    }

    #[test]
    fn a_timeout_is_never_short_and_not_rounded_to_milliseconds() {
        let poller = poller();
        let timeout = Duration::from_micros(200);
        let shortest = (0..20).map(|_| waits(&poller, timeout)).min().unwrap();
        assert!(shortest >= timeout, "{shortest:?}");
        assert!(
            poller.lacks_pwait2.get() || shortest < Duration::from_millis(1),
            "{shortest:?}"
        );
    }

    #[test]
    fn without_the_precise_call_a_timeout_is_rounded_up() {
        let poller = poller();
        poller.lacks_pwait2.set(true);
        assert!(waits(&poller, Duration::from_micros(200)) >= Duration::from_millis(1));
    }

    #[test]
    fn a_notification_before_the_wait_ends_it_once() {
        let notifier = Arc::new(Notifier::new().unwrap());
        let poller = Poller::new(Arc::clone(&notifier)).unwrap();
        notifier.notify();
        notifier.notify();
        poller.wait(&mut Events::default(), None).unwrap();
        let timeout = Duration::from_millis(5);
        assert!(waits(&poller, timeout) >= timeout);
    }
}
