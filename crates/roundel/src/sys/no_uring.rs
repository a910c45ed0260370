//! Where there is neither `io_uring` nor a way to ask for what needs no waiting.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use std::time::Duration;

use super::transfer::Transfer;
use super::{Notifier, Poller, Report};

/// A ring that can't be had.
pub(crate) enum Ring {}

impl Ring {
    pub(crate) fn new(_notifier: &Notifier) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn is_past(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_room(&self) -> bool {
        match *self {}
    }

    pub(crate) fn start(&mut self, _key: usize, _transfer: Transfer) {
        match *self {}
    }

    pub(crate) fn cancel(&mut self, _key: usize) {
        match *self {}
    }

    pub(crate) fn submit(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn has_news(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn reap(&mut self, _done: impl FnMut(usize, Transfer, io::Result<usize>)) {
        match *self {}
    }
}

/// The most that one piece could have.
pub(crate) const PIECE: usize = 4096;

/// A ring for connections that can't be had.
pub(crate) enum StreamRing {}

impl StreamRing {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn is_past(&self) -> bool {
        match *self {}
    }

    pub(crate) fn under_way(&self) -> usize {
        match *self {}
    }

    pub(crate) fn receive(&mut self, _key: usize, _fd: RawFd) {
        match *self {}
    }

    pub(crate) fn send(&mut self, _key: usize, _fd: RawFd, _bytes: &[u8]) {
        match *self {}
    }

    pub(crate) fn provide_more(&mut self) {
        match *self {}
    }

    pub(crate) fn cancel_receive(&mut self, _key: usize) {
        match *self {}
    }

    pub(crate) fn cancel_send(&mut self, _key: usize) {
        match *self {}
    }

    pub(crate) fn hand_over(&mut self) {
        match *self {}
    }

    pub(crate) fn wait(&mut self, _poller: &Poller, _timeout: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn take_poller_news(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn settle(&mut self, _hear: impl FnMut(Report<'_>)) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn reap(&mut self, _hear: impl FnMut(Report<'_>)) {
        match *self {}
    }
}

pub(crate) fn read_now(
    _fd: RawFd,
    _offset: Option<u64>,
    _buffer: &mut [MaybeUninit<u8>],
) -> io::Result<Option<usize>> {
    Ok(None)
}

pub(crate) fn fill_now(
    _fd: RawFd,
    _offset: Option<u64>,
    _buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    Ok(None)
}

pub(crate) fn write_now(
    _fd: RawFd,
    _offset: Option<u64>,
    _data: &[u8],
) -> io::Result<Option<usize>> {
    Ok(None)
}
