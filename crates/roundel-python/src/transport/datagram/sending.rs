//! Sending: at once if nothing waits, else when the operating system takes more.

use std::io::{self, ErrorKind};

use roundel::socket;

use super::DatagramTransport;
use crate::channel::Reaction;
use crate::handle::leaves_loop;
use crate::hot::{
    Args, Buffer, Bytes, Obj, Object, Raised, Result, Signature, Str, exceptions, is_instance_of,
    none,
};
use crate::names::names;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::{Endpoint, Transport};

static WRITE: Reaction = Reaction {
    name: "DatagramTransport._sendto_ready",
    run: |transport, _| DatagramTransport::send_waiting(transport.known()),
};

const WRITE_FAILED: &str = "Fatal write error on datagram transport";

/// What a datagram that waits counts for beside its bytes.
const HEADER: usize = if cfg!(Py_3_13) { 8 } else { 0 };

/// What sending came to.
enum Sent {
    Done,
    Later,
    /// It failed, and the protocol or the transport knows.
    Failed,
}

impl DatagramTransport {
    /// `sendto(data, addr=None)`.
    pub(super) fn send_to(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> =
            Signature::method("DatagramTransport.sendto", [c"data", c"addr"]).required(1);
        let [data, address] = SIGNATURE.bind(args)?;
        let (Some(data), address) = (data, address.cloned().unwrap_or_else(none)) else {
            return Ok(());
        };
        let data = if let Some(bytes) = Bytes::read(data) {
            Bytes::of(data, bytes)?
        } else if data.is_bytearray_or_memoryview() {
            Buffer::of(data)?.read(Bytes::copy)?
        } else {
            let name = data.type_name()?;
            let text = format!("data argument must be a bytes-like object, not '{name}'");
            return Err(Raised::new(&exceptions::type_error(), text));
        };
        if cfg!(not(Py_3_13)) && Bytes::read(&data).is_none_or(<[u8]>::is_empty) {
            return Ok(());
        }
        let address = this.check_address(address)?;
        if this.endpoint.lost.get() > 0
            && (this.address.is_set() || !this.endpoint.descriptor.is_open())
        {
            return Endpoint::write_in_vain(&this.endpoint.lost, "socket.send() raised exception.");
        }
        Self::send_or_keep(this, data, address)
    }

    /// Where a datagram goes; raises `ValueError` if there is one place only and it is another one.
    fn check_address(&self, address: Object) -> Result<Object> {
        let Some(only) = self.address.get() else {
            return Ok(address);
        };
        if !address.is_none() && !address.equals(&only)? {
            let text = format!("Invalid address: must be None or {}", Str::of(&only)?);
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        Ok(only)
    }

    fn send_or_keep(this: &Obj<Self>, data: Object, address: Object) -> Result<()> {
        if this.backlog.is_empty() {
            match Self::send(this, &data, &address)? {
                Sent::Done | Sent::Failed => return Ok(()),
                Sent::Later => {
                    let channel = Self::channel(this, &WRITE)?;
                    let fd = this.endpoint.descriptor.number();
                    this.endpoint.event_loop()?.when_writable(fd, channel)?;
                }
            }
        }
        this.size.set(this.size.get() + weight(&data));
        this.backlog.push_back((data, address));
        Self::pause_protocol(this)
    }

    /// Sends one datagram.
    fn send(this: &Obj<Self>, data: &Object, address: &Object) -> Result<Sent> {
        let bytes = Bytes::read(data).unwrap_or_default();
        let sent = if this.connected.get() {
            this.endpoint.tell_peer(|fd| socket::send(fd, bytes))?
        } else if let Some(target) = this.target(address)? {
            this.endpoint
                .tell_peer(|fd| socket::send_to(fd, bytes, &target))?
        } else {
            return Self::send_by_python(this, data, address);
        };
        match sent {
            Ok(_) => Ok(Sent::Done),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Sent::Later),
            Err(error) => Self::send_failed(this, &error),
        }
    }

    #[cold]
    fn send_failed(this: &Obj<Self>, error: &io::Error) -> Result<Sent> {
        this.endpoint
            .tell(&names().error_received, [&exception(error)])?;
        Ok(Sent::Failed)
    }

    /// Has the Python socket send to an address that it alone understands.
    #[cold]
    fn send_by_python(this: &Obj<Self>, data: &Object, address: &Object) -> Result<Sent> {
        let Some(socket) = this.endpoint.descriptor.socket()? else {
            return Ok(Sent::Failed);
        };
        let raised = match socket.call_method(&names().sendto, [data, address]) {
            Ok(_) => return Ok(Sent::Done),
            Err(raised) if leaves_loop(&raised) => return Err(raised),
            Err(raised) => raised.fetch(),
        };
        let later = [
            exceptions::blocking_io_error(),
            exceptions::interrupted_error(),
        ];
        if later.iter().any(|kind| is_instance_of(&raised, kind)) {
            return Ok(Sent::Later);
        }
        if is_instance_of(&raised, &exceptions::os_error()) {
            this.endpoint.tell(&names().error_received, [&raised])?;
        } else {
            Self::fatal_error(this, &raised, WRITE_FAILED)?;
        }
        Ok(Sent::Failed)
    }

    /// Sends what waits.
    fn send_waiting(this: &Obj<Self>) -> Result<()> {
        while let Some((data, address)) = this.backlog.pop_front() {
            this.size.set(this.size.get() - weight(&data));
            match Self::send(this, &data, &address)? {
                Sent::Done => {}
                Sent::Failed => return Self::go_on_later(this),
                Sent::Later => {
                    this.size.set(this.size.get() + weight(&data));
                    this.backlog.push_front((data, address));
                    break;
                }
            }
        }
        Self::resume_protocol(this)?; // which may send
        Self::finish(this)
    }

    /// After a failure: what waits goes on with the next event, if anything does.
    fn go_on_later(this: &Obj<Self>) -> Result<()> {
        if this.backlog.is_empty() {
            Self::resume_protocol(this)?;
        }
        Self::finish(this)
    }

    /// Does what was put off until all would be sent, if it is.
    fn finish(this: &Obj<Self>) -> Result<()> {
        if !this.backlog.is_empty() || this.endpoint.lost.get() > 0 {
            return Ok(());
        }
        let Some(event_loop) = this.endpoint.event_loop.get() else {
            return Ok(());
        };
        event_loop.remove_writer(this.endpoint.descriptor.number())?;
        if this.endpoint.closing.get() {
            return Self::lose(this, &none());
        }
        Ok(())
    }
}

fn weight(data: &Object) -> usize {
    Bytes::read(data).map_or(0, <[u8]>::len) + HEADER
}
