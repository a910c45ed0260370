//! Tasks in line: first come, first served, wherever something is waited for.
//!
//! Who waits has a ticket, and tickets are in line in their order. To serve the first one is to grant
//! it its turn, which takes it out of the line and wakes it; until it comes round to take its turn
//! the grant counts as given, so that nobody can snatch in between what it stands for. A waiter that
//! is dropped with its turn granted but not taken passes it on: no item, room or lock is ever lost.
//!
//! Whose ticket is below the first one's has been served. Only of those that have been sent away
//! instead, as few ever are, a list is kept.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, VecDeque};
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
    /// Who wakes the first one, which mostly is the only one.
    first: Cell<Option<TaskWaker>>,
    /// The ticket of the first one, or the next one if nobody is in line.
    first_ticket: Cell<u64>,
    next_ticket: Cell<u64>,
    /// Who is behind the first one, by ticket. Who has left the line has no waker any more.
    others: RefCell<VecDeque<(u64, Option<TaskWaker>)>>,
    /// How many are in line.
    waiting: Cell<usize>,
    /// How many turns have been granted but not taken.
    granted: Cell<usize>,
    /// Who has been sent away and has not heard of it; made when it first happens to anybody.
    sent_away: OnceCell<Box<RefCell<BTreeSet<u64>>>>,
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
        let first = self.pop();
        let is_granted = first.is_some();
        if let Some(waker) = first {
            self.reserve();
            // It may be somebody else's waker, so nothing is borrowed meanwhile.
            waker.wake();
        }
        is_granted
    }

    /// Grants everybody their turn who is in line now.
    #[inline]
    pub(crate) fn grant_all(&self) {
        let end = self.next_ticket.get();
        while self.first_ticket.get() < end && self.grant_first() {}
    }

    /// Wakes everybody who is in line now without granting anything.
    pub(crate) fn send_away(&self) {
        let end = self.next_ticket.get();
        while self.first_ticket.get() < end {
            let ticket = self.first_ticket.get();
            let Some(waker) = self.pop() else { return };
            let sent_away = self.sent_away.get_or_init(Box::default);
            sent_away.borrow_mut().insert(ticket);
            waker.wake();
        }
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
    #[inline]
    pub(crate) fn reserve(&self) {
        self.granted.set(self.granted.get() + 1);
    }

    /// Takes back what [`reserve`](Self::reserve) has counted.
    #[inline]
    pub(crate) fn unreserve(&self) {
        self.granted.set(self.granted.get() - 1);
    }

    /// Returns how many turns have been granted but not taken.
    #[inline]
    pub(crate) fn granted(&self) -> usize {
        self.granted.get()
    }

    /// Draws a ticket.
    #[inline]
    fn enter(&self, waker: TaskWaker) -> u64 {
        let (ticket, waiting) = (self.next_ticket.get(), self.waiting.get());
        self.next_ticket.set(ticket + 1);
        self.waiting.set(waiting + 1);
        if waiting == 0 {
            self.first.set(Some(waker));
        } else {
            self.others.borrow_mut().push_back((ticket, Some(waker)));
        }
        ticket
    }

    /// Takes the first one out of the line.
    #[inline]
    fn pop(&self) -> Option<TaskWaker> {
        let waiting = self.waiting.get().checked_sub(1)?;
        self.waiting.set(waiting);
        let waker = self.first.take();
        if waiting == 0 {
            self.first_ticket.set(self.next_ticket.get());
        } else {
            self.move_up();
        }
        waker
    }

    /// Makes the next one the first.
    fn move_up(&self) {
        let mut others = self.others.borrow_mut();
        while let Some((ticket, waker)) = others.pop_front() {
            if waker.is_some() {
                self.first_ticket.set(ticket);
                return self.first.set(waker);
            }
        }
    }

    /// Gives up a ticket that is not in line any more, and returns whether a turn was granted to it.
    #[inline]
    fn take_turn(&self, ticket: u64) -> Option<bool> {
        (ticket < self.first_ticket.get()).then(|| {
            let is_granted = self.sent_away.get().is_none() || !self.hear(ticket);
            if is_granted {
                self.unreserve();
            }
            is_granted
        })
    }

    /// Returns whether somebody who is not in line has been sent away, who knows it from now on.
    #[cold]
    fn hear(&self, ticket: u64) -> bool {
        let sent_away = self.sent_away.get();
        sent_away.is_some_and(|list| list.borrow_mut().remove(&ticket))
    }

    /// Has another waker, or none, wake who is in line, and returns the one that it replaces.
    fn replace_waker(&self, ticket: u64, waker: Option<TaskWaker>) -> Option<TaskWaker> {
        if ticket == self.first_ticket.get() {
            return self.first.replace(waker);
        }
        let mut others = self.others.borrow_mut();
        let place = others.binary_search_by_key(&ticket, |&(ticket, _)| ticket);
        mem::replace(&mut others[place.ok()?].1, waker)
    }

    /// Gives up a ticket, and returns whether a turn had been granted to it.
    #[inline(never)]
    fn leave(&self, ticket: u64) -> bool {
        if let Some(is_granted) = self.take_turn(ticket) {
            return is_granted;
        }
        let waker = if ticket == self.first_ticket.get() {
            self.pop()
        } else {
            self.leave_others(ticket)
        };
        drop(waker);
        false
    }

    /// Lets somebody go who is behind the first one.
    fn leave_others(&self, ticket: u64) -> Option<TaskWaker> {
        let waker = self.replace_waker(ticket, None);
        self.waiting.set(self.waiting.get() - 1);
        let mut others = self.others.borrow_mut();
        if others.len() > 2 * self.waiting.get() {
            others.retain(|(_, waker)| waker.is_some());
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
    #[inline]
    pub(crate) fn poll(
        &mut self,
        waiters: &Waiters,
        cx: &Context<'_>,
        describe: impl FnOnce() -> String,
    ) -> Poll<bool> {
        if let Some(is_granted) = waiters.take_turn(self.ticket) {
            self.ticket = NONE;
            return Poll::Ready(is_granted);
        }
        self.wait(waiters, cx);
        note(describe);
        Poll::Pending
    }

    /// Gets into line, or stays there.
    #[inline(never)]
    fn wait(&mut self, waiters: &Waiters, cx: &Context<'_>) {
        // Somebody else's waker is cloned by somebody else's code: before anything is borrowed.
        let waker = TaskWaker::of(cx);
        if self.is_taken() {
            drop(waiters.replace_waker(self.ticket, Some(waker)));
        } else {
            self.ticket = waiters.enter(waker);
        }
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
            assert!(waiters.others.borrow().len() <= 4);
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
    fn when_the_first_one_leaves_the_next_who_has_not_moves_up() {
        let waiters = Waiters::default();
        let mut places: Vec<_> = (0..4).map(|_| enter(&waiters)).collect();
        for left in [1, 0] {
            assert!(!places[left].leave(&waiters));
            assert_eq!(poll(&mut places[2], &waiters), None);
        }
        assert_eq!(waiters.waiting(), 2);
        assert!(waiters.grant_first());
        assert_eq!(poll(&mut places[3], &waiters), None);
        assert_eq!(poll(&mut places[2], &waiters), Some(true));
        assert!(!places[3].leave(&waiters));
        assert!(!waiters.has_waiting());
        assert!(!waiters.grant_first());
        let mut late = enter(&waiters);
        assert!(waiters.grant_first());
        assert!(late.leave(&waiters));
        assert_eq!(waiters.granted(), 0);
    }

    #[test]
    fn turns_are_taken_in_any_order_and_beside_those_who_are_sent_away() {
        let waiters = Waiters::default();
        let mut places: Vec<_> = (0..6).map(|_| enter(&waiters)).collect();
        assert!((0..3).all(|_| waiters.grant_first()));
        waiters.send_away();
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
