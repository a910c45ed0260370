//! Transports: what moves bytes between a descriptor and a protocol.
//!
//! - `endpoint`: what all have: loop, protocol, descriptor, and how they end. **Start there**;
//! - `stream`: TCP and Unix sockets;
//! - `descriptor`, `backlog`, `limits`, `receiver`: the parts.
//!
//! A protocol's callback may do anything to its transport: close or abort it, write, pause it, exchange itself. So
//! nothing that was read before a callback is relied on after it.

mod backlog;
mod descriptor;
mod endpoint;
mod limits;
pub(crate) mod receiver;
mod stream;

pub(crate) use stream::StreamTransport;

use crate::hot::{HotType, IntoObject, Module, Result, boolean, import};

/// Adds what Python sees.
pub(crate) fn register(module: &Module) -> Result<()> {
    module.class::<stream::StreamTransport>()?;
    let class = stream::StreamTransport::cell().object();
    // What asyncio asks of any transport, and tests set on one.
    class.set_attr(&"_start_tls_compatible".into_object()?, &boolean(true))?;
    let modes = import(c"asyncio.constants", c"_SendfileMode")?;
    let mode = modes.attr(&"TRY_NATIVE".into_object()?)?;
    class.set_attr(&"_sendfile_compatible".into_object()?, &mode)
}
