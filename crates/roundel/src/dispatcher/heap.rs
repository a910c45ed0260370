//! A heap with four children to a node: half as deep as one with two, and what is compared lies side by side in
//! memory. A node's children are reached in one or two steps to main memory, which are what tens of thousands of
//! timers cost.

const CHILDREN: usize = 4;

/// A heap that gives the value with the least key first. No two keys are equal.
#[derive(Debug)]
pub(super) struct Heap<K, V> {
    /// The children of the node `n` are at `4 n + 1` and after, and no less than it.
    nodes: Vec<(K, V)>,
}

impl<K: Ord, V> Heap<K, V> {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns what comes first.
    pub(super) fn peek(&self) -> Option<&(K, V)> {
        self.nodes.first()
    }

    pub(super) fn push(&mut self, key: K, value: V) {
        self.nodes.push((key, value));
        self.rise(self.nodes.len() - 1);
    }

    /// Removes and returns what comes first.
    pub(super) fn pop(&mut self) -> Option<(K, V)> {
        if self.nodes.is_empty() {
            return None;
        }
        let first = self.nodes.swap_remove(0);
        self.sink(0);
        Some(first)
    }

    /// Removes and returns what lies at the end of the heap's memory, if it is such a value.
    pub(super) fn pop_last_if(&mut self, is_such: impl FnOnce(&V) -> bool) -> Option<(K, V)> {
        self.nodes.pop_if(|(_, value)| is_such(value))
    }

    /// Returns how many there are of those that come first, up to a key.
    ///
    /// They are the top of the heap, so that no others but their children are looked at.
    pub(super) fn count_up_to(&self, last: &K) -> usize {
        let mut count = 0;
        let mut places = vec![0];
        while let Some(place) = places.pop() {
            if self.nodes.get(place).is_some_and(|(key, _)| key <= last) {
                count += 1;
                let first = CHILDREN * place + 1;
                places.extend(first..first + CHILDREN);
            }
        }
        count
    }

    /// Removes those that come first, up to a key, and returns them in no particular order.
    ///
    /// This looks at all there are, and then costs less than to remove one after the other: it goes
    /// through memory in a row.
    pub(super) fn split_up_to(&mut self, last: &K) -> Vec<(K, V)> {
        let nodes = std::mem::take(&mut self.nodes);
        let (first, rest) = nodes.into_iter().partition(|(key, _)| key <= last);
        *self = Self::from(rest);
        first
    }

    /// Returns all, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.nodes.iter()
    }

    /// Returns all, in no particular order.
    pub(super) fn into_vec(self) -> Vec<(K, V)> {
        self.nodes
    }

    /// Moves a node up to where its parent is less.
    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if self.nodes[parent].0 < self.nodes[place].0 {
                break;
            }
            self.nodes.swap(parent, place);
            place = parent;
        }
    }

    /// Moves a node down to where its children are greater.
    fn sink(&mut self, mut place: usize) {
        loop {
            let first = CHILDREN * place + 1;
            let end = self.nodes.len().min(first + CHILDREN);
            let Some(least) = (first..end).min_by(|&a, &b| self.nodes[a].0.cmp(&self.nodes[b].0))
            else {
                break;
            };
            if self.nodes[place].0 < self.nodes[least].0 {
                break;
            }
            self.nodes.swap(place, least);
            place = least;
        }
    }
}

impl<K, V> Default for Heap<K, V> {
    fn default() -> Self {
        Self { nodes: Vec::new() }
    }
}

impl<K: Ord, V> From<Vec<(K, V)>> for Heap<K, V> {
    fn from(nodes: Vec<(K, V)>) -> Self {
        let mut heap = Self { nodes };
        for place in (0..heap.nodes.len().div_ceil(CHILDREN)).rev() {
            heap.sink(place);
        }
        heap
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Everything that a heap gives, in its order.
    fn drain(mut heap: Heap<u32, u32>) -> Vec<u32> {
        std::iter::from_fn(|| heap.pop())
            .map(|(key, _)| key)
            .collect()
    }

    /// What a heap of these has to give.
    fn sorted(keys: &HashSet<u32>) -> Vec<u32> {
        let mut sorted: Vec<u32> = keys.iter().copied().collect();
        sorted.sort_unstable();
        sorted
    }

    proptest! {
        #[test]
        fn the_least_comes_first(keys: HashSet<u32>) {
            let mut heap = Heap::default();
            for &key in &keys {
                heap.push(key, key);
            }
            prop_assert_eq!(drain(heap), sorted(&keys));
        }

        #[test]
        fn those_up_to_a_key_are_counted_and_split_off(keys: HashSet<u32>, last: u32) {
            let nodes: Vec<(u32, u32)> = keys.iter().map(|&key| (key, key)).collect();
            let mut heap = Heap::from(nodes);
            let (first, rest): (Vec<u32>, _) = sorted(&keys).into_iter().partition(|&key| key <= last);
            prop_assert_eq!(heap.count_up_to(&last), first.len());
            let mut split: Vec<u32> = heap.split_up_to(&last).into_iter().map(|(key, _)| key).collect();
            split.sort_unstable();
            prop_assert_eq!(split, first);
            let rest: Vec<u32> = rest;
            prop_assert_eq!(drain(heap), rest);
        }

        #[test]
        fn a_list_becomes_a_heap(keys: HashSet<u32>) {
            let nodes: Vec<(u32, u32)> = keys.iter().map(|&key| (key, key)).collect();
            prop_assert_eq!(drain(Heap::from(nodes)), sorted(&keys));
        }
    }
}
