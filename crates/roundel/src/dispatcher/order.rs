//! In which order the jobs of one turn run.

use std::cell::Cell;

/// The order in which what is ready gets its turn.
///
/// # Examples
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use roundel::{Clock, Error, Order, Runner, gather};
///
/// fn take_turns(order: Order) -> Result<Vec<u32>, Error> {
///     let turns = Rc::new(RefCell::new(Vec::new()));
///     let task = |number, turns: Rc<RefCell<Vec<u32>>>| async move {
///         turns.borrow_mut().push(number);
///     };
///     let all = Rc::clone(&turns);
///     let tasks = async move { gather((0..5).map(|number| task(number, Rc::clone(&all)))).await };
///     Runner::new(Clock::virtual_time(), order)?.run(tasks)?;
///     Ok(turns.take())
/// }
///
/// assert_eq!(take_turns(Order::Fifo)?, [0, 1, 2, 3, 4]);
/// assert_ne!(take_turns(Order::Seeded(7))?, [0, 1, 2, 3, 4]);
/// assert_eq!(take_turns(Order::Seeded(7))?, take_turns(Order::Seeded(7))?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// First ready, first run.
    #[default]
    Fifo,
    /// What became ready together is run in a random order, the same for the same seed.
    ///
    /// Only jobs that are [reorderable](crate::Job::is_reorderable) change places, and only
    /// among themselves. A program that relies on nothing but what it has been promised runs as
    /// well under any seed.
    Seeded(u64),
}

/// A sequence of random numbers: `SplitMix64`, so that a seed means the same for ever.
#[derive(Debug)]
pub(crate) struct Random {
    state: Cell<u64>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: Cell::new(seed),
        }
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, which is not 0.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let product = u128::from(self.next()) * bound as u128;
        usize::try_from(product >> 64).expect("the result is below bound, which is a usize")
    }

    /// Permutes what is at `places` by swapping, each permutation being as likely as any other.
    pub(super) fn shuffle(&self, places: &[usize], mut swap: impl FnMut(usize, usize)) {
        for last in (1..places.len()).rev() {
            swap(places[last], places[self.below(last + 1)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([random.next(), random.next()], expected);
    }

    #[test]
    fn every_permutation_of_three_comes_up_about_as_often() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..6_000 {
            let mut items = [0, 1, 2];
            Random::new(seed).shuffle(&[0, 1, 2], |a, b| items.swap(a, b));
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|count| (850..1_150).contains(count)),
            "{counts:?}"
        );
    }
}
