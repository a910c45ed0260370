//! Tasks in line: first come, first served, wherever something is waited for.
//!
//! Who waits has a ticket, and tickets are in line in their order. To serve the first one is to grant
//! it its turn, which takes it out of the line and wakes it; until it comes round to take its turn
//! the grant counts as given, so that nobody can snatch in between what it stands for. A waiter that
//! is dropped with its turn granted but not taken passes it on: no item, room or lock is ever lost.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::deadlock::note;
use super::task::TaskWaker;

/// Nobody's ticket.
const NONE: u64 = u64::MAX;

/// A line of waiting tasks.
#[derive(Default)]
pub(crate) struct Waiters {
    line: RefCell<Line>,
    /// How many are in line.
    waiting: Cell<usize>,
    /// How many turns have been granted but not taken.
    granted: Cell<usize>,
}

/// Tickets that have been drawn: each is in line, or granted, or else has been sent away.
#[derive(Default)]
struct Line {
    /// In ascending order. Who has left the line has no waker any more.
    waiting: VecDeque<(u64, Option<TaskWaker>)>,
    granted: VecDeque<u64>,
    /// The next ticket.
    next: u64,
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
        let is_granted = self.has_waiting();
        if is_granted {
            self.serve_first();
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
        let end = self.line.borrow().next;
        while self.has_waiting() {
            let first = self.line.borrow_mut().pop_before(end);
            let Some((_, waker)) = first else { return };
            self.waiting.set(self.waiting.get() - 1);
            // It may be somebody else's waker, so nothing is borrowed meanwhile.
            waker.wake();
        }
    }

    /// Returns how many turns have been granted but not taken.
    #[inline]
    pub(crate) fn granted(&self) -> usize {
        self.granted.get()
    }

    /// Draws a ticket.
    fn enter(&self, waker: TaskWaker) -> u64 {
        self.waiting.set(self.waiting.get() + 1);
        let mut line = self.line.borrow_mut();
        let ticket = line.next;
        line.next = ticket + 1;
        line.waiting.push_back((ticket, Some(waker)));
        ticket
    }

    fn serve_first(&self) {
        let mut line = self.line.borrow_mut();
        if let Some((ticket, waker)) = line.pop_before(NONE) {
            // Apart from the other count: to read both at once, which lie side by side, would have
            // to wait for the one that has just been written.
            self.waiting.set(self.waiting.get() - 1);
            line.granted.push_back(ticket);
            drop(line);
            self.granted.set(self.granted.get() + 1);
            // As above.
            waker.wake();
        }
    }

    /// Gives up a ticket that is not in line any more, and returns whether a turn was granted to it.
    #[inline]
    fn take_turn(&self, ticket: u64) -> Option<bool> {
        let mut line = self.line.borrow_mut();
        if line.take_granted(ticket) {
            self.granted.set(self.granted.get() - 1);
            return Some(true);
        }
        line.find(ticket).is_none().then_some(false)
    }

    /// Has another waker wake who is in line.
    fn replace_waker(&self, ticket: u64, waker: TaskWaker) {
        let mut line = self.line.borrow_mut();
        let place = line.find(ticket);
        let replaced = place.and_then(|place| line.waiting[place].1.replace(waker));
        drop(line);
        drop(replaced);
    }

    /// Gives up a ticket, and returns whether a turn had been granted to it.
    fn leave(&self, ticket: u64) -> bool {
        if let Some(is_granted) = self.take_turn(ticket) {
            return is_granted;
        }
        self.waiting.set(self.waiting.get() - 1);
        let waker = self.line.borrow_mut().leave(ticket, self.waiting.get());
        drop(waker);
        false
    }
}

impl Line {
    /// Takes the first one out of the line, if its ticket is below `end`.
    #[inline]
    fn pop_before(&mut self, end: u64) -> Option<(u64, TaskWaker)> {
        while self.waiting.front()?.0 < end {
            if let (ticket, Some(waker)) = self.waiting.pop_front()? {
                return Some((ticket, waker));
            }
        }
        None
    }

    /// Takes a turn if it has been granted.
    #[inline]
    fn take_granted(&mut self, ticket: u64) -> bool {
        // Mostly it is the one that was granted first.
        if self.granted.front() == Some(&ticket) {
            self.granted.pop_front();
            return true;
        }
        !self.granted.is_empty() && self.take_late(ticket)
    }

    #[cold]
    fn take_late(&mut self, ticket: u64) -> bool {
        let place = self.granted.iter().position(|&granted| granted == ticket);
        place.is_some_and(|place| self.granted.remove(place).is_some())
    }

    /// Returns where in line somebody is, who has not left it.
    #[inline]
    fn find(&self, ticket: u64) -> Option<usize> {
        if self.waiting.front()?.0 > ticket {
            return None;
        }
        self.waiting
            .binary_search_by_key(&ticket, |&(ticket, _)| ticket)
            .ok()
    }

    /// Lets somebody go who is in line, so that `waiting` are left, and returns who wakes it.
    fn leave(&mut self, ticket: u64, waiting: usize) -> Option<TaskWaker> {
        let place = self.find(ticket)?;
        let waker = self.waiting[place].1.take();
        if self.waiting.len() > 2 * waiting {
            self.waiting.retain(|(_, waker)| waker.is_some());
        }
        waker
    }
}

/// A place in line, or none.
///
/// Who has one [gives it up](Self::leave) when dropped, and passes on what had been granted.
pub(crate) struct Place {
    ticket: u64,
}

impl Place {
    /// Returns no place.
    #[inline]
    pub(crate) fn none() -> Self {
        Self { ticket: NONE }
    }

    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        self.ticket != NONE
    }

    /// Waits in line, at the end of it to begin with; gives `true` once a turn is granted, `false`
    /// once everybody is sent away. The place is given up then.
    pub(crate) fn poll(
        &mut self,
        waiters: &Waiters,
        cx: &Context<'_>,
        describe: impl FnOnce() -> String,
    ) -> Poll<bool> {
        if self.is_taken() {
            if let Some(is_granted) = waiters.take_turn(self.ticket) {
                self.ticket = NONE;
                return Poll::Ready(is_granted);
            }
            // Somebody else's waker is cloned by somebody else's code: before anything is borrowed.
            waiters.replace_waker(self.ticket, TaskWaker::of(cx));
        } else {
            self.ticket = waiters.enter(TaskWaker::of(cx));
        }
        note(describe);
        Poll::Pending
    }

    /// Gives up the place, if there is one, and returns whether a turn had been granted.
    #[inline]
    pub(crate) fn leave(&mut self, waiters: &Waiters) -> bool {
        self.is_taken() && waiters.leave(mem::replace(&mut self.ticket, NONE))
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Polls a place, and returns whether its turn has been granted, if it has been served.
    fn poll(place: &mut Place, waiters: &Waiters) -> Option<bool> {
        let cx = Context::from_waker(Waker::noop());
        match place.poll(waiters, &cx, String::new) {
            Poll::Ready(is_granted) => Some(is_granted),
            Poll::Pending => None,
        }
    }

    fn enter(waiters: &Waiters) -> Place {
        let mut place = Place::none();
        assert_eq!(poll(&mut place, waiters), None);
        place
    }

    #[test]
    fn who_leaves_the_middle_of_a_line_leaves_no_gap_behind() {
        let waiters = Waiters::default();
        let mut first = enter(&waiters);
        let mut last = enter(&waiters);
        for _ in 0..1_000 {
            let another = enter(&waiters);
            assert!(!mem::replace(&mut last, another).leave(&waiters));
            assert!(waiters.line.borrow().waiting.len() <= 4);
        }
        assert_eq!(waiters.waiting(), 2);
        assert!(waiters.grant_first());
        assert_eq!(poll(&mut last, &waiters), None);
        assert_eq!(poll(&mut first, &waiters), Some(true));
        assert!(waiters.grant_first());
        assert_eq!(poll(&mut last, &waiters), Some(true));
        assert!(!waiters.grant_first());
    }

    #[test]
    fn turns_are_taken_in_any_order_and_beside_those_who_are_sent_away() {
        let waiters = Waiters::default();
        let mut places: Vec<_> = (0..6).map(|_| enter(&waiters)).collect();
        assert!((0..3).all(|_| waiters.grant_first()));
        waiters.release_all();
        let mut late = enter(&waiters);
        assert_eq!((waiters.granted(), waiters.waiting()), (3, 1));
        let served = [1, 4, 2, 3, 0, 5].map(|place| poll(&mut places[place], &waiters));
        assert_eq!(
            served.map(|served| served.expect("everybody has been served")),
            [true, false, true, false, true, false]
        );
        assert_eq!(waiters.granted(), 0);
        assert_eq!(poll(&mut late, &waiters), None);
        assert!(!late.leave(&waiters));
        assert_eq!(waiters.waiting(), 0);
    }
}
