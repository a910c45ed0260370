//! Sorting timers by buckets: deadlines are numbers, and mostly spread evenly enough for most of the order to be
//! found by computing it instead of by comparing.

/// Sorts timers by deadline, and those of the same deadline by their second key.
///
/// There are about as many buckets as timers, each for an equal share of the time, and what is in the same one is
/// compared. If that is all there is, this costs no more than comparing them does anyway.
pub(super) fn sort<V>(timers: &mut [((u64, u64), V)]) {
    let deadlines = timers.iter().map(|((deadline, _), _)| *deadline);
    let (Some(first), Some(last)) = (deadlines.clone().min(), deadlines.clone().max()) else {
        return;
    };
    let width = (u64::BITS - (last - first).leading_zeros()).saturating_sub(timers.len().ilog2());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most as many as there are timers"
    )]
    let bucket = |deadline: u64| ((deadline - first) >> width) as usize;
    let mut places = vec![0; bucket(last) + 2];
    deadlines.for_each(|deadline| places[bucket(deadline) + 1] += 1);
    for place in 1..places.len() {
        places[place] += places[place - 1];
    }
    // Where each bucket begins, and where the next of its timers goes.
    let mut next = places.clone();
    for (this, range) in places.windows(2).enumerate() {
        while next[this] < range[1] {
            let place = next[this];
            let home = bucket(timers[place].0.0);
            timers.swap(place, next[home]);
            next[home] += 1;
        }
        timers[range[0]..range[1]].sort_unstable_by_key(|(key, _)| *key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Deadlines that are spread evenly, bunched up, or neither.
    fn deadlines() -> impl Strategy<Value = Vec<u64>> {
        let deadline = prop_oneof![any::<u64>(), 0..50_000_000_u64, 0..4_u64, Just(u64::MAX)];
        prop::collection::vec(deadline, 0..300)
    }

    proptest! {
        #[test]
        fn timers_are_sorted_by_deadline_and_then_by_age(deadlines in deadlines()) {
            let mut timers: Vec<_> = (0..).zip(deadlines).map(|(age, deadline)| ((deadline, age), age)).collect();
            timers.reverse();
            let mut expected = timers.clone();
            expected.sort_unstable();
            sort(&mut timers);
            prop_assert_eq!(timers, expected);
        }
    }
}
