//! What goes out: at once as much as the operating system takes, the rest when it takes more.

use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use roundel::socket;

use super::StreamTransport;
use crate::channel::{Channel, Reaction};
use crate::event_loop::{EventLoop, os_error};
use crate::hot::{Buffer, Bytes, Obj, Object, Raised, Result, exceptions, none, with_descriptor};
use crate::names::names;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::{Endpoint, Transport};

static WRITE: Reaction = Reaction {
    name: "StreamTransport._write_ready",
    run: |transport| StreamTransport::write_ready(transport.known()),
};

static WRITE_PUT_OFF: Reaction = Reaction {
    name: "StreamTransport._write_put_off",
    run: |transport| StreamTransport::write_put_off(transport.known()),
};

const WRITE_FAILED: &str = "Fatal write error on socket transport";

impl StreamTransport {
    /// `write(data)`.
    #[inline]
    pub(crate) fn write(this: &Obj<Self>, data: &Object) -> Result<()> {
        let Some(bytes) = Bytes::read(data) else {
            return Self::write_buffer(this, data);
        };
        if !Self::may_write(this, "write", bytes.is_empty())? {
            return Ok(());
        }
        match Self::send_now(this, |fd| socket::send(fd, bytes))? {
            Some(sent) if sent < bytes.len() => Self::keep(this, Bytes::of(data, bytes)?, sent),
            _ => Ok(()),
        }
    }

    /// `write()` to a peer that has sent more than was read yet: put off, as long as there is `more` and not much is.
    ///
    /// Such a peer does not wait for every answer, so that many can go with one system call.
    #[inline]
    pub(crate) fn write_later(this: &Obj<Self>, data: &Object, more: bool) -> Result<()> {
        let bytes = match Bytes::read(data) {
            Some(bytes) if this.puts_off.get() || (more && Self::may_put_off(this)?) => bytes,
            _ => return Self::write(this, data),
        };
        if !Self::may_write(this, "write", bytes.is_empty())? {
            return Ok(());
        }
        if !this.puts_off.get() {
            let channel = Channel::create(&WRITE_PUT_OFF, this)?;
            this.endpoint.event_loop()?.put_off(Some(channel));
            this.puts_off.set(true);
        }
        this.backlog.push(Bytes::of(data, bytes)?, 0);
        if more && this.backlog.is_handful() {
            return Ok(());
        }
        Self::write_put_off(this)
    }

    /// Whether a turn will end that something can be put off to. One transport at a time does.
    fn may_put_off(this: &Obj<Self>) -> Result<bool> {
        let Some(event_loop) = this.endpoint.event_loop.get() else {
            return Ok(false);
        };
        if !event_loop.runs_here() {
            return Ok(false);
        }
        EventLoop::do_put_off(&event_loop)?;
        Ok(this.backlog.is_empty())
    }

    /// Sends what was put off.
    #[inline]
    pub(crate) fn write_put_off(this: &Obj<Self>) -> Result<()> {
        if !this.puts_off.replace(false) {
            return Ok(());
        }
        this.endpoint.event_loop()?.put_off(None);
        Self::write_ready(this)?;
        if this.backlog.is_empty() {
            return Ok(());
        }
        Self::watch(this)?;
        Self::pause_protocol(this)
    }

    /// `write()` of what the caller keeps: what does not go at once is copied.
    #[inline]
    pub(crate) fn write_slice(this: &Obj<Self>, bytes: &[u8]) -> Result<()> {
        if !Self::may_write(this, "write", bytes.is_empty())? {
            return Ok(());
        }
        match Self::send_now(this, |fd| socket::send(fd, bytes))? {
            Some(sent) if sent < bytes.len() => Self::keep(this, Bytes::copy(&bytes[sent..])?, 0),
            _ => Ok(()),
        }
    }

    /// `write()` of what can change later.
    fn write_buffer(this: &Obj<Self>, data: &Object) -> Result<()> {
        if !data.is_bytearray_or_memoryview() {
            let name = data.type_name()?;
            let kinds = if cfg!(Py_3_14) {
                "bytes, bytearray, or memoryview"
            } else {
                "bytes-like"
            };
            let text = format!("data argument must be a {kinds} object, not '{name}'");
            return Err(Raised::new(&exceptions::type_error(), text));
        }
        let buffer = match Buffer::of(data) {
            Ok(buffer) => buffer,
            Err(raised) => return Self::failed(this, raised, WRITE_FAILED),
        };
        if !Self::may_write(this, "write", buffer.len() == 0)? {
            return Ok(());
        }
        match Self::send_now(this, |fd| buffer.read(|bytes| socket::send(fd, bytes)))? {
            Some(sent) if sent < buffer.len() => {
                Self::keep(this, buffer.read(|bytes| Bytes::copy(&bytes[sent..]))?, 0)
            }
            _ => Ok(()),
        }
    }

    /// Whether there is anything to be done for what is to be written.
    #[inline]
    fn may_write(this: &Obj<Self>, method: &str, nothing: bool) -> Result<bool> {
        if this.eof.get() {
            let text = format!("Cannot call {method}() after write_eof()");
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        if this.empty_waiter.is_set() {
            let text = format!("unable to {method}; sendfile is in progress");
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        if nothing {
            return Ok(false);
        }
        if this.endpoint.lost.get() > 0 {
            Endpoint::write_in_vain(&this.endpoint.lost, "socket.send() raised exception.")?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Has `send` send what goes at once, if nothing waits; says how much, `None` if sending has failed.
    #[inline]
    fn send_now(
        this: &Obj<Self>,
        send: impl FnOnce(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Result<Option<usize>> {
        if !this.backlog.is_empty() {
            Self::write_put_off(this)?;
            if this.endpoint.lost.get() > 0 {
                return Ok(None);
            }
            if !this.backlog.is_empty() {
                return Ok(Some(0));
            }
        }
        match with_descriptor(this.endpoint.descriptor.checked()?, send) {
            Ok(sent) => Ok(Some(sent)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(0)),
            Err(error) => {
                Self::fatal_error(this, &exception(&error), WRITE_FAILED)?;
                Ok(None)
            }
        }
    }

    /// Keeps for later what has not been sent of a `bytes` object.
    fn keep(this: &Obj<Self>, bytes: Object, sent: usize) -> Result<()> {
        if this.backlog.is_empty() {
            Self::watch(this)?;
        }
        this.backlog.push(bytes, sent);
        Self::pause_protocol(this)
    }

    fn watch(this: &Obj<Self>) -> Result<()> {
        let event_loop = this.endpoint.event_loop()?;
        let channel = Self::channel(this, &WRITE)?;
        event_loop.when_writable(this.endpoint.descriptor.number(), channel)
    }

    /// `writelines(list_of_data)`.
    pub(super) fn write_lines(this: &Obj<Self>, lines: &Object) -> Result<()> {
        // Before 3.12 asyncio joins the lines and writes them, and says so.
        let method = if cfg!(Py_3_12) { "writelines" } else { "write" };
        if cfg!(not(Py_3_12)) && this.has_own(&names().write) {
            let joined = Bytes::copy(&[])?.call_method(&names().join, [lines])?;
            return this
                .as_any()
                .call_method(&names().write, [&joined])
                .map(drop);
        }
        if !Self::may_write(this, method, !lines.truth()?)? {
            return Ok(());
        }
        Self::write_put_off(this)?;
        let watched = !this.backlog.is_empty();
        for line in lines.to_vec()? {
            let bytes = match Bytes::read(&line) {
                Some(bytes) => Bytes::of(&line, bytes)?,
                None => Buffer::of(&line)?.read(Bytes::copy)?,
            };
            this.backlog.push(bytes, 0);
        }
        if this.backlog.is_empty() {
            return Ok(());
        }
        Self::write_ready(this)?;
        if !watched && !this.backlog.is_empty() {
            Self::watch(this)?;
        }
        Self::pause_protocol(this)
    }

    /// Sends what waits.
    fn write_ready(this: &Obj<Self>) -> Result<()> {
        if this.endpoint.lost.get() > 0 || this.backlog.is_empty() {
            return Ok(());
        }
        let fd = this.endpoint.descriptor.checked()?;
        let send = |fd: BorrowedFd<'_>| this.backlog.send(|pieces| socket::send_pieces(fd, pieces));
        match with_descriptor(fd, send) {
            Ok(()) => Self::sent(this),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => {
                let error = exception(&error);
                let event_loop = this.endpoint.event_loop()?;
                event_loop.remove_writer(this.endpoint.descriptor.number())?;
                this.backlog.clear();
                Self::fatal_error(this, &error, WRITE_FAILED)?;
                this.settle_empty_waiter(Some(&error))
            }
        }
    }

    /// Does what was put off until all would be sent, if it is.
    fn sent(this: &Obj<Self>) -> Result<()> {
        Self::resume_protocol(this)?; // which may write
        if !this.backlog.is_empty() {
            return Ok(());
        }
        let Some(event_loop) = this.endpoint.event_loop.get() else {
            return Ok(());
        };
        event_loop.remove_writer(this.endpoint.descriptor.number())?;
        this.settle_empty_waiter(None)?;
        if this.endpoint.closing.get() {
            Self::lose(this, &none())
        } else if this.eof.get() {
            Self::end_sending(this)
        } else {
            Ok(())
        }
    }

    /// `write_eof()`.
    pub(super) fn write_eof(this: &Obj<Self>) -> Result<()> {
        Self::write_put_off(this)?;
        if this.endpoint.closing.get() || this.eof.replace(true) || !this.backlog.is_empty() {
            return Ok(());
        }
        Self::end_sending(this)
    }

    fn end_sending(this: &Obj<Self>) -> Result<()> {
        let fd = this.endpoint.descriptor.checked()?;
        with_descriptor(fd, |fd| socket::end_sending(fd)).map_err(|error| os_error(&error))
    }
}
