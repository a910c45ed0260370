//! Lines are the same in whatever pieces their bytes come.

mod naive;

use naive::lines::{read, split};
use proptest::collection::vec;
use proptest::prelude::*;

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop_oneof![
        6 => Just(&b"a"[..]),
        2 => Just(&b"\n"[..]),
        2 => Just(&b"\r"[..]),
        1 => Just("ä".as_bytes()),
    ];
    vec(letter, 0..120).prop_map(|letters| letters.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_change_nothing(text in texts(), sizes in vec(0..9_u8, 0..60), limit in 0..20_usize) {
        prop_assert_eq!(read(&text, limit, &sizes), split(&text, limit));
    }
}

#[test]
fn a_line_of_full_length_may_come_without_its_end() {
    // Sizes are taken from the back.
    assert_eq!(read(b"four\r\n", 4, &[1, 5]), (vec!["four".into()], false));
    assert_eq!(read(b"fours\r\n", 4, &[1, 5]), (vec![], true));
}

#[test]
fn only_what_belongs_to_an_end_of_line_is_cut_off() {
    let lines = vec!["one".into(), "two\r".into(), "three\r".into()];
    assert_eq!(read(b"one\r\ntwo\r\r\nthree\r", 80, &[]), (lines, false));
}
