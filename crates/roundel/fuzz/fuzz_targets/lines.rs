//! Lines are the same in whatever pieces their bytes come.

#![no_main]

#[path = "../../tests/naive/mod.rs"]
mod naive;

use libfuzzer_sys::fuzz_target;
use naive::lines::{read, split};

fuzz_target!(|input: (&[u8], Vec<u8>, u8)| {
    let (text, sizes, limit) = input;
    let limit = usize::from(limit);
    assert_eq!(read(text, limit, &sizes), split(text, limit));
});
