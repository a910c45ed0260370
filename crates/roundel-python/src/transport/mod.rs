//! Transports: what moves bytes between a descriptor and a protocol.
//!
//! - `endpoint`: what all have: loop, protocol, descriptor, and how they end. **Start there**;
//! - `stream`: TCP and Unix connections; `listener`: accepts them; `clients`: those of a server;
//! - `datagram`: UDP and Unix sockets; `pipe`: pipes and terminals;
//! - `descriptor`, `backlog`, `limits`, `receiver`: the parts.
//!
//! A protocol's callback may do anything to its transport: close or abort it, write, pause it, exchange itself. So
//! nothing that was read before a callback is relied on after it.

mod address;
mod backlog;
mod clients;
mod common;
mod datagram;
mod descriptor;
mod endpoint;
mod limits;
mod listener;
mod pipe;
pub(crate) mod receiver;
mod stream;

pub(crate) use endpoint::Transport;
pub(crate) use stream::StreamTransport;

use stream::FlowControl;

use crate::hot::{Args, HotType, IntoObject, Module, Result, boolean, import};

/// Adds what Python sees.
pub(crate) fn register(module: &Module) -> Result<()> {
    module
        .class::<stream::StreamTransport>()?
        .hidden_class::<listener::Listener>()?
        .hidden_class::<clients::Clients>()?
        .function(
            c"clients",
            c"clients(others)\n--\n\nMake what a server keeps its connections in; others is a WeakSet for those that are not native.",
            clients::Clients::make,
        )?
        .function(
            c"stream_transport",
            c"stream_transport(loop, sock, protocol, waiter, extra, server, context)\n--\n\nMake a transport of a socket that is connected; its protocol is called in the context, if there is one.",
            stream::StreamTransport::make,
        )?
        .class::<datagram::DatagramTransport>()?
        .function(
            c"datagram_transport",
            c"datagram_transport(loop, sock, protocol, address, waiter, extra)\n--\n\nMake a transport of a socket for datagrams.",
            datagram::DatagramTransport::make,
        )?
        .class::<pipe::ReadPipeTransport>()?
        .function(
            c"read_pipe_transport",
            c"read_pipe_transport(loop, pipe, protocol, waiter, extra)\n--\n\nMake a transport of an end of a pipe that is read from.",
            pipe::ReadPipeTransport::make,
        )?
        .class::<pipe::WritePipeTransport>()?
        .function(
            c"write_pipe_transport",
            c"write_pipe_transport(loop, pipe, protocol, waiter, extra)\n--\n\nMake a transport of an end of a pipe that is written to, which hears of the end of the reader.",
            |args: &Args<'_>| pipe::WritePipeTransport::make(args, true),
        )?
        .function(
            c"write_device_transport",
            c"write_device_transport(loop, pipe, protocol, waiter, extra)\n--\n\nMake a transport of a terminal or the like, which can't be heard of.",
            |args: &Args<'_>| pipe::WritePipeTransport::make(args, false),
        )?
        .function(
            c"native_transport",
            c"native_transport(loop, fd)\n--\n\nReturn the native transport that uses a descriptor, None if none does.",
            endpoint::native_transport,
        )?
        .function(
            c"serve",
            c"serve(loop, sock, protocol_factory, server, backlog, context)\n--\n\nAccept connections until the socket is not watched any more, each in a copy of the context, if there is one.",
            listener::Listener::serve,
        )?;
    let class = stream::StreamTransport::cell().object();
    // What asyncio asks of any transport, and tests set on one.
    class.set_attr(&"_start_tls_compatible".into_object()?, &boolean(true))?;
    let modes = import(c"asyncio.constants", c"_SendfileMode")?;
    let mode = modes.attr(&"TRY_NATIVE".into_object()?)?;
    class.set_attr(&"_sendfile_compatible".into_object()?, &mode)
}
