//! `WritePipeTransport`: the end of a pipe that is written to.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use roundel::socket;

use super::Pipe;
use crate::channel::Reaction;
use crate::handle::leaves_loop;
use crate::hot::{
    Args, Buffer, Bytes, Class, Derived, HotType, Numbered, Obj, Object, Place, Raised, Result,
    Signature, Slot, Str, TypeCell, Visit, exceptions, none,
};
use crate::transport::FlowControl;
use crate::transport::backlog::Backlog;
use crate::transport::common;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::{Endpoint, Transport};

const WRITE_FAILED: &str = "Fatal write error on pipe transport";

/// The transport of the end of a pipe that is written to.
#[derive(Default)]
pub(crate) struct WritePipeTransport {
    endpoint: Endpoint,
    backlog: Backlog,
    extra: Slot,
    /// The end of the reader is heard of: where that can be waited for, as with pipes and sockets.
    hears_of_end: Cell<bool>,
    /// How often was written after the end.
    in_vain: Cell<u32>,
}

static READ: Reaction = Reaction {
    name: "WritePipeTransport._read_ready",
    run: |transport, _| WritePipeTransport::closed_by_peer(transport.known()),
};

static WRITE: Reaction = Reaction {
    name: "WritePipeTransport._write_ready",
    run: |transport, _| WritePipeTransport::write_ready(transport.known()),
};

impl Transport for WritePipeTransport {
    const IS_SOCKET: bool = false;
    const READ: &'static Reaction = &READ;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn backlog_size(&self) -> usize {
        self.backlog.size()
    }

    fn clear_backlog(&self) {
        self.backlog.clear();
    }

    fn extra_info(this: &Obj<Self>, name: &Object) -> Result<Option<Object>> {
        this.known(name)
    }

    fn wants_reading(&self) -> bool {
        self.hears_of_end.get() && !self.endpoint.closing.get()
    }

    fn close(this: &Obj<Self>) -> Result<()> {
        Self::write_eof(this)
    }

    fn describe(this: &Obj<Self>) -> Result<String> {
        let mut parts = Self::describe_pipe(this, |(_, writes)| writes)?;
        if this.endpoint.descriptor.is_open() {
            parts.push(format!("bufsize={}", this.backlog.size()));
        }
        Ok(format!("<{}>", parts.join(" ")))
    }
}

impl Pipe for WritePipeTransport {
    fn extra(&self) -> &Slot {
        &self.extra
    }
}

impl WritePipeTransport {
    /// `write_pipe_transport(loop, pipe, protocol, waiter, extra)`, and the same of a pipe that can't be waited for until
    /// its reader has gone.
    pub(in crate::transport) fn make(args: &Args<'_>, hears_of_end: bool) -> Result<Obj<Self>> {
        let this = Obj::create(Self::default());
        this.hears_of_end.set(hears_of_end);
        Self::set_up(&this, args)?;
        Ok(this)
    }

    /// The reader has gone.
    fn closed_by_peer(this: &Obj<Self>) -> Result<()> {
        Self::log_closed_by_peer(this)?;
        if this.backlog.is_empty() {
            return Self::force_close(this, None);
        }
        let error = exceptions::broken_pipe_error().call([])?;
        Self::force_close(this, Some(&error))
    }

    /// `write(data)`.
    fn write(this: &Obj<Self>, data: &Object) -> Result<()> {
        let bytes = Bytes::read(data);
        if bytes.is_none() && !data.is_bytearray_or_memoryview() {
            let text = Str::repr(data)?;
            return Err(Raised::new(&exceptions::assertion_error(), text));
        }
        if !data.truth()? {
            return Ok(());
        }
        if this.in_vain.get() > 0 || this.endpoint.closing.get() {
            let text = "pipe closed by peer or os.write(pipe, data) raised exception.";
            return Endpoint::write_in_vain(&this.in_vain, text);
        }
        if let Some(bytes) = bytes {
            return match Self::write_now(this, |fd| socket::write(fd, bytes))? {
                Some(sent) if sent < bytes.len() => Self::keep(this, Bytes::of(data, bytes)?, sent),
                _ => Ok(()),
            };
        }
        let buffer = match Buffer::of(data) {
            Ok(buffer) => buffer,
            Err(raised) => return Self::broken(this, raised),
        };
        match Self::write_now(this, |fd| buffer.read(|bytes| socket::write(fd, bytes)))? {
            Some(sent) if sent < buffer.len() => {
                Self::keep(this, buffer.read(|bytes| Bytes::copy(&bytes[sent..]))?, 0)
            }
            _ => Ok(()),
        }
    }

    /// Writes what goes at once, if nothing waits; says how much, `None` if that has failed.
    fn write_now(
        this: &Obj<Self>,
        write: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Result<Option<usize>> {
        if !this.backlog.is_empty() {
            return Ok(Some(0));
        }
        match this.endpoint.tell_peer(write)? {
            Ok(sent) => Ok(Some(sent)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(0)),
            Err(error) => {
                Self::broken(this, Raised::throw(&exception(&error)))?;
                Ok(None)
            }
        }
    }

    /// Gives up because of what writing has raised.
    fn broken(this: &Obj<Self>, raised: Raised) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        this.in_vain.set(this.in_vain.get().saturating_add(1));
        Self::fatal_error(this, &raised.fetch(), WRITE_FAILED)
    }

    /// Keeps for later what has not been written of a `bytes` object.
    fn keep(this: &Obj<Self>, bytes: Object, sent: usize) -> Result<()> {
        if this.backlog.is_empty() {
            let event_loop = this.endpoint.event_loop()?;
            let channel = Self::channel(this, &WRITE)?;
            event_loop.when_writable(this.endpoint.descriptor.number(), channel)?;
        }
        this.backlog.push(bytes, sent);
        Self::pause_protocol(this)
    }

    /// Writes what waits. The protocol goes on when nothing does any more.
    fn write_ready(this: &Obj<Self>) -> Result<()> {
        if this.endpoint.lost.get() > 0 || this.backlog.is_empty() {
            return Ok(());
        }
        let write =
            |fd: BorrowedFd<'_>| this.backlog.send(|pieces| socket::write_pieces(fd, pieces));
        let written = this.endpoint.tell_peer(write)?;
        let event_loop = this.endpoint.event_loop()?;
        match written {
            Ok(()) if !this.backlog.is_empty() => return Ok(()),
            Ok(()) => {
                event_loop.remove_writer(this.endpoint.descriptor.number())?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                this.backlog.clear();
                event_loop.remove_writer(this.endpoint.descriptor.number())?;
                return Self::broken(this, Raised::throw(&exception(&error)));
            }
        }
        Self::resume_protocol(this)?; // which may write or close
        if this.endpoint.closing.get() && this.endpoint.lost.get() == 0 {
            event_loop.remove_reader(this.endpoint.descriptor.number())?;
            return Self::lose(this, &none());
        }
        Ok(())
    }

    /// `write_eof()`.
    fn write_eof(this: &Obj<Self>) -> Result<()> {
        if this.endpoint.closing.replace(true) || !this.backlog.is_empty() {
            return Ok(());
        }
        let Some(event_loop) = this.endpoint.event_loop.get() else {
            return Ok(());
        };
        event_loop.remove_reader(this.endpoint.descriptor.number())?;
        Self::lose_soon(this, &event_loop, None)
    }
}

impl Numbered for WritePipeTransport {
    fn place(&self) -> &Place {
        &self.endpoint.place
    }
}

impl HotType for WritePipeTransport {
    type Base = Derived<FlowControl>;
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.WritePipeTransport";
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The transport of the end of a pipe that is written to.")
            .method_of_one(
                c"write",
                c"write($self, /, data)\n--\n\nWrite bytes, without waiting until they are written.\n\nRaises:\n    AssertionError: the data are not bytes, a bytearray or a memoryview.",
                || const { &Signature::method("WritePipeTransport.write", [c"data"]) },
                Self::write,
            )
            .method0(
                c"write_eof",
                c"write_eof($self, /)\n--\n\nClose the pipe, once what was written has gone.",
                Self::write_eof,
            )
            .method0(
                c"can_write_eof",
                c"can_write_eof($self, /)\n--\n\nReturn True: there is write_eof().",
                |_: &Obj<Self>| true,
            );
        common::declare_limits(class);
        common::declare_life(class);
        common::declare_abort(class);
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
