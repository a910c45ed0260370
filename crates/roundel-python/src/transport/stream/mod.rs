//! `StreamTransport`: the transport of a TCP or Unix connection.
//!
//! - here: the state, the beginning and the end;
//! - `reading`: what comes in;
//! - `writing`: what goes out;
//! - `extra`: what is known of the connection;
//! - `class`: what Python sees.

mod class;
mod extra;
mod reading;
mod writing;

pub(super) use class::FlowControl;

use std::cell::Cell;

use extra::Extra;

use super::backlog::Backlog;
use super::descriptor::Descriptor;
use super::endpoint::{Endpoint, Transport};
use super::listener::Accepted;
use crate::channel::Reaction;
use crate::event_loop::EventLoop;
use crate::hot::{
    Args, IntoObject, Link, Obj, Object, Raised, Result, Signature, Slot, exceptions, none,
};
use crate::names::names;

/// The transport of a TCP or Unix connection.
#[derive(Default)]
pub(crate) struct StreamTransport {
    endpoint: Endpoint,
    backlog: Backlog,
    extra: Extra,
    /// Its place among the connections of a server.
    pub(super) link: Link,
    /// How many calls have written what waits and was put off: the system has not been asked to take it.
    put_off: Cell<u32>,
    /// What is written in a turn goes together: it was written in several pieces, the last time.
    joins: Cell<bool>,
    /// `write_eof()` was called.
    eof: Cell<bool>,
    /// Much has come at once, the last time.
    receives_much: Cell<bool>,
    /// A future that is done when nothing waits to be sent, while a file is sent.
    empty_waiter: Slot,
}

impl Transport for StreamTransport {
    const IS_SOCKET: bool = true;
    const READ: &'static Reaction = &reading::READ;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn backlog_size(&self) -> usize {
        self.backlog.size()
    }

    fn clear_backlog(&self) {
        self.backlog.clear();
    }

    fn send_put_off(this: &Obj<Self>) -> Result<()> {
        Self::write_put_off(this)
    }

    fn extra_info(this: &Obj<Self>, name: &Object) -> Result<Option<Object>> {
        Self::write_put_off(this)?; // the socket may be asked for
        Self::find_extra(this, name)
    }

    fn closes(&self) {
        self.remember_local_name();
    }

    fn gone(&self) -> Result<()> {
        if !self.empty_waiter.is_set() {
            return Ok(());
        }
        let error = exceptions::connection_error()
            .call([&"Connection is closed by peer".into_object()?])?;
        self.settle_empty_waiter(Some(&error))
    }
}

impl StreamTransport {
    /// `is_closing()`.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.endpoint.closing.get()
    }

    /// `stream_transport(loop, sock, protocol, waiter, extra, server, context)`: for a socket that somebody else has made.
    pub(super) fn make(args: &Args<'_>) -> Result<Obj<Self>> {
        static SIGNATURE: Signature<7> = Signature::function(
            "stream_transport",
            [
                c"loop",
                c"sock",
                c"protocol",
                c"waiter",
                c"extra",
                c"server",
                c"context",
            ],
        );
        let given = SIGNATURE.bind(args)?;
        let [event_loop, socket, protocol, waiter, extra, server, context] =
            given.map(|given| given.cloned().unwrap_or_else(none));
        let Some(event_loop) = event_loop.downcast::<EventLoop>() else {
            let text = "a native transport needs a native loop";
            return Err(Raised::new(&exceptions::type_error(), text));
        };
        let this = Obj::create(Self::default());
        this.extra.give(extra.not_none().cloned());
        this.endpoint.context.set(context.not_none().cloned());
        let descriptor = Descriptor::of(&socket)?;
        Self::begin(&this, event_loop, &protocol, &descriptor, server.not_none())?;
        Self::start(&this, event_loop, &protocol, waiter.not_none())?;
        Ok(this)
    }

    /// Makes the transport of a connection that was accepted.
    pub(super) fn accepted(
        event_loop: &Obj<EventLoop>,
        accepted: Accepted,
        protocol: &Object,
        server: Option<&Object>,
    ) -> Result<()> {
        let Accepted {
            connection,
            peer,
            context,
        } = accepted;
        let this = Obj::create(Self::default());
        this.endpoint.context.set(context);
        this.extra.accepted_from(peer);
        let descriptor = Descriptor::owned(connection);
        let begun = Self::begin(&this, event_loop, protocol, &descriptor, server)
            .and_then(|()| Self::start(&this, event_loop, protocol, None));
        begun.or_else(|raised| {
            let exception = raised.fetch();
            this.endpoint.descriptor.close()?;
            Err(Raised::restore(exception))
        })
    }

    /// Settles the future of whoever waits for the backlog to be sent.
    fn settle_empty_waiter(&self, exception: Option<&Object>) -> Result<()> {
        let Some(waiter) = self.empty_waiter.get() else {
            return Ok(());
        };
        if waiter.call_method(&names().done, [])?.truth()? {
            return Ok(());
        }
        let settled = match exception {
            Some(exception) => waiter.call_method(&names().set_exception, [exception]),
            None => waiter.call_method(&names().set_result, [&none()]),
        };
        settled.map(drop)
    }

    /// `_make_empty_waiter()`.
    fn make_empty_waiter(this: &Obj<Self>) -> Result<Object> {
        if this.empty_waiter.is_set() {
            let text = "Empty waiter is already set";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        Self::write_put_off(this)?;
        let event_loop = this.endpoint.event_loop()?;
        let waiter = event_loop
            .as_any()
            .call_method(&names().create_future, [])?;
        this.empty_waiter.set(Some(waiter.clone()));
        if this.backlog.is_empty() {
            this.settle_empty_waiter(None)?;
        }
        Ok(waiter)
    }
}
