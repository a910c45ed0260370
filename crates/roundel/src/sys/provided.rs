//! Memory that the kernel receives into, piece by piece, for whichever connection something has come.
//!
//! The pieces that the kernel may take are listed in a ring of their own, in memory that is shared with it.
//! What was taken is copied out and given back at once, so that a slow reader keeps none. There are few at first, and
//! more as soon as more connections have something at the same time.

use std::io;
use std::mem::size_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::pages::Pages;

/// The most that one piece can have.
pub(crate) const PIECE: usize = LENGTH as usize;

/// The same, for the kernel.
const LENGTH: u32 = 8 * 1024;

/// How many pieces lie in memory together.
const PIECES_PER_CHUNK: u16 = 64;

/// How many there may be: a power of two.
const PIECES_AT_MOST: u16 = 1024;

/// The list and the pieces.
pub(super) struct Provided {
    list: Pages,
    chunks: Vec<Pages>,
    /// How many have ever been listed; the kernel sees it when that is published.
    tail: u16,
}

impl Provided {
    /// What the kernel knows them by.
    pub(super) const GROUP: u16 = 0;

    /// Makes them known to the kernel, which uses them until `queues` are closed.
    pub(super) fn register(queues: &IoUring) -> io::Result<Self> {
        let mut provided = Self {
            list: Pages::new(usize::from(PIECES_AT_MOST) * size_of::<BufRingEntry>())?,
            chunks: Vec::new(),
            tail: 0,
        };
        let address = provided.entries().as_ptr() as u64;
        let submitter = queues.submitter();
        // SAFETY: the list has so many entries, begins with a page, and is freed only when the ring has
        // been closed: its owner sees to it.
        unsafe { submitter.register_buf_ring_with_flags(address, PIECES_AT_MOST, Self::GROUP, 0) }?;
        provided.add_chunk()?;
        provided.publish();
        Ok(provided)
    }

    /// Makes twice as many, if there may be so many and there is memory for them.
    pub(super) fn grow(&mut self) {
        let room = usize::from(PIECES_AT_MOST / PIECES_PER_CHUNK) - self.chunks.len();
        for _ in 0..self.chunks.len().min(room) {
            // Without more it takes longer, and goes on all the same.
            if self.add_chunk().is_err() {
                break;
            }
        }
        self.publish();
    }

    fn add_chunk(&mut self) -> io::Result<()> {
        let count = u16::try_from(self.chunks.len()).unwrap_or(u16::MAX);
        let first = count * PIECES_PER_CHUNK;
        self.chunks
            .push(Pages::new(PIECE * usize::from(PIECES_PER_CHUNK))?);
        (first..first + PIECES_PER_CHUNK).for_each(|piece| self.give_back(piece));
        Ok(())
    }

    fn entries(&self) -> NonNull<BufRingEntry> {
        self.list.start().cast()
    }

    /// Returns what has come in a piece that the kernel has taken.
    pub(super) fn piece(&self, piece: u16, length: usize) -> &[u8] {
        let (chunk, start) = place(piece);
        // SAFETY: the kernel writes no more to what it has taken until it is given back, which takes this
        // exclusively.
        unsafe { self.chunks[chunk].slice(start, length.min(PIECE)) }
    }

    /// Lets the kernel take a piece again, once that is [published](Self::publish).
    pub(super) fn give_back(&mut self, piece: u16) {
        let (chunk, start) = place(piece);
        let address = self.chunks[chunk].start().as_ptr() as u64 + start as u64;
        let place = usize::from(self.tail % PIECES_AT_MOST);
        // SAFETY: the list has more entries than that.
        let mut entry = unsafe { self.entries().add(place) };
        // SAFETY: the kernel reads none that is beyond the published tail, and nobody else does.
        let entry = unsafe { entry.as_mut() };
        entry.set_addr(address);
        entry.set_len(LENGTH);
        entry.set_bid(piece);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel what has been given back.
    pub(super) fn publish(&self) {
        // SAFETY: the address of the first entry of a list that is registered.
        let tail = unsafe { BufRingEntry::tail(self.entries().as_ptr()) };
        // SAFETY: it is two bytes of ours, aligned, that nobody else writes and the kernel reads.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: whoever sees it sees the entries below it.
        tail.store(self.tail, Ordering::Release);
    }
}

/// In which chunk a piece is, and where in it.
fn place(piece: u16) -> (usize, usize) {
    let (chunk, place) = (piece / PIECES_PER_CHUNK, piece % PIECES_PER_CHUNK);
    (usize::from(chunk), usize::from(place) * PIECE)
}
