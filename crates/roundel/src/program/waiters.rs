//! Tasks in line: first come, first served, wherever something is waited for.
//!
//! Who waits has a place in the line. To serve the first one is to grant it its turn, which takes
//! it out of the line and wakes it; until it comes round to take its turn the grant counts as
//! given, so that nobody can snatch in between what it stands for. A waiter that is dropped with
//! its turn granted but not taken passes it on: no item, room or lock is ever lost.

use std::cell::{Cell, RefCell};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::deadlock::note;
use super::task::TaskWaker;

/// No place: nobody's, or the end of a list.
const NONE: usize = usize::MAX;

/// A line of waiting tasks.
#[derive(Default)]
pub(crate) struct Waiters {
    line: RefCell<Line>,
    /// How many are in line.
    waiting: Cell<usize>,
    /// How many turns have been granted but not taken.
    granted: Cell<usize>,
}

impl Waiters {
    /// Waits in line; gives `true` if a turn is granted, `false` if everybody is sent away.
    ///
    /// A turn that is granted but not taken is given to `pass_on`; `describe` says what is waited
    /// for, should anybody ask.
    pub(crate) fn turn<P, D>(&self, pass_on: P, describe: D) -> Turn<'_, P, D>
    where
        P: Fn(),
        D: Fn() -> String,
    {
        Turn {
            waiters: self,
            pass_on,
            describe,
            place: Place::none(),
        }
    }

    /// Grants the first one its turn, and returns whether there was one.
    #[inline]
    pub(crate) fn grant_first(&self) -> bool {
        let is_granted = self.waiting.get() > 0;
        if is_granted {
            self.granted.set(self.granted.get() + 1);
            self.serve_first(State::Granted);
        }
        is_granted
    }

    /// Returns whether anybody is in line.
    #[inline]
    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting.get() > 0
    }

    /// Returns how many are in line.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.get()
    }

    /// Counts a turn as granted to somebody who has not been in line.
    pub(crate) fn reserve(&self) {
        self.granted.set(self.granted.get() + 1);
    }

    /// Takes back what [`reserve`](Self::reserve) has counted.
    pub(crate) fn unreserve(&self) {
        self.granted.set(self.granted.get() - 1);
    }

    /// Wakes everybody without granting anything.
    pub(crate) fn release_all(&self) {
        // Who gets into line meanwhile has come too late.
        for _ in 0..self.waiting.get() {
            self.serve_first(State::Released);
        }
    }

    /// Returns how many turns have been granted but not taken.
    #[inline]
    pub(crate) fn granted(&self) -> usize {
        self.granted.get()
    }

    fn enter(&self, waker: TaskWaker) -> usize {
        self.waiting.set(self.waiting.get() + 1);
        self.line.borrow_mut().enter(waker)
    }

    fn serve_first(&self, state: State) {
        let Some(waker) = self.line.borrow_mut().serve_first(state) else {
            return;
        };
        self.waiting.set(self.waiting.get() - 1);
        // It may be somebody else's waker, so nothing is borrowed meanwhile.
        waker.wake();
    }

    /// Gives up a place, and returns whether a turn had been granted to it.
    fn leave(&self, index: usize) -> bool {
        let state = self.line.borrow_mut().leave(index);
        match state {
            State::Waiting(_) => self.waiting.set(self.waiting.get() - 1),
            State::Granted => self.granted.set(self.granted.get() - 1),
            State::Released => {}
        }
        matches!(state, State::Granted)
    }
}

/// A list, linked by index, in a vector that never shrinks: no allocation once it has had its
/// greatest length.
struct Line {
    slots: Vec<Slot>,
    first: usize,
    last: usize,
    vacant: usize,
}

struct Slot {
    state: State,
    before: usize,
    after: usize,
}

enum State {
    /// In line.
    Waiting(TaskWaker),
    /// Out of the line, with a turn that has not been taken yet.
    Granted,
    /// Out of the line, with nothing.
    Released,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            first: NONE,
            last: NONE,
            vacant: NONE,
        }
    }
}

impl Line {
    fn enter(&mut self, waker: TaskWaker) -> usize {
        if self.vacant == NONE {
            self.slots.push(Slot {
                state: State::Released,
                before: NONE,
                after: NONE,
            });
            self.vacant = self.slots.len() - 1;
        }
        let index = self.vacant;
        let slot = &mut self.slots[index];
        self.vacant = slot.after;
        slot.state = State::Waiting(waker);
        slot.before = self.last;
        slot.after = NONE;
        match self.slots.get_mut(self.last) {
            Some(last) => last.after = index,
            None => self.first = index,
        }
        self.last = index;
        index
    }

    fn is_waiting(&self, index: usize) -> bool {
        matches!(self.slots[index].state, State::Waiting(_))
    }

    fn replace_waker(&mut self, index: usize, waker: TaskWaker) -> State {
        mem::replace(&mut self.slots[index].state, State::Waiting(waker))
    }

    /// Takes the first one out of the line, and returns who wakes it.
    fn serve_first(&mut self, state: State) -> Option<TaskWaker> {
        let first = self.first;
        let before = mem::replace(&mut self.slots.get_mut(first)?.state, state);
        self.unlink(first);
        match before {
            State::Waiting(waker) => Some(waker),
            State::Granted | State::Released => None,
        }
    }

    /// Gives up a place, and returns what it was.
    fn leave(&mut self, index: usize) -> State {
        let state = mem::replace(&mut self.slots[index].state, State::Released);
        if matches!(state, State::Waiting(_)) {
            self.unlink(index);
        }
        self.slots[index].after = self.vacant;
        self.vacant = index;
        state
    }

    fn unlink(&mut self, index: usize) {
        let Slot { before, after, .. } = self.slots[index];
        match self.slots.get_mut(before) {
            Some(slot) => slot.after = after,
            None => self.first = after,
        }
        match self.slots.get_mut(after) {
            Some(slot) => slot.before = before,
            None => self.last = before,
        }
    }
}

/// A place in line, or none.
///
/// Who has one [gives it up](Self::leave) when dropped, and passes on what had been granted.
pub(crate) struct Place {
    index: usize,
}

impl Place {
    /// Returns no place.
    pub(crate) fn none() -> Self {
        Self { index: NONE }
    }

    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        self.index != NONE
    }

    /// Waits in line, at the end of it to begin with; gives `true` once a turn is granted, `false`
    /// once everybody is sent away. The place is given up then.
    pub(crate) fn poll(
        &mut self,
        waiters: &Waiters,
        cx: &Context<'_>,
        describe: impl FnOnce() -> String,
    ) -> Poll<bool> {
        let line = &waiters.line;
        if self.is_taken() {
            if !line.borrow().is_waiting(self.index) {
                return Poll::Ready(self.leave(waiters));
            }
            // Somebody else's waker is cloned by somebody else's code: before anything is borrowed.
            let waker = TaskWaker::of(cx);
            let replaced = line.borrow_mut().replace_waker(self.index, waker);
            drop(replaced);
        } else {
            self.index = waiters.enter(TaskWaker::of(cx));
        }
        note(describe);
        Poll::Pending
    }

    /// Gives up the place, if there is one, and returns whether a turn had been granted.
    #[inline]
    pub(crate) fn leave(&mut self, waiters: &Waiters) -> bool {
        self.is_taken() && waiters.leave(mem::replace(&mut self.index, NONE))
    }
}

/// Waits for its turn.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Turn<'w, P: Fn(), D> {
    waiters: &'w Waiters,
    pass_on: P,
    describe: D,
    place: Place,
}

impl<P: Fn() + Unpin, D: Fn() -> String + Unpin> Future for Turn<'_, P, D> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let this = &mut *self;
        this.place.poll(this.waiters, cx, &this.describe)
    }
}

impl<P: Fn(), D> Drop for Turn<'_, P, D> {
    fn drop(&mut self) {
        if self.place.leave(self.waiters) {
            (self.pass_on)();
        }
    }
}
