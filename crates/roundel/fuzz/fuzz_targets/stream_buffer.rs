//! A stream's buffer does what one does that searches everything anew and moves everything always.

#![no_main]

#[path = "../../tests/naive/mod.rs"]
mod naive;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use naive::buffer::{SEPARATORS, sought};
use roundel::{Sought, StreamBuffer};

#[derive(Arbitrary, Debug)]
enum Call<'b> {
    Push(&'b [u8]),
    /// So much at a time that memory is made and given back.
    PushMany(u16),
    Consume(u16),
    Line(u8),
    Find {
        separators: [u8; 2],
        limit: u8,
        anew: bool,
    },
    Clear,
}

/// The buffer, what is in it, and how far the search before has come.
#[derive(Default)]
struct Pair {
    buffer: StreamBuffer,
    model: Vec<u8>,
    taken: usize,
    last: Option<([usize; 2], u64)>,
}

impl Pair {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.push(bytes);
        self.model.extend(bytes);
    }

    fn take(&mut self, count: usize) {
        self.taken += self.model.drain(..count.min(self.model.len())).count();
    }

    fn call(&mut self, call: &Call<'_>) {
        match call {
            Call::Push(bytes) => self.push(bytes),
            Call::PushMany(count) => self.push(&vec![b'a'; usize::from(*count) % 8192]),
            Call::Consume(count) => {
                self.buffer.consume(usize::from(*count));
                self.take(usize::from(*count));
            }
            Call::Line(limit) => {
                let limit = usize::from(*limit);
                let expected = sought(&self.model, &[b"\n"], limit, self.taken);
                assert_eq!(self.buffer.find_line(limit), expected);
            }
            Call::Find {
                separators,
                limit,
                anew,
            } => {
                let chosen = separators.map(|index| usize::from(index) % SEPARATORS.len());
                self.find(chosen, usize::from(*limit), *anew);
            }
            Call::Clear => {
                self.buffer.clear();
                self.take(usize::MAX);
            }
        }
    }

    fn find(&mut self, mut chosen: [usize; 2], limit: usize, anew: bool) {
        chosen.sort_by_key(|&index| SEPARATORS[index].len());
        let separators = chosen.map(|index| SEPARATORS[index]);
        let known = self
            .last
            .take()
            .filter(|(same, _)| !anew && *same == chosen);
        let from = known.map_or(0, |(_, position)| position);
        let result = self.buffer.find(&separators, from, limit);
        assert_eq!(result, sought(&self.model, &separators, limit, self.taken));
        if let Sought::Nothing(position) = result {
            self.last = Some((chosen, position));
        }
    }
}

fuzz_target!(|calls: Vec<Call<'_>>| {
    let mut pair = Pair::default();
    for call in &calls {
        pair.call(call);
        assert_eq!(pair.buffer.as_slice(), pair.model);
        assert_eq!(pair.buffer.is_empty(), pair.model.is_empty());
    }
});
