//! What is to come of bytes, found out the slow way: for the tests, and for the targets in `fuzz/`.

#![allow(dead_code, reason = "each program uses what it needs")]

pub(crate) mod buffer;
pub(crate) mod lines;
