//! The file objects that are watched, by their numbers.
//!
//! As asyncio's selectors do, the loop owns them, and still knows the number of one that has been closed meanwhile.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::RawFd;

use crate::hot::{Object, Visit};

#[derive(Default)]
pub(super) struct WatchedFiles(RefCell<HashMap<RawFd, Object>>);

// What leaves the map is dropped when nothing is borrowed any more: that may run Python code.
impl WatchedFiles {
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(super) fn enter(&self, fd: RawFd, file: &Object) {
        let replaced = self.0.borrow_mut().insert(fd, file.clone());
        drop(replaced);
    }

    pub(super) fn leave(&self, fd: RawFd) {
        let removed = self.0.borrow_mut().remove(&fd);
        drop(removed);
    }

    /// The number under which a file was entered.
    pub(super) fn number_of(&self, file: &Object) -> Option<RawFd> {
        let files = self.0.borrow();
        let mut found = files.iter().filter(|(_, known)| known.is(file));
        found.next().map(|(&fd, _)| fd)
    }

    pub(super) fn traverse(&self, visit: &mut Visit) {
        self.0.borrow().values().for_each(|file| visit.object(file));
    }

    pub(super) fn clear(&self) {
        drop(self.0.take());
    }
}
