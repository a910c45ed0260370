//! `ReadPipeTransport`: the end of a pipe that is read from.

use std::io::ErrorKind;

use roundel::socket;

use super::Pipe;
use crate::channel::Reaction;
use crate::event_loop::ReceiveBuffer;
use crate::hot::{
    Args, Bytes, Class, Derived, HotType, Numbered, Obj, Object, Place, PythonClass, Result, Slot,
    TypeCell, Visit, exceptions, is_instance_of, with_descriptor,
};
use crate::names::names;
use crate::transport::common;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::{Endpoint, Transport};

/// `EIO`, what a terminal says that has gone.
const IO_ERROR: i64 = 5;

/// The transport of the end of a pipe that is read from.
#[derive(Default)]
pub(crate) struct ReadPipeTransport {
    endpoint: Endpoint,
    extra: Slot,
}

static READ: Reaction = Reaction {
    name: "ReadPipeTransport._read_ready",
    run: |transport, _| ReadPipeTransport::read_ready(transport.known()),
};

impl Transport for ReadPipeTransport {
    const IS_SOCKET: bool = false;
    const READ: &'static Reaction = &READ;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn backlog_size(&self) -> usize {
        0
    }

    fn clear_backlog(&self) {}

    fn extra_info(this: &Obj<Self>, name: &Object) -> Result<Option<Object>> {
        this.known(name)
    }

    fn close(this: &Obj<Self>) -> Result<()> {
        if this.endpoint.closing.get() {
            return Ok(());
        }
        Self::force_close(this, None)
    }

    fn is_usual(error: &Object) -> Result<bool> {
        if !is_instance_of(error, &exceptions::os_error()) {
            return Ok(false);
        }
        let number = error.attr(&names().errno)?;
        Ok(!number.is_none() && number.to_i64()? == IO_ERROR)
    }

    fn describe(this: &Obj<Self>) -> Result<String> {
        let parts = Self::describe_pipe(this, |(reads, _)| reads)?;
        Ok(format!("<{}>", parts.join(" ")))
    }
}

impl Pipe for ReadPipeTransport {
    fn extra(&self) -> &Slot {
        &self.extra
    }
}

impl ReadPipeTransport {
    /// `read_pipe_transport(loop, pipe, protocol, waiter, extra)`.
    pub(in crate::transport) fn make(args: &Args<'_>) -> Result<Obj<Self>> {
        let this = Obj::create(Self::default());
        Self::set_up(&this, args)?;
        Ok(this)
    }

    fn read_ready(this: &Obj<Self>) -> Result<()> {
        let endpoint = &this.endpoint;
        let (Some(protocol), 0) = (endpoint.protocol.get(), endpoint.lost.get()) else {
            return Ok(());
        };
        let mut buffer = ReceiveBuffer::of(endpoint.event_loop()?);
        let fd = endpoint.descriptor.checked()?;
        let count = match with_descriptor(fd, |fd| socket::read(fd, &mut buffer)) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                drop(buffer);
                let message = "Fatal read error on pipe transport";
                return Self::fatal_error(this, &exception(&error), message);
            }
        };
        if count == 0 {
            drop(buffer);
            return Self::closed_by_peer(this, &protocol);
        }
        if let Some(methods) = endpoint.receiving.get().native() {
            return (methods.data_received)(&protocol, &buffer[..count]);
        }
        let data = Bytes::copy(&buffer[..count])?;
        drop(buffer);
        protocol
            .call_method(&names().data_received, [&data])
            .map(drop)
    }

    fn closed_by_peer(this: &Obj<Self>, protocol: &Object) -> Result<()> {
        Self::log_closed_by_peer(this)?;
        this.endpoint.closing.set(true);
        let event_loop = this.endpoint.event_loop()?;
        event_loop.remove_reader(this.endpoint.descriptor.number())?;
        let eof_received = protocol.attr(&names().eof_received)?;
        this.endpoint.call_soon(&event_loop, &eof_received, &[])?;
        Self::lose_soon(this, &event_loop, None)
    }
}

/// `asyncio.ReadTransport`.
pub(crate) struct Abstract;

impl PythonClass for Abstract {
    type Prefix = [Slot; 1];
    const MODULE: &'static std::ffi::CStr = c"asyncio.transports";
    const NAME: &'static std::ffi::CStr = c"ReadTransport";
}

impl Numbered for ReadPipeTransport {
    fn place(&self) -> &Place {
        &self.endpoint.place
    }
}

impl HotType for ReadPipeTransport {
    type Base = Derived<Abstract>;
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.ReadPipeTransport";
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The transport of the end of a pipe that is read from.")
            .getter(c"_paused", |this: &Obj<Self>| this.endpoint.paused.get());
        common::declare_reading(class);
        common::declare_life(class);
        super::declare(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.endpoint.traverse(visit);
        visit.slot(&self.extra);
    }

    fn clear(&self) {
        self.endpoint.clear();
        self.extra.set(None);
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.endpoint.descriptor.is_open()
    }

    fn finalize(this: &Obj<Self>) {
        Self::forgotten(this);
    }
}
