//! Signals, passed on through pipes.
//!
//! What a signal handler may do is little: this one writes a byte into each pipe whose owner wants
//! to know. As it may run in any thread at any time, a pipe that it could see is never closed, but
//! kept for the next one who wants it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::{Errno, FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::pipe::pipe;

/// How many can wait for signals at a time.
const SLOTS: usize = 100;

/// What the handler sees of a pipe: where to write, and for which signal, or 0 for none.
struct Slot {
    writer: AtomicI32,
    signal: AtomicI32,
}

static SEEN: [Slot; SLOTS] = [const {
    Slot {
        writer: AtomicI32::new(-1),
        signal: AtomicI32::new(0),
    }
}; SLOTS];

/// The pipes, each once made for good, and whether somebody has them.
static PIPES: Mutex<Vec<Pipe>> = Mutex::new(Vec::new());

struct Pipe {
    reader: &'static OwnedFd,
    is_free: bool,
}

/// The readable end of a pipe, as long as somebody wants the signal.
#[derive(Debug)]
pub(crate) struct SignalPipe {
    place: usize,
    reader: &'static OwnedFd,
}

impl AsFd for SignalPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        // Relaxed, here and below: the handler sees a change or sees it later, as signals are.
        SEEN[self.place].signal.store(0, Ordering::Relaxed);
        let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
        pipes[self.place].is_free = true;
    }
}

/// Has the handler write into a pipe whenever a signal comes.
pub(crate) fn watch_signal(signal: i32) -> io::Result<SignalPipe> {
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    let place = match pipes.iter().position(|pipe| pipe.is_free) {
        Some(place) => place,
        None => add_pipe(&mut pipes)?,
    };
    let reader = pipes[place].reader;
    // What has been left by the last owner.
    while take_signal(reader.as_fd()).is_ok() {}
    install(signal)?;
    pipes[place].is_free = false;
    SEEN[place].signal.store(signal, Ordering::Relaxed);
    Ok(SignalPipe { place, reader })
}

/// Takes all signals that have come, if there are any.
pub(crate) fn take_signal(reader: BorrowedFd<'_>) -> io::Result<()> {
    let mut buffer = [0; 64];
    let count = rustix::io::read(reader, &mut buffer)?;
    if count == buffer.len() {
        while rustix::io::read(reader, &mut buffer).is_ok() {}
    }
    Ok(())
}

fn add_pipe(pipes: &mut Vec<Pipe>) -> io::Result<usize> {
    let place = pipes.len();
    if place == SLOTS {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    let (reader, writer) = pipe()?;
    for end in [&reader, &writer] {
        fcntl_setfd(end, FdFlags::CLOEXEC)?;
        ioctl_fionbio(end, true)?;
    }
    SEEN[place]
        .writer
        .store(writer.into_raw_fd(), Ordering::Relaxed);
    pipes.push(Pipe {
        reader: Box::leak(Box::new(reader)),
        is_free: true,
    });
    Ok(place)
}

/// Has the handler called for a signal.
fn install(signal: i32) -> io::Result<()> {
    static ACTION: OnceLock<libc::sigaction> = OnceLock::new();
    let action = ACTION.get_or_init(|| {
        // SAFETY: all zeros is an action: no flags, no masked signals, the default handler.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        action
    });
    // SAFETY: the handler does nothing but what is allowed to one.
    let outcome = unsafe { libc::sigaction(signal, action, null_mut()) };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

extern "C" fn handle(signal: libc::c_int) {
    // What has been interrupted may be about to look at its error.
    let errno = Errno::from_io_error(&io::Error::last_os_error());
    for slot in &SEEN {
        if slot.signal.load(Ordering::Relaxed) == signal {
            let byte = [0_u8];
            // SAFETY: the descriptor is never closed, and write is safe in a handler. A full pipe
            // is as readable as one can be.
            unsafe { libc::write(slot.writer.load(Ordering::Relaxed), byte.as_ptr().cast(), 1) };
        }
    }
    if let Some(errno) = errno {
        set_errno(errno.raw_os_error());
    }
}

fn set_errno(number: i32) {
    // SAFETY: it is this thread's own.
    let errno = unsafe { errno_location() };
    // SAFETY: as above.
    unsafe { *errno = number };
}

#[cfg(any(target_os = "linux", target_os = "dragonfly", target_os = "hurd"))]
use libc::__errno_location as errno_location;

#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
use libc::__error as errno_location;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as errno_location;
