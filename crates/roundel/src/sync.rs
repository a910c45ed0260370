//! What the [`inbox`](crate::dispatcher) and promises and thread queues share between threads, under names of their own:
//! the model checker in `tests/loom.rs` compiles both with its own notion of these.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
