//! Linux' `io_uring`: the kernel reads and writes files while this thread goes on.
//!
//! A ring is two queues in memory that is shared with the kernel. What is to be done goes into one,
//! and [`submit`](Ring::submit) tells the kernel of all that is new by one call; what is done is
//! found in the other without any. The kernel announces it by the notifier, too, so that the wait
//! for descriptors ends.
//!
//! The memory that the kernel works on is the ring's until the kernel says that it is done, whoever
//! has lost interest meanwhile: see [`Ring::drop`].

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd};

use io_uring::{IoUring, Probe, opcode, squeue, types};

use super::Notifier;
use super::fork::Generation;
use super::transfer::{Kind, Transfer};

/// How many can be handed over by one call.
const ENTRIES: u32 = 128;

/// How many may be under way: as many as there is room for news of.
const UNDER_WAY_AT_MOST: usize = 2 * ENTRIES as usize;

/// What the news of a cancellation carries in the place of a key: nobody wants to hear of it.
const CANCELLATION: u64 = u64::MAX;

/// A ring, and what is under way in it.
pub(crate) struct Ring {
    queues: ManuallyDrop<IoUring>,
    generation: Generation,
    /// By their keys.
    slots: Vec<Option<Slot>>,
    under_way: usize,
}

struct Slot {
    transfer: Transfer,
    is_cancelled: bool,
}

impl Ring {
    /// Makes a ring that announces what is done by `notifier`.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error, or one of its own, where there is no ring to be had or
    /// it can't do what is wanted of it.
    pub(crate) fn new(notifier: &Notifier) -> io::Result<Self> {
        let ring = IoUring::builder().dontfork().build(ENTRIES)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        let needed = [
            opcode::Read::CODE,
            opcode::Write::CODE,
            opcode::Fsync::CODE,
            opcode::AsyncCancel::CODE,
        ];
        if !needed.iter().all(|&code| probe.is_supported(code)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        ring.submitter()
            .register_eventfd(notifier.as_fd().as_raw_fd())?;
        Ok(Self {
            queues: ManuallyDrop::new(ring),
            generation: Generation::present(),
            slots: Vec::new(),
            under_way: 0,
        })
    }

    /// Returns whether this process is a fork of the one that made the ring, and must not touch it.
    pub(crate) fn is_past(&self) -> bool {
        self.generation.is_past()
    }

    /// Returns whether there is room for another transfer.
    pub(crate) fn has_room(&self) -> bool {
        self.under_way < UNDER_WAY_AT_MOST
    }

    /// Takes over a transfer, which [`submit`](Self::submit) hands to the kernel. Until it is done,
    /// `key` is its own.
    pub(crate) fn start(&mut self, key: usize, transfer: Transfer) {
        if self.slots.len() <= key {
            self.slots.resize_with(key + 1, || None);
        }
        let slot = self.slots[key].insert(Slot {
            transfer,
            is_cancelled: false,
        });
        let entry = entry(&mut slot.transfer).user_data(key as u64);
        self.under_way += 1;
        self.push(&entry);
    }

    /// Asks the kernel to give up what it is doing for `key`, which is done soon after, either way.
    pub(crate) fn cancel(&mut self, key: usize) {
        if let Some(Some(slot)) = self.slots.get_mut(key) {
            slot.is_cancelled = true;
            let entry = opcode::AsyncCancel::new(key as u64).build();
            self.push(&entry.user_data(CANCELLATION));
            // At once: the descriptor may be closed next, and the kernel has to know it before.
            self.submit();
        }
    }

    /// Tells the kernel what is to be done, and returns whether it knows of all of it.
    pub(crate) fn submit(&mut self) -> bool {
        if self.queues.submission().is_empty() {
            return true;
        }
        // What it can't take for want of memory, or because of a signal, it is told of again.
        self.queues.submit().ok();
        self.queues.submission().is_empty()
    }

    /// Returns whether something is done.
    pub(crate) fn has_news(&mut self) -> bool {
        !self.queues.completion().is_empty() || self.queues.submission().cq_overflow()
    }

    /// Hands `done` what is done.
    pub(crate) fn reap(&mut self, mut done: impl FnMut(usize, Transfer, io::Result<usize>)) {
        while let Some(news) = self.next_news() {
            let Ok(key) = usize::try_from(news.user_data()) else {
                continue;
            };
            let Some(mut slot) = self.slots.get_mut(key).and_then(Option::take) else {
                continue;
            };
            self.under_way -= 1;
            let result = outcome(news.result());
            match result {
                Err(error) if was_disturbed(&error) && !slot.is_cancelled => {
                    self.start(key, slot.transfer);
                }
                Ok(length) => {
                    let length = slot.transfer.ended(length);
                    done(key, slot.transfer, Ok(length));
                }
                Err(error) => done(key, slot.transfer, Err(error)),
            }
        }
    }

    fn next_news(&mut self) -> Option<io_uring::cqueue::Entry> {
        let news = self.queues.completion().next();
        if news.is_none() && self.queues.submission().cq_overflow() {
            // The kernel keeps what there was no room for until it is entered.
            self.queues.submit().ok();
            return self.queues.completion().next();
        }
        news
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: the memory that the entry names is in a slot, which is emptied only when the kernel
        // has said that it is done with it.
        while unsafe { self.queues.submission().push(entry) }.is_err() {
            // It is full. The kernel takes what is in it; if it can't now, it can soon.
            self.submit();
        }
    }

    /// Has everything cancelled and waits until the kernel is done with it.
    fn settle(&mut self) -> io::Result<()> {
        for key in 0..self.slots.len() {
            self.cancel(key);
        }
        while self.under_way > 0 {
            if !self.has_news() {
                match self.queues.submit_and_wait(1) {
                    Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                    _ => {}
                }
            }
            self.reap(|_, _, _| {});
        }
        Ok(())
    }
}

impl Drop for Ring {
    /// Waits for the kernel, in whose hands our memory is. In a forked child nothing of it is mapped,
    /// and the kernel works for the parent.
    fn drop(&mut self) {
        if self.is_past() {
            return;
        }
        if self.settle().is_err() {
            // Better lose some memory than have the kernel write to what is somebody else's.
            for slot in self.slots.drain(..).flatten() {
                slot.transfer.buffer.leak();
            }
        }
        // SAFETY: nobody uses it after this.
        unsafe { ManuallyDrop::drop(&mut self.queues) };
    }
}

fn entry(transfer: &mut Transfer) -> squeue::Entry {
    let fd = types::Fd(transfer.fd);
    // Minus one, for the kernel, is the descriptor's own position.
    let offset = transfer.offset.unwrap_or(u64::MAX);
    // The kernel moves no more than this at once, either.
    let length = u32::try_from(transfer.buffer.len()).unwrap_or(i32::MAX.unsigned_abs());
    match transfer.kind {
        Kind::Read => opcode::Read::new(fd, transfer.buffer.as_mut_ptr(), length)
            .offset(offset)
            .build(),
        Kind::Write => opcode::Write::new(fd, transfer.buffer.as_ptr(), length)
            .offset(offset)
            .build(),
        Kind::Sync { data_only: true } => opcode::Fsync::new(fd)
            .flags(types::FsyncFlags::DATASYNC)
            .build(),
        Kind::Sync { data_only: false } => opcode::Fsync::new(fd).build(),
    }
}

pub(super) fn outcome(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

/// Whether a transfer ended for reasons of the kernel's: a signal, or the end of the thread that had
/// submitted it.
fn was_disturbed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::ECANCELED))
}
