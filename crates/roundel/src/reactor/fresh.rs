//! Sockets that the operating system is not asked to watch yet.
//!
//! Many a connection is closed in the turn after it has begun, and many a reader that was paused is paused again as
//! soon as it has read. To have a descriptor watched and not watched any more costs five times as much as to see what
//! it has at present, which is one call for all that are fresh.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;

use super::{Arming, Direction, Interest, Reactor, Told, index};
use crate::sys::{Poller, socket};

/// The descriptors whose slots say [`Arming::Fresh`] or [`Arming::Seen`].
#[derive(Default)]
pub(super) struct Fresh {
    listed: RefCell<Vec<RawFd>>,
    /// Those that the last wait has found ready.
    ready: RefCell<Vec<RawFd>>,
}

impl Fresh {
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Goes without a descriptor, which is watched in another way from now on, or not at all.
    pub(super) fn forget(&self, fd: RawFd) {
        self.listed.borrow_mut().retain(|&listed| listed != fd);
    }

    pub(super) fn clear(&self) {
        self.listed.take();
        self.ready.take();
    }
}

impl<J: Told> Reactor<J> {
    /// Does what [`add`](Self::add) does, but has nothing watched before the wait after the next.
    ///
    /// What can't be watched is seen before each wait, and no wait lasts.
    pub(crate) fn add_fresh(&self, fd: RawFd, job: J) -> io::Result<Option<J>> {
        let (old, _) = self.registration(fd);
        if fd < 0 || !old.is_none() {
            return self.add(fd, Direction::Read, job);
        }
        self.poller()?;
        self.fresh.listed.borrow_mut().push(fd);
        Ok(self.replace(fd, Direction::Read, Some(job), Arming::Fresh))
    }

    /// Hands `tell` the jobs of those that were found ready.
    pub(super) fn collect_fresh(&self, tell: &mut impl FnMut(J)) {
        let slots = self.slots.borrow();
        for fd in self.fresh.ready.borrow_mut().drain(..) {
            let slot = index(fd).and_then(|index| slots.get(index));
            let reader = slot.and_then(|slot| slot.reader.clone());
            reader.into_iter().for_each(&mut *tell);
        }
    }
}

impl<J> Reactor<J> {
    /// Before a wait: has those watched that have been seen before, or all if the wait is a long one, and sees what
    /// the others have. Returns whether there can't be a wait: some are ready, or can't be watched.
    pub(super) fn see_fresh(&self, poller: &Poller, is_long: bool) -> bool {
        let mut listed = self.fresh.listed.borrow_mut();
        if listed.is_empty() {
            return false;
        }
        let slots = self.slots.borrow();
        let mut is_all_watched = true;
        listed.retain(|&fd| {
            let Some(slot) = index(fd).and_then(|index| slots.get(index)) else {
                return false;
            };
            let is_new = slot.arming.replace(Arming::Seen) == Arming::Fresh;
            if is_new && !is_long {
                return true;
            }
            let watched = poller.watch(fd, Interest::default(), slot.interest());
            if watched.is_ok() {
                slot.arming.set(Arming::Lasting);
            }
            is_all_watched &= watched.is_ok();
            watched.is_err()
        });
        let mut ready = self.fresh.ready.borrow_mut();
        if let Ok(found) = socket::readable_among(&listed) {
            ready.extend(found);
        }
        !is_all_watched || !ready.is_empty()
    }
}
