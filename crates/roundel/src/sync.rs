//! What is shared between threads, under names of its own: the model checker in `tests/loom.rs` compiles whoever uses
//! these with its own notion of them.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use std::thread;
