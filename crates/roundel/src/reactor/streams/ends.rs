//! The two ends of a connection: what has come, and what goes.

use std::cell::{Cell, RefCell};
use std::io;

use crate::stream_buffer::StreamBuffer;
use crate::sys::PIECE;

/// What has been received from a connection, and nobody has taken.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    bytes: RefCell<StreamBuffer>,
    error: RefCell<Option<io::Error>>,
    /// Nothing more will come.
    has_ended: Cell<bool>,
    pub(super) state: Cell<Receiving>,
    /// Somebody waits for what comes next.
    pub(super) is_heeded: Cell<bool>,
    /// A piece has come that was as large as one can be.
    is_bulky: Cell<bool>,
}

/// Who receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Receiving {
    /// Whoever wants to.
    #[default]
    Not,
    /// The kernel, under this key.
    Until { key: usize },
    /// The kernel, which has been asked to end it.
    Ending { key: usize },
}

impl Inbound {
    /// Returns whether the kernel receives, so that nobody else may.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.state.get() != Receiving::Not
    }

    /// Returns whether there is something to take.
    pub(crate) fn has_news(&self) -> bool {
        !self.bytes.borrow().is_empty() || self.has_ended.get() || self.error.borrow().is_some()
    }

    /// Moves what has come to where `put` says, which takes what it has room for and returns how much
    /// that was; or takes the error that came after it.
    #[inline]
    pub(crate) fn take(&self, put: impl FnOnce(&[u8]) -> usize) -> Option<io::Result<usize>> {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            return match self.error.take() {
                None if self.has_ended.get() => Some(Ok(0)),
                error => error.map(Err),
            };
        }
        let count = put(bytes.as_slice());
        bytes.consume(count);
        Some(Ok(count))
    }

    /// Returns whether what comes here is too much for the ring, and forgets that.
    pub(crate) fn take_bulk(&self) -> bool {
        self.is_bulky.take()
    }

    /// Keeps what has come, and returns whether more may come.
    pub(super) fn put(&self, outcome: io::Result<&[u8]>) -> bool {
        let mut bytes = self.bytes.borrow_mut();
        match outcome {
            Ok(piece) => {
                bytes.push(piece);
                self.has_ended.set(piece.is_empty());
                self.is_bulky
                    .set(self.is_bulky.get() || piece.len() == PIECE);
            }
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => {}
            Err(error) => drop(self.error.replace(Some(error))),
        }
        drop(bytes);
        self.has_room()
    }

    /// Returns whether more may come before something is taken.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.borrow().len() < PIECE
    }
}

/// What is being sent to a connection: one piece at a time, so that none can overtake another.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    /// The key of the piece that is under way.
    pub(super) key: Cell<Option<usize>>,
    /// What became of the last one.
    outcome: RefCell<Option<io::Result<usize>>>,
}

impl Outbound {
    /// Returns whether a piece is under way.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        self.key.get().is_some()
    }

    /// Takes what became of the last piece.
    #[inline]
    pub(crate) fn take(&self) -> Option<io::Result<usize>> {
        self.outcome.take()
    }

    pub(super) fn begin(&self, key: usize) {
        self.outcome.take();
        self.key.set(Some(key));
    }

    pub(super) fn end(&self, outcome: io::Result<usize>) {
        self.key.set(None);
        self.outcome.replace(Some(outcome));
    }
}
