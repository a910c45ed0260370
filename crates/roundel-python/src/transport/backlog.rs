//! What a transport was given to send and the operating system did not take yet.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};

use crate::hot::{Bytes, Object};

/// How many pieces one system call is given.
const PIECES: usize = 64;

/// How many bytes are put off at most.
pub(crate) const HANDFUL: usize = 16 * 1024;

/// Bytes that wait to be sent, in pieces: `bytes` objects, of the first of which a part may have been sent.
#[derive(Default)]
pub(crate) struct Backlog {
    /// Only objects of the exact type `bytes`: to drop one runs no code.
    pieces: RefCell<VecDeque<Object>>,
    /// How much of the first has been sent.
    sent: Cell<usize>,
    /// How much is left in all.
    size: Cell<usize>,
}

impl Backlog {
    /// How many bytes wait.
    pub(crate) fn size(&self) -> usize {
        self.size.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.size.get() == 0
    }

    /// Whether more may be put off: it will go with one system call.
    pub(crate) fn is_handful(&self) -> bool {
        self.size.get() < HANDFUL && self.pieces.borrow().len() < PIECES
    }

    /// Adds a `bytes` object, of which the first `sent` bytes were sent already; not if nothing is left of it.
    pub(crate) fn push(&self, bytes: Object, sent: usize) {
        let length = Bytes::read(&bytes).map_or(0, <[u8]>::len);
        if length <= sent {
            return;
        }
        let mut pieces = self.pieces.borrow_mut();
        if pieces.is_empty() {
            self.sent.set(sent);
        }
        debug_assert!(sent == 0 || pieces.is_empty(), "only of the first");
        self.size.set(self.size.get() + length - sent);
        pieces.push_back(bytes);
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.size.set(0);
        self.sent.set(0);
        self.pieces.take();
    }

    /// Has `send` send from the front, which says how much it did.
    pub(crate) fn send(
        &self,
        send: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let sent = {
            let pieces = self.pieces.borrow();
            let mut slices = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            for (slice, piece) in slices.iter_mut().zip(pieces.iter()) {
                let skipped = if count == 0 { self.sent.get() } else { 0 };
                let bytes = Bytes::read(piece).unwrap_or_default();
                *slice = IoSlice::new(&bytes[skipped..]);
                count += 1;
            }
            send(&slices[..count])?
        };
        self.advance(sent);
        Ok(())
    }

    fn advance(&self, sent: usize) {
        let mut pieces = self.pieces.borrow_mut();
        self.size.set(self.size.get() - sent);
        let mut sent = self.sent.get() + sent;
        while let Some(first) = pieces.front() {
            let length = Bytes::read(first).map_or(0, <[u8]>::len);
            if sent < length {
                break;
            }
            sent -= length;
            pieces.pop_front();
        }
        self.sent.set(sent);
    }
}
