//! What [`inbox`](crate::dispatcher) shares between threads, under names of its own: the model
//! checker in `tests/loom.rs` compiles the inbox with its own notion of them.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
