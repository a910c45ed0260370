//! What comes in.

use std::io::{self, ErrorKind};

use roundel::socket;

use super::StreamTransport;
use crate::channel::Reaction;
use crate::event_loop::ReceiveBuffer;
use crate::hot::{
    Buffer, Bytes, IntoObject, Obj, Object, Raised, Result, exceptions, with_descriptor,
};
use crate::names::names;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::Transport;
use crate::transport::receiver::{Methods, Receiving};

pub(super) static READ: Reaction = Reaction {
    name: "StreamTransport._read_ready",
    run: |transport| StreamTransport::read_ready(transport.known()),
};

const READ_FAILED: &str = "Fatal read error on socket transport";
const DATA_FAILED: &str = "Fatal error: protocol.data_received() call failed.";

/// What receiving came to.
enum Received {
    Bytes(usize),
    /// Nothing has come after all.
    Nothing,
    /// It failed, and the transport knows.
    Failed,
}

impl StreamTransport {
    #[inline]
    fn read_ready(this: &Obj<Self>) -> Result<()> {
        let endpoint = &this.endpoint;
        let (Some(protocol), 0) = (endpoint.protocol.get(), endpoint.lost.get()) else {
            return Ok(());
        };
        match endpoint.receiving.get() {
            Receiving::Data => Self::read_data(this, &protocol),
            Receiving::Buffer => Self::read_into_buffer(this, &protocol),
            Receiving::Native(methods) => Self::read_for(this, &protocol, methods),
        }
    }

    fn read_data(this: &Obj<Self>, protocol: &Object) -> Result<()> {
        let mut buffer = ReceiveBuffer::of(this.endpoint.event_loop()?);
        let data = match Self::receive(this, &mut buffer)? {
            Received::Bytes(0) => {
                drop(buffer);
                return Self::eof_received(this, protocol);
            }
            Received::Bytes(count) => Bytes::copy(&buffer[..count])?,
            Received::Nothing | Received::Failed => return Ok(()),
        };
        drop(buffer);
        match protocol.call_method(&names().data_received, [&data]) {
            Ok(_) => Ok(()),
            Err(raised) => Self::failed(this, raised, DATA_FAILED),
        }
    }

    fn read_for(this: &Obj<Self>, protocol: &Object, methods: &'static Methods) -> Result<()> {
        let mut buffer = ReceiveBuffer::of(this.endpoint.event_loop()?);
        let told = match Self::receive(this, &mut buffer)? {
            Received::Bytes(0) => {
                drop(buffer);
                return Self::eof_received(this, protocol);
            }
            Received::Bytes(count) => (methods.data_received)(protocol, &buffer[..count]),
            Received::Nothing | Received::Failed => return Ok(()),
        };
        drop(buffer);
        told.or_else(|raised| Self::failed(this, raised, DATA_FAILED))
    }

    fn read_into_buffer(this: &Obj<Self>, protocol: &Object) -> Result<()> {
        let buffer = match Self::get_buffer(protocol) {
            Ok(buffer) => buffer,
            Err(raised) => {
                let message = "Fatal error: protocol.get_buffer() call failed.";
                return Self::failed(this, raised, message);
            }
        };
        let fd = this.endpoint.descriptor.checked()?;
        let received = match Buffer::writable(&buffer) {
            Ok(mut lent) => {
                lent.write(|bytes| with_descriptor(fd, |fd| socket::receive(fd, bytes)))
            }
            Err(raised) => {
                raised.clear();
                return Self::failed(this, not_writable(&buffer)?, READ_FAILED);
            }
        };
        let count = match Self::received(this, received)? {
            Received::Bytes(0) => return Self::eof_received(this, protocol),
            Received::Bytes(count) => count.into_object()?,
            Received::Nothing | Received::Failed => return Ok(()),
        };
        match protocol.call_method(&names().buffer_updated, [&count]) {
            Ok(_) => Ok(()),
            Err(raised) => {
                let message = "Fatal error: protocol.buffer_updated() call failed.";
                Self::failed(this, raised, message)
            }
        }
    }

    fn get_buffer(protocol: &Object) -> Result<Object> {
        let any_size = (-1_i64).into_object()?;
        let buffer = protocol.call_method(&names().get_buffer, [&any_size])?;
        if buffer.length()? == 0 {
            let text = "get_buffer() returned an empty buffer";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        Ok(buffer)
    }

    #[inline]
    fn receive(this: &Obj<Self>, buffer: &mut [u8]) -> Result<Received> {
        let fd = this.endpoint.descriptor.checked()?;
        let received = with_descriptor(fd, |fd| socket::receive(fd, buffer));
        Self::received(this, received)
    }

    #[inline]
    fn received(this: &Obj<Self>, received: io::Result<usize>) -> Result<Received> {
        match received {
            Ok(count) => Ok(Received::Bytes(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) => {
                Self::fatal_error(this, &exception(&error), READ_FAILED)?;
                Ok(Received::Failed)
            }
        }
    }

    fn eof_received(this: &Obj<Self>, protocol: &Object) -> Result<()> {
        Self::debug(this, "%r received EOF")?;
        let told = protocol.call_method(&names().eof_received, []);
        match told.and_then(|keep_open| keep_open.truth()) {
            // What remains to be written can be, but nothing more will come.
            Ok(true) => match this.endpoint.event_loop.get() {
                Some(event_loop) => event_loop
                    .remove_reader(this.endpoint.descriptor.number())
                    .map(drop),
                None => Ok(()),
            },
            Ok(false) => this.as_any().call_method(&names().close, []).map(drop),
            Err(raised) => {
                let message = "Fatal error: protocol.eof_received() call failed.";
                Self::failed(this, raised, message)
            }
        }
    }
}

/// What receiving into a buffer that cannot be written to raises, whatever the buffer says of itself.
fn not_writable(buffer: &Object) -> Result<Raised> {
    let name = buffer.type_name()?;
    let text = format!("recv_into() argument 1 must be read-write bytes-like object, not {name}");
    Ok(Raised::new(&exceptions::type_error(), text))
}
