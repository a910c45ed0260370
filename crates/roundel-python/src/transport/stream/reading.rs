//! What comes in.

use std::io::{self, ErrorKind};

use roundel::socket;

use super::StreamTransport;
use crate::channel::Reaction;
use crate::event_loop::ReceiveBuffer;
use crate::hot::{
    Buffer, Bytes, IntoObject, Obj, Object, Raised, Result, Room, exceptions, with_descriptor,
};
use crate::names::names;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::Transport;
use crate::transport::receiver::{Methods, Receiving};

pub(super) static READ: Reaction = Reaction {
    name: "StreamTransport._read_ready",
    run: |transport, _| StreamTransport::read_ready(transport.known()),
};

/// From how many bytes on a copy costs more than to ask how many have come, and to receive them where they stay.
const MUCH: usize = 32 * 1024;

const READ_FAILED: &str = "Fatal read error on socket transport";
const DATA_FAILED: &str = "Fatal error: protocol.data_received() call failed.";

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
        let received = match this.much_arrived()? {
            Some(count) => Self::receive_much(this, count)?,
            None => Self::receive_copy(this)?,
        };
        let Some(data) = received else {
            return Ok(());
        };
        if !data.truth()? {
            return Self::eof_received(this, protocol);
        }
        match protocol.call_method(&names().data_received, [&data]) {
            Ok(_) => Ok(()),
            Err(raised) => Self::failed(this, raised, DATA_FAILED),
        }
    }

    /// How much has come, if that is much, as it was the last time.
    #[inline]
    fn much_arrived(&self) -> Result<Option<usize>> {
        if !self.receives_much.get() {
            return Ok(None);
        }
        let fd = self.endpoint.descriptor.checked()?;
        let arrived = with_descriptor(fd, |fd| socket::arrived(fd)).unwrap_or(0);
        let is_much = arrived >= MUCH;
        self.receives_much.set(is_much);
        Ok(is_much.then_some(arrived.min(ReceiveBuffer::SIZE)))
    }

    /// Receives into a `bytes` object of that size.
    fn receive_much(this: &Obj<Self>, count: usize) -> Result<Option<Object>> {
        let mut room = Room::new(count)?;
        let fd = this.endpoint.descriptor.checked()?;
        let received = with_descriptor(fd, |fd| socket::receive_new(fd, room.after(0)));
        let count = Self::received(this, received)?;
        count.map(|count| room.finish(count)).transpose()
    }

    /// Receives into the loop's buffer, and gives a copy.
    fn receive_copy(this: &Obj<Self>) -> Result<Option<Object>> {
        let mut buffer = ReceiveBuffer::of(this.endpoint.event_loop()?);
        let Some(count) = Self::receive(this, &mut buffer)? else {
            return Ok(None);
        };
        this.receives_much.set(count >= MUCH);
        Bytes::copy(&buffer[..count]).map(Some)
    }

    fn read_for(this: &Obj<Self>, protocol: &Object, methods: &'static Methods) -> Result<()> {
        let mut buffer = ReceiveBuffer::of(this.endpoint.event_loop()?);
        let told = match Self::receive(this, &mut buffer)? {
            Some(0) => {
                drop(buffer);
                return Self::eof_received(this, protocol);
            }
            Some(count) => (methods.data_received)(protocol, &buffer[..count]),
            None => return Ok(()),
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
            Some(0) => return Self::eof_received(this, protocol),
            Some(count) => count.into_object()?,
            None => return Ok(()),
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
    fn receive(this: &Obj<Self>, buffer: &mut [u8]) -> Result<Option<usize>> {
        let fd = this.endpoint.descriptor.checked()?;
        let received = with_descriptor(fd, |fd| socket::receive(fd, buffer));
        Self::received(this, received)
    }

    /// How much was received; nothing if that was too early, or has failed, which the transport knows then.
    #[inline]
    fn received(this: &Obj<Self>, received: io::Result<usize>) -> Result<Option<usize>> {
        match received {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => {
                Self::fatal_error(this, &exception(&error), READ_FAILED)?;
                Ok(None)
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
