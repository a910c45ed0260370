//! What all transports are made of: a loop, a protocol, a descriptor, and how they come to their end.

use std::cell::Cell;
use std::io;
use std::os::fd::BorrowedFd;

use super::clients;
use super::descriptor::Descriptor;
use super::limits::Limits;
use super::receiver::Receiving;
use crate::channel::{Channel, Reaction};
use crate::event_loop::EventLoop;
use crate::handle::{Handle, leaves_loop};
use crate::hot::{
    Args, HotType, IntoObject, Numbered, Obj, Object, Place, Raised, Result, Signature, Slot,
    Visit, copy_context, exceptions, is_instance_of, none, with_descriptor,
};
use crate::loop_ref::LoopRef;
use crate::names::names;

/// How often writing to a lost connection goes without a warning.
const SILENT_WRITES: u32 = 5;

/// What all transports have.
#[derive(Default)]
pub(crate) struct Endpoint {
    /// Until the connection was lost, like the protocol and the server.
    pub(super) event_loop: Slot<EventLoop>,
    pub(super) protocol: Slot,
    pub(super) receiving: Cell<Receiving>,
    pub(super) server: Slot,
    /// What the protocol is called in, from CPython 3.15 on: a context of the connection's.
    pub(super) context: Slot,
    pub(super) descriptor: Descriptor,
    pub(super) limits: Limits,
    /// `close()` was called, or something went wrong.
    pub(super) closing: Cell<bool>,
    /// `pause_reading()` was called.
    pub(super) paused: Cell<bool>,
    /// Where the loop knows it by its descriptor.
    pub(super) place: Place,
    /// Not 0 once `connection_lost()` is on its way; counts what is written after.
    pub(super) lost: Cell<u32>,
}

impl Endpoint {
    pub(super) fn set_protocol(&self, protocol: &Object) -> Result<()> {
        self.receiving.set(Receiving::of(protocol)?);
        self.protocol.set(Some(protocol.clone()));
        Ok(())
    }

    /// Makes a system call that the other end hears of.
    #[inline]
    pub(super) fn tell_peer<R>(
        &self,
        tell: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> Result<io::Result<R>> {
        let told = with_descriptor(self.descriptor.checked()?, tell);
        self.has_told_peer();
        Ok(told)
    }

    /// The other end may be our own loop's, and hears of it in the next turn then.
    #[inline]
    fn has_told_peer(&self) {
        if let Some(event_loop) = self.event_loop.get() {
            event_loop.poll_soon();
        }
    }

    /// The loop, until the connection was lost.
    pub(super) fn event_loop(&self) -> Result<Obj<EventLoop>> {
        self.event_loop
            .get()
            .ok_or_else(|| Raised::new(&exceptions::runtime_error(), "the transport is closed"))
    }

    /// The context to call the protocol in: that of the connection, or else a copy of the current one.
    fn context(&self) -> Result<Object> {
        match self.context.get() {
            Some(context) => Ok(context),
            None => copy_context(),
        }
    }

    /// `loop.call_soon(callback, *args)` in that context.
    pub(super) fn call_soon(
        &self,
        event_loop: &Obj<EventLoop>,
        callback: &Object,
        args: &[Object],
    ) -> Result<()> {
        LoopRef::of(event_loop.as_any()).call_soon(callback, args, &self.context()?)
    }

    /// Calls a method of the protocol.
    pub(super) fn tell<const N: usize>(&self, name: &Object, args: [&Object; N]) -> Result<Object> {
        match self.protocol.get() {
            Some(protocol) => protocol.call_method(name, args),
            None => Ok(none()),
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        !self.closing.get() && !self.paused.get()
    }

    /// Counts what is written after the connection was lost, and warns when it was often.
    pub(super) fn write_in_vain(count: &Cell<u32>, text: &str) -> Result<()> {
        if count.get() >= SILENT_WRITES {
            log("warning", &[text.into_object()?])?;
        }
        count.set(count.get().saturating_add(1));
        Ok(())
    }

    pub(super) fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.event_loop);
        visit.slot(&self.protocol);
        visit.slot(&self.server);
        visit.slot(&self.context);
        self.descriptor.traverse(visit);
    }

    pub(super) fn clear(&self) {
        self.place.leave();
        self.event_loop.set(None);
        self.protocol.set(None);
        self.server.set(None);
        self.context.set(None);
    }
}

/// Logs something with asyncio's logger.
pub(super) fn log(level: &str, args: &[Object]) -> Result<()> {
    let logger = names().base_events.attr(&names().logger)?;
    logger
        .attr(&level.into_object()?)?
        .call_slice(args)
        .map(drop)
}

/// A native transport.
pub(crate) trait Transport: HotType + Numbered {
    /// Whether it is of a socket: the operating system watches any of them.
    const IS_SOCKET: bool;
    /// Reading begins, when `connection_made()` has been called.
    const START: &'static Reaction = &Reaction {
        name: "Transport._add_reader",
        run: |transport, channel| Self::begin_reading(transport.known(), channel),
    };
    /// There is something to read.
    const READ: &'static Reaction;
    /// The connection has ended, for no reason.
    const LOSE: &'static Reaction = &Reaction {
        name: "Transport._call_connection_lost",
        run: |transport, _| Self::end(transport.known()),
    };

    /// What it has in common with others.
    fn endpoint(&self) -> &Endpoint;

    /// How many bytes wait to be sent.
    fn backlog_size(&self) -> usize;

    /// Forgets them.
    fn clear_backlog(&self);

    /// What is known of the connection under a name.
    fn extra_info(this: &Obj<Self>, name: &Object) -> Result<Option<Object>>;

    /// Sends what was put off, before anybody can tell.
    fn send_put_off(_: &Obj<Self>) -> Result<()> {
        Ok(())
    }

    /// What is left to do before the descriptor is closed.
    fn closes(&self) {}

    /// What is left to do after `connection_lost()` was called.
    fn gone(&self) -> Result<()> {
        Ok(())
    }

    /// Gives a new transport what it begins with.
    fn begin(
        this: &Obj<Self>,
        event_loop: &Obj<EventLoop>,
        protocol: &Object,
        descriptor: &Descriptor,
        server: Option<&Object>,
    ) -> Result<()> {
        let endpoint = this.endpoint();
        endpoint.descriptor.become_of(descriptor);
        endpoint.event_loop.set(Some(event_loop.clone()));
        endpoint.set_protocol(protocol)?;
        if let Some(server) = server {
            clients::attach(server, this.as_any())?;
            endpoint.server.set(Some(server.clone()));
        }
        event_loop.enter_transport(endpoint.descriptor.number(), this);
        Ok(())
    }

    /// A channel in the context of the connection.
    fn channel(this: &Obj<Self>, reaction: &'static Reaction) -> Result<Obj<Channel>> {
        Ok(Channel::within(this.endpoint().context()?, reaction, this))
    }

    /// Whether what can be read is of interest.
    fn wants_reading(&self) -> bool {
        self.endpoint().is_reading()
    }

    /// Begins to read, unless it was paused or closed before. The channel that says so goes on with it: nobody has
    /// changed its context.
    fn begin_reading(this: &Obj<Self>, channel: &Obj<Channel>) -> Result<()> {
        if !this.wants_reading() {
            return Ok(());
        }
        channel.go_on_with(Self::READ);
        let endpoint = this.endpoint();
        let (event_loop, fd) = (endpoint.event_loop()?, endpoint.descriptor.number());
        if Self::IS_SOCKET {
            event_loop.when_socket_readable(fd, channel.clone())
        } else {
            event_loop.when_readable(fd, channel.clone())
        }
    }

    /// Loses the connection for no reason.
    fn end(this: &Obj<Self>) -> Result<()> {
        let event_loop = this.endpoint().event_loop.get();
        Self::lose(this, &none()).or_else(|raised| Self::end_failed(this, event_loop, raised))
    }

    /// Reports what `connection_lost()` has raised, with a handle, as asyncio would have made for it.
    #[cold]
    fn end_failed(
        this: &Obj<Self>,
        event_loop: Option<Obj<EventLoop>>,
        raised: Raised,
    ) -> Result<()> {
        let Some(event_loop) = event_loop else {
            return Err(raised);
        };
        let exception = raised.fetch();
        let lose = this.as_any().attr(&names()._call_connection_lost)?;
        let handle = Handle::create(&event_loop, &lose, &[none()], None)?;
        Handle::failed(&handle, Raised::restore(exception))
    }

    /// `pause_reading()`.
    fn pause_reading(this: &Obj<Self>) -> Result<()> {
        let endpoint = this.endpoint();
        if !endpoint.is_reading() {
            return Ok(());
        }
        endpoint.paused.set(true);
        endpoint
            .event_loop()?
            .remove_reader(endpoint.descriptor.number())?;
        Self::debug(this, "%r pauses reading")
    }

    /// `resume_reading()`.
    fn resume_reading(this: &Obj<Self>) -> Result<()> {
        let endpoint = this.endpoint();
        if endpoint.closing.get() || !endpoint.paused.replace(false) {
            return Ok(());
        }
        Self::begin_reading(this, &Self::channel(this, Self::READ)?)?;
        Self::debug(this, "%r resumes reading")
    }

    /// Has the protocol told of the connection in the next turn, and reading begun then.
    fn start(
        this: &Obj<Self>,
        event_loop: &Obj<EventLoop>,
        protocol: &Object,
        waiter: Option<&Object>,
    ) -> Result<()> {
        let made = protocol.attr(&names().connection_made)?;
        let endpoint = this.endpoint();
        endpoint.call_soon(event_loop, &made, std::slice::from_ref(this.as_any()))?;
        event_loop.run_soon(Self::channel(this, Self::START)?)?;
        match waiter {
            None => Ok(()),
            Some(waiter) => {
                let set = &names().set_result_unless_cancelled;
                endpoint.call_soon(event_loop, set, &[waiter.clone(), none()])
            }
        }
    }

    /// In debug mode: logs a message that begins with the transport.
    fn debug(this: &Obj<Self>, text: &str) -> Result<()> {
        match this.endpoint().event_loop.get() {
            Some(event_loop) if event_loop.is_debug() => {
                log("debug", &[text.into_object()?, this.as_any().clone()])
            }
            _ => Ok(()),
        }
    }

    /// `close()`.
    fn close(this: &Obj<Self>) -> Result<()> {
        Self::send_put_off(this)?;
        let endpoint = this.endpoint();
        if endpoint.closing.replace(true) {
            return Ok(());
        }
        let Some(event_loop) = endpoint.event_loop.get() else {
            return Ok(());
        };
        event_loop.remove_reader(endpoint.descriptor.number())?;
        if this.backlog_size() > 0 {
            return Ok(());
        }
        event_loop.remove_writer(endpoint.descriptor.number())?;
        Self::lose_soon(this, &event_loop, None)
    }

    /// `_force_close(exception)`.
    fn force_close(this: &Obj<Self>, exception: Option<&Object>) -> Result<()> {
        Self::send_put_off(this)?;
        let endpoint = this.endpoint();
        let Some(event_loop) = endpoint.event_loop.get() else {
            return Ok(());
        };
        if endpoint.lost.get() > 0 {
            return Ok(());
        }
        if this.backlog_size() > 0 {
            this.clear_backlog();
            event_loop.remove_writer(endpoint.descriptor.number())?;
        }
        endpoint.closing.set(true);
        event_loop.remove_reader(endpoint.descriptor.number())?;
        Self::lose_soon(this, &event_loop, exception)
    }

    /// Has `_call_connection_lost(exception)` called in the next turn.
    fn lose_soon(
        this: &Obj<Self>,
        event_loop: &Obj<EventLoop>,
        exception: Option<&Object>,
    ) -> Result<()> {
        let endpoint = this.endpoint();
        endpoint.lost.set(endpoint.lost.get() + 1);
        // In debug mode it has a handle, which can be shown.
        let is_shown = event_loop.is_debug() || this.has_own(&names()._call_connection_lost);
        if exception.is_none() && !is_shown {
            return event_loop.run_soon(Self::channel(this, Self::LOSE)?);
        }
        let exception = exception.cloned().unwrap_or_else(none);
        let lose = this.as_any().attr(&names()._call_connection_lost)?;
        endpoint.call_soon(event_loop, &lose, &[exception])
    }

    /// `_call_connection_lost(exception)`: tells the protocol, then closes the descriptor.
    fn lose(this: &Obj<Self>, exception: &Object) -> Result<()> {
        let endpoint = this.endpoint();
        endpoint.lost.set(endpoint.lost.get().max(1));
        let told = endpoint.tell(&names().connection_lost, [exception]);
        let told = told.map_err(Raised::fetch);
        this.closes();
        endpoint.place.leave();
        let closed = endpoint.descriptor.close().map_err(Raised::fetch);
        endpoint.has_told_peer();
        endpoint.protocol.set(None);
        endpoint.event_loop.set(None);
        endpoint.context.set(None);
        let detached = Self::detach(this).map_err(Raised::fetch);
        for failed in [told.map(drop), closed, detached] {
            failed.map_err(Raised::restore)?;
        }
        this.gone()
    }

    /// Tells the server that the connection is no more.
    fn detach(this: &Obj<Self>) -> Result<()> {
        match this.endpoint().server.take() {
            Some(server) => clients::detach(&server, this.as_any()),
            None => Ok(()),
        }
    }

    /// `_fatal_error(exception, message)`: reports what is not the peer's or the network's doing, and gives up.
    fn fatal_error(this: &Obj<Self>, exception: &Object, message: &str) -> Result<()> {
        let endpoint = this.endpoint();
        let Some(event_loop) = endpoint.event_loop.get() else {
            return Ok(());
        };
        if Self::is_usual(exception)? {
            if event_loop.is_debug() {
                let logger = names().base_events.attr(&names().logger)?;
                let text = "%r: %s".into_object()?;
                let args = [
                    text,
                    this.as_any().clone(),
                    message.into_object()?,
                    exception.clone(),
                ];
                logger
                    .attr(&names().debug)?
                    .call_keywords(&args, &names().kw_exc_info)?;
            }
        } else {
            Self::report(this, &event_loop, exception, message)?;
        }
        Self::force_close(this, Some(exception))
    }

    /// Whether an exception is the peer's or the network's doing.
    fn is_usual(exception: &Object) -> Result<bool> {
        Ok(is_instance_of(exception, &exceptions::os_error()))
    }

    /// What to do with what a call of the protocol has raised: it is fatal, or ends the loop.
    fn failed(this: &Obj<Self>, raised: Raised, message: &str) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        Self::fatal_error(this, &raised.fetch(), message)
    }

    /// Tells the loop's exception handler.
    fn report(
        this: &Obj<Self>,
        event_loop: &Obj<EventLoop>,
        exception: &Object,
        message: &str,
    ) -> Result<()> {
        let context = Object::new_dict()?;
        let protocol = this.endpoint().protocol.get().unwrap_or_else(none);
        context.dict_set(&"message".into_object()?, &message.into_object()?)?;
        context.dict_set(&"exception".into_object()?, exception)?;
        context.dict_set(&"transport".into_object()?, this.as_any())?;
        context.dict_set(&"protocol".into_object()?, &protocol)?;
        event_loop
            .as_any()
            .call_method(&names().call_exception_handler, [&context])
            .map(drop)
    }

    /// `get_write_buffer_size()`, which may have been replaced.
    #[inline]
    fn write_buffer_size(this: &Obj<Self>) -> Result<usize> {
        let name = &names().get_write_buffer_size;
        if this.has_own(name) {
            let size = this.as_any().call_method(name, [])?.to_i64()?;
            return Ok(usize::try_from(size).unwrap_or(0));
        }
        Ok(this.backlog_size())
    }

    /// Tells the protocol to write no more, if too much waits.
    #[inline]
    fn pause_protocol(this: &Obj<Self>) -> Result<()> {
        let endpoint = this.endpoint();
        if !endpoint.limits.pauses(Self::write_buffer_size(this)?) {
            return Ok(());
        }
        let told = endpoint.tell(&names().pause_writing, []).map(drop);
        Self::flow_told(this, told, "protocol.pause_writing() failed")
    }

    /// Tells the protocol that it may write again, if little waits.
    #[inline]
    fn resume_protocol(this: &Obj<Self>) -> Result<()> {
        let endpoint = this.endpoint();
        if !endpoint.limits.is_paused() || !endpoint.limits.resumes(Self::write_buffer_size(this)?)
        {
            return Ok(());
        }
        let told = endpoint.tell(&names().resume_writing, []).map(drop);
        Self::flow_told(this, told, "protocol.resume_writing() failed")
    }

    /// A protocol that fails here is reported; the connection goes on.
    fn flow_told(this: &Obj<Self>, told: Result<()>, message: &str) -> Result<()> {
        match told {
            Ok(()) => Ok(()),
            Err(raised) if leaves_loop(&raised) => Err(raised),
            Err(raised) => {
                let exception = raised.fetch();
                match this.endpoint().event_loop.get() {
                    Some(event_loop) => Self::report(this, &event_loop, &exception, message),
                    None => Ok(()),
                }
            }
        }
    }

    /// What `__repr__` says.
    fn describe(this: &Obj<Self>) -> Result<String> {
        let endpoint = this.endpoint();
        let mut parts = vec![this.as_any().type_name()?];
        if !endpoint.descriptor.is_open() {
            parts.push(String::from("closed"));
        } else if endpoint.closing.get() {
            parts.push(String::from("closing"));
        }
        let fd = endpoint.descriptor.number();
        parts.push(format!("fd={fd}"));
        if let Some(event_loop) = endpoint.event_loop.get()
            && let Some((reads, writes)) = event_loop.polls(fd)
        {
            let state = |polls| if polls { "polling" } else { "idle" };
            let size = this.backlog_size();
            parts.push(format!("read={}", state(reads)));
            parts.push(format!("write=<{}, bufsize={size}>", state(writes)));
        }
        Ok(format!("<{}>", parts.join(" ")))
    }

    /// What `__del__` does: a transport should have been closed before.
    fn forgotten(this: &Obj<Self>) {
        // One after the other: nothing may be called while an exception is set.
        let report = |result: Result<()>| {
            if let Err(raised) = result {
                raised.unraisable(this.as_any());
            }
        };
        report(Self::describe(this).and_then(|repr| {
            let text = format!("unclosed transport {repr}").into_object()?;
            let args = [text, exceptions::resource_warning(), this.as_any().clone()];
            names()
                .warn
                .call_keywords(&args, &names().kw_source)
                .map(drop)
        }));
        report(this.endpoint().descriptor.close());
        report(Self::detach(this));
    }
}

/// `native_transport(loop, fd)`.
pub(super) fn native_transport(args: &Args<'_>) -> Result<Option<Object>> {
    static SIGNATURE: Signature<2> = Signature::function("native_transport", [c"loop", c"fd"]);
    let [event_loop, fd] = SIGNATURE.bind(args)?;
    let native = event_loop.and_then(|object| object.downcast::<EventLoop>());
    let (Some(event_loop), Some(fd)) = (native, fd) else {
        return Ok(None);
    };
    let fd = i32::try_from(fd.to_i64()?);
    Ok(fd.ok().and_then(|fd| event_loop.transport(fd)))
}
