//! `StreamReader`, `StreamWriter` and the protocol between them and a transport.
//!
//! ```text
//!   await reader.readline()     await writer.drain()      what a program calls: waiters
//!           ▲                           │
//!       StreamReader ◀── feed ── StreamReaderProtocol ◀── data_received, pause_writing … ── a transport, any
//! ```
//!
//! All three work with anybody's counterpart, as asyncio's do: what is of exactly our type is called as Rust, anything
//! else by its methods.

mod factory;
mod flow;
mod protocol;
mod reader;
mod reads;
mod separators;
mod writer;

use crate::hot::{Module, Result};
use crate::transport::receiver::{self, Methods};

/// What a native transport calls of our protocol.
static METHODS: Methods = Methods::of::<protocol::StreamReaderProtocol>();

/// Adds the types to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module
        .class::<reader::StreamReader>()?
        .class::<protocol::StreamReaderProtocol>()?
        .class::<writer::StreamWriter>()?
        .hidden_class::<factory::Factory>()?
        .function(
            c"stream_factory",
            c"stream_factory(loop, client_connected_cb, limit)\n--\n\nMake the protocol factory of a server of streams.",
            factory::Factory::make,
        )?;
    receiver::register(&METHODS);
    Ok(())
}
