//! A stream's buffer does what one does that searches everything anew and moves everything always.

mod naive;

use naive::buffer::{SEPARATORS, sought};
use proptest::collection::vec;
use proptest::prelude::*;
use roundel::{Sought, StreamBuffer};

#[derive(Clone, Debug)]
enum Call {
    Push(Vec<u8>),
    Consume(usize),
    Line {
        limit: usize,
    },
    Find {
        separators: Vec<usize>,
        limit: usize,
        anew: bool,
    },
    Clear,
}

fn calls() -> impl Strategy<Value = Call> {
    let letter = prop_oneof![Just(b'a'), Just(b'b'), Just(b'\r'), Just(b'\n')];
    prop_oneof![
        6 => vec(letter, 0..40).prop_map(Call::Push),
        1 => (500..3_000_usize).prop_map(|count| Call::Push(vec![b'x'; count])),
        3 => (0..60_usize).prop_map(Call::Consume),
        1 => (0..9_000_usize).prop_map(Call::Consume),
        4 => (0..50_usize).prop_map(|limit| Call::Line { limit }),
        4 => (vec(0..SEPARATORS.len(), 1..4), 0..50_usize, any::<bool>())
            .prop_map(|(separators, limit, anew)| Call::Find { separators, limit, anew }),
        1 => Just(Call::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 100 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_as_the_naive_one(calls in vec(calls(), 0..150)) {
        let (mut buffer, mut model, mut taken) = (StreamBuffer::new(), Vec::new(), 0);
        let mut last: Option<(Vec<usize>, u64)> = None;
        for call in calls {
            match call {
                Call::Push(bytes) => {
                    buffer.push(&bytes);
                    model.extend(bytes);
                }
                Call::Consume(count) => {
                    buffer.consume(count);
                    taken += model.drain(..count.min(model.len())).count();
                }
                Call::Clear => {
                    buffer.clear();
                    taken += model.drain(..).count();
                }
                Call::Line { limit } => {
                    prop_assert_eq!(buffer.find_line(limit), sought(&model, &[b"\n"], limit, taken));
                }
                Call::Find { mut separators, limit, anew } => {
                    separators.sort_by_key(|&index| SEPARATORS[index].len());
                    let chosen: Vec<_> = separators.iter().map(|&index| SEPARATORS[index]).collect();
                    let known = last.take().filter(|(same, _)| !anew && *same == separators);
                    let from = known.map_or(0, |(_, position)| position);
                    let result = buffer.find(&chosen, from, limit);
                    prop_assert_eq!(result, sought(&model, &chosen, limit, taken));
                    if let Sought::Nothing(position) = result {
                        last = Some((separators, position));
                    }
                }
            }
            prop_assert_eq!(buffer.as_slice(), &model[..]);
            prop_assert_eq!(buffer.len(), model.len());
            prop_assert_eq!(buffer.is_empty(), model.is_empty());
        }
    }
}

#[test]
fn a_line_that_comes_in_pieces_is_found_where_it_ends() {
    let mut buffer = StreamBuffer::new();
    buffer.push(b"one");
    assert_eq!(buffer.find_line(100), Sought::Nothing(3));
    buffer.push(b" two\nthree");
    assert_eq!(buffer.find_line(100), Sought::Found(8));
    buffer.consume(8);
    assert_eq!(buffer.find_line(100), Sought::Nothing(13));
    assert_eq!(buffer.find_line(4), Sought::Late(5));
    buffer.push(b"\n");
    assert_eq!(buffer.find_line(4), Sought::FoundLate(5));
}

#[test]
fn many_lines_taken_one_by_one_cost_no_more_than_their_length() {
    let mut buffer = StreamBuffer::new();
    let line = [b'x'; 63].iter().chain(b"\n").copied().collect::<Vec<_>>();
    for _ in 0..if cfg!(miri) { 500 } else { 50_000 } {
        buffer.push(&line);
    }
    for _ in 0..if cfg!(miri) { 500 } else { 50_000 } {
        assert_eq!(buffer.find_line(64), Sought::Found(64));
        buffer.consume(64);
        buffer.push(b"");
    }
    assert!(buffer.is_empty());
}
