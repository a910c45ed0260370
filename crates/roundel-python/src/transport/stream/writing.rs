//! What goes out: at once as much as the operating system takes, the rest when it takes more.

use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use roundel::socket;

use super::StreamTransport;
use crate::channel::{Channel, Reaction};
use crate::event_loop::{EventLoop, os_error};
use crate::hot::{Buffer, Bytes, Obj, Object, Raised, Result, exceptions, none};
use crate::names::names;
use crate::transport::backlog::HANDFUL;
use crate::transport::descriptor::exception;
use crate::transport::endpoint::{Endpoint, Transport};

static WRITE: Reaction = Reaction {
    name: "StreamTransport._write_ready",
    run: |transport, _| StreamTransport::write_ready(transport.known()),
};

static WRITE_PUT_OFF: Reaction = Reaction {
    name: "StreamTransport._write_put_off",
    run: |transport, _| StreamTransport::write_put_off(transport.known()),
};

const WRITE_FAILED: &str = "Fatal write error on socket transport";

/// What is to be sent.
trait Payload {
    /// Whether to keep it is to copy it.
    const IS_COPIED: bool;

    fn len(&self) -> usize;

    /// Lends the bytes to `f`, which must not run Python code.
    fn lend<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R;

    /// A `bytes` object with what is not among the first `sent` bytes, and how many bytes come before that in it.
    fn rest(&self, sent: usize) -> Result<(Object, usize)>;
}

/// A `bytes` object, and what it says.
impl Payload for (&Object, &[u8]) {
    const IS_COPIED: bool = false;

    fn len(&self) -> usize {
        self.1.len()
    }

    fn lend<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        f(self.1)
    }

    fn rest(&self, sent: usize) -> Result<(Object, usize)> {
        Ok((Bytes::of(self.0, self.1)?, sent))
    }
}

/// What the caller keeps.
impl Payload for &[u8] {
    const IS_COPIED: bool = true;

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn lend<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        f(self)
    }

    fn rest(&self, sent: usize) -> Result<(Object, usize)> {
        Ok((Bytes::copy(&self[sent..])?, 0))
    }
}

/// What can change later.
impl Payload for Buffer {
    const IS_COPIED: bool = true;

    fn len(&self) -> usize {
        Self::len(self)
    }

    fn lend<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        self.read(f)
    }

    fn rest(&self, sent: usize) -> Result<(Object, usize)> {
        Ok((self.read(|bytes| Bytes::copy(&bytes[sent..]))?, 0))
    }
}

impl StreamTransport {
    /// `write(data)`, to a peer that is ahead if it has sent more than was read.
    #[inline]
    pub(crate) fn write(this: &Obj<Self>, data: &Object, peer_is_ahead: bool) -> Result<()> {
        match Bytes::read(data) {
            Some(bytes) => Self::write_payload(this, &(data, bytes), peer_is_ahead),
            None => Self::write_buffer(this, data, peer_is_ahead),
        }
    }

    /// `write()` of what the caller keeps.
    #[inline]
    pub(crate) fn write_slice(this: &Obj<Self>, bytes: &[u8]) -> Result<()> {
        Self::write_payload(this, &bytes, false)
    }

    /// `write()` of what can change later.
    fn write_buffer(this: &Obj<Self>, data: &Object, peer_is_ahead: bool) -> Result<()> {
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
        match Buffer::of(data) {
            Ok(buffer) => Self::write_payload(this, &buffer, peer_is_ahead),
            Err(raised) => Self::failed(this, raised, WRITE_FAILED),
        }
    }

    #[inline]
    fn write_payload<P: Payload>(this: &Obj<Self>, payload: &P, peer_is_ahead: bool) -> Result<()> {
        let length = payload.len();
        let waits = (peer_is_ahead || this.joins.get() || this.put_off.get() > 0)
            && Self::can_wait(this, length, P::IS_COPIED)?;
        if !Self::may_write(this, "write", length == 0)? {
            return Ok(());
        }
        if waits {
            let (bytes, _) = payload.rest(0)?;
            return Self::put_off(this, [bytes], peer_is_ahead);
        }
        match Self::send_now(this, |fd| payload.lend(|bytes| socket::send(fd, bytes)))? {
            Some(sent) if sent < length => {
                let (bytes, sent) = payload.rest(sent)?;
                Self::keep(this, bytes, sent)
            }
            _ => Ok(()),
        }
    }

    /// Whether so many bytes are put off, if there is a reason to. Much is not, but goes with what was already.
    fn can_wait(this: &Obj<Self>, length: usize, is_copied: bool) -> Result<bool> {
        let is_much = length >= HANDFUL;
        if this.put_off.get() > 0 {
            return Ok(!(is_much && is_copied));
        }
        Ok(!is_much && Self::can_put_off(this)?)
    }

    /// Whether a turn will end that something can be put off to. One transport at a time does.
    fn can_put_off(this: &Obj<Self>) -> Result<bool> {
        let Some(event_loop) = this.endpoint.event_loop.get() else {
            return Ok(false);
        };
        if !event_loop.runs_here() {
            return Ok(false);
        }
        EventLoop::do_put_off(&event_loop)?; // of another one, which may put off something else
        Ok(!event_loop.puts_off() && this.backlog.is_empty())
    }

    /// Puts off what one call has written, unless it is to go at once, with all that was put off before.
    fn put_off(
        this: &Obj<Self>,
        pieces: impl IntoIterator<Item = Object>,
        peer_is_ahead: bool,
    ) -> Result<()> {
        let event_loop = this.endpoint.event_loop()?;
        event_loop.sends_again(this.endpoint.descriptor.number());
        let before = this.put_off.get();
        if before == 0 {
            event_loop.put_off(Some(Channel::create(&WRITE_PUT_OFF, this)?));
        }
        this.put_off.set(before + 1);
        for piece in pieces {
            this.backlog.push(piece, 0);
        }
        if (peer_is_ahead || this.joins.get()) && this.backlog.is_handful() {
            return Ok(());
        }
        Self::write_put_off(this)
    }

    /// Sends what was put off.
    #[inline]
    pub(crate) fn write_put_off(this: &Obj<Self>) -> Result<()> {
        match this.put_off.replace(0) {
            0 => return Ok(()),
            1 => this.joins.set(false), // for nothing
            _ => {}
        }
        this.endpoint.event_loop()?.put_off(None);
        Self::write_ready(this)?;
        if this.backlog.is_empty() {
            return Ok(());
        }
        Self::watch(this)?;
        Self::pause_protocol(this)
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
        match this.endpoint.tell_peer(send)? {
            Ok(sent) => {
                this.learn();
                Ok(Some(sent))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(0)),
            Err(error) => {
                Self::fatal_error(this, &exception(&error), WRITE_FAILED)?;
                Ok(None)
            }
        }
    }

    /// Joins what is written in a turn, from the next one on, if this was not the first that was sent in this one.
    #[inline]
    fn learn(&self) {
        if let Some(event_loop) = self.endpoint.event_loop.get()
            && event_loop.sends_again(self.endpoint.descriptor.number())
        {
            self.joins.set(true);
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
        let pieces = lines.to_vec()?;
        let pieces = pieces.iter().map(to_bytes).collect::<Result<Vec<_>>>()?;
        let length = pieces.iter().filter_map(Bytes::read).map(<[u8]>::len).sum();
        let waits =
            (this.joins.get() || this.put_off.get() > 0) && Self::can_wait(this, length, false)?;
        // Other people's code has run since it was asked whether anything is to be done.
        if this.endpoint.lost.get() > 0 {
            return Ok(());
        }
        if waits {
            return Self::put_off(this, pieces, false);
        }
        let watched = !this.backlog.is_empty();
        for piece in pieces {
            this.backlog.push(piece, 0);
        }
        if this.backlog.is_empty() {
            return Ok(());
        }
        this.learn();
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
        let send = |fd: BorrowedFd<'_>| this.backlog.send(|pieces| socket::send_pieces(fd, pieces));
        match this.endpoint.tell_peer(send)? {
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
        let ended = this.endpoint.tell_peer(|fd| socket::end_sending(fd))?;
        ended.map_err(|error| os_error(&error))
    }
}

/// A `bytes` object that says what a line does.
fn to_bytes(line: &Object) -> Result<Object> {
    match Bytes::read(line) {
        Some(bytes) => Bytes::of(line, bytes),
        None => Buffer::of(line)?.read(Bytes::copy),
    }
}
