//! What makes one awaitable of several, or another one of one (`asyncio.tasks`).
//!
//! - `ensure`: `ensure_future`, from which the others start, and the eager task factories;
//! - `gather`: all results, in order.

mod ensure;
mod gather;

pub(crate) use ensure::ensure_future;
pub(crate) use gather::GatheringFuture;

use crate::hot::{Module, Result};

/// Adds the combinators to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    ensure::register(module)?;
    gather::register(module)
}
