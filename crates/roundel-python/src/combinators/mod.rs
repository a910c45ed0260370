//! What makes one awaitable of several, or another one of one (`asyncio.tasks`).
//!
//! - `ensure`: `ensure_future`, from which the others start;
//! - `gather`: all results, in order;
//! - `wait`, `as_completed`: some or all of several, and each as it comes;
//! - `wait_for`, `shield`: one, with a time limit, or beyond the reach of cancellation.

mod as_completed;
mod ensure;
mod gather;
mod shield;
mod wait;
mod wait_for;

pub(crate) use ensure::ensure_future;
pub(crate) use gather::GatheringFuture;

use crate::hot::{Module, Result};

/// Adds the combinators to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    ensure::register(module)?;
    gather::register(module)?;
    wait::register(module)?;
    as_completed::register(module)?;
    wait_for::register(module)?;
    shield::register(module)
}
