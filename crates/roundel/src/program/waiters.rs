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

/// No place: the end of a list.
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
            place: None,
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
    places: Vec<Place>,
    first: usize,
    last: usize,
    vacant: usize,
}

struct Place {
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
            places: Vec::new(),
            first: NONE,
            last: NONE,
            vacant: NONE,
        }
    }
}

impl Line {
    fn enter(&mut self, waker: TaskWaker) -> usize {
        if self.vacant == NONE {
            self.places.push(Place {
                state: State::Released,
                before: NONE,
                after: NONE,
            });
            self.vacant = self.places.len() - 1;
        }
        let index = self.vacant;
        let place = &mut self.places[index];
        self.vacant = place.after;
        place.state = State::Waiting(waker);
        place.before = self.last;
        place.after = NONE;
        match self.places.get_mut(self.last) {
            Some(last) => last.after = index,
            None => self.first = index,
        }
        self.last = index;
        index
    }

    fn is_waiting(&self, index: usize) -> bool {
        matches!(self.places[index].state, State::Waiting(_))
    }

    fn replace_waker(&mut self, index: usize, waker: TaskWaker) -> State {
        mem::replace(&mut self.places[index].state, State::Waiting(waker))
    }

    /// Takes the first one out of the line, and returns who wakes it.
    fn serve_first(&mut self, state: State) -> Option<TaskWaker> {
        let first = self.first;
        let before = mem::replace(&mut self.places.get_mut(first)?.state, state);
        self.unlink(first);
        match before {
            State::Waiting(waker) => Some(waker),
            State::Granted | State::Released => None,
        }
    }

    /// Gives up a place, and returns what it was.
    fn leave(&mut self, index: usize) -> State {
        let state = mem::replace(&mut self.places[index].state, State::Released);
        if matches!(state, State::Waiting(_)) {
            self.unlink(index);
        }
        self.places[index].after = self.vacant;
        self.vacant = index;
        state
    }

    fn unlink(&mut self, index: usize) {
        let Place { before, after, .. } = self.places[index];
        match self.places.get_mut(before) {
            Some(place) => place.after = after,
            None => self.first = after,
        }
        match self.places.get_mut(after) {
            Some(place) => place.before = before,
            None => self.last = before,
        }
    }
}

/// Waits for its turn.
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Turn<'w, P: Fn(), D> {
    waiters: &'w Waiters,
    pass_on: P,
    describe: D,
    place: Option<usize>,
}

impl<P: Fn(), D> Turn<'_, P, D> {
    /// Gives up the place, if there is one, and returns whether the turn had been granted.
    fn leave(&mut self) -> bool {
        self.place
            .take()
            .is_some_and(|index| self.waiters.leave(index))
    }
}

impl<P: Fn() + Unpin, D: Fn() -> String + Unpin> Future for Turn<'_, P, D> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let line = &self.waiters.line;
        if self
            .place
            .is_some_and(|index| !line.borrow().is_waiting(index))
        {
            return Poll::Ready(self.leave());
        }
        // Somebody else's waker is cloned by somebody else's code: before anything is borrowed.
        let waker = TaskWaker::of(cx);
        if let Some(index) = self.place {
            let replaced = line.borrow_mut().replace_waker(index, waker);
            drop(replaced);
        } else {
            self.place = Some(self.waiters.enter(waker));
        }
        note(&self.describe);
        Poll::Pending
    }
}

impl<P: Fn(), D> Drop for Turn<'_, P, D> {
    fn drop(&mut self) {
        if self.leave() {
            (self.pass_on)();
        }
    }
}
