//! `StreamTransport`: the transport of a TCP or Unix connection.
//!
//! - here: the state, the beginning and the end;
//! - `reading`: what comes in;
//! - `writing`: what goes out;
//! - `class`: what Python sees.

mod class;
mod reading;
mod writing;

use std::cell::Cell;

use super::backlog::Backlog;
use super::descriptor::Descriptor;
use super::endpoint::{Endpoint, Transport, call_soon};
use crate::channel::{Channel, Reaction};
use crate::event_loop::EventLoop;
use crate::hot::{
    Args, IntoObject, Obj, Object, Raised, Result, Signature, Slot, exceptions, none,
};
use crate::names::names;

/// The transport of a TCP or Unix connection.
#[derive(Default)]
pub(crate) struct StreamTransport {
    endpoint: Endpoint,
    backlog: Backlog,
    /// What `get_extra_info()` knows.
    extra: Slot,
    /// `write_eof()` was called.
    eof: Cell<bool>,
    /// A future that is done when nothing waits to be sent, while a file is sent.
    empty_waiter: Slot,
}

/// Reading begins when `connection_made()` has been called.
static START: Reaction = Reaction {
    name: "StreamTransport._add_reader",
    run: |transport| StreamTransport::start_reading(transport.known()),
};

impl Transport for StreamTransport {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn backlog_size(&self) -> usize {
        self.backlog.size()
    }

    fn clear_backlog(&self) {
        self.backlog.clear();
    }

    fn gone(&self) -> Result<()> {
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

    /// `StreamTransport(loop, sock, protocol, waiter, extra, server)`: for a socket that somebody else has made.
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<6> = Signature::method(
            "StreamTransport.__init__",
            [
                c"loop",
                c"sock",
                c"protocol",
                c"waiter",
                c"extra",
                c"server",
            ],
        )
        .required(3);
        let [event_loop, socket, protocol, waiter, extra, server] = SIGNATURE.bind(args)?;
        let (Some(event_loop), Some(socket), Some(protocol)) = (event_loop, socket, protocol)
        else {
            return Ok(());
        };
        let Some(event_loop) = event_loop.downcast::<EventLoop>() else {
            let text = "a native transport needs a native loop";
            return Err(Raised::new(&exceptions::type_error(), text));
        };
        this.extra.set(extra.and_then(Object::not_none).cloned());
        let descriptor = Descriptor::of(socket)?;
        this.endpoint.begin(event_loop, protocol, &descriptor)?;
        if let Some(server) = server.and_then(Object::not_none) {
            Self::attach(this, server)?;
        }
        Self::start(
            this,
            event_loop,
            protocol,
            waiter.and_then(Object::not_none),
        )
    }

    /// Has the protocol told of the connection in the next turn, and reading begun then.
    fn start(
        this: &Obj<Self>,
        event_loop: &Obj<EventLoop>,
        protocol: &Object,
        waiter: Option<&Object>,
    ) -> Result<()> {
        let made = protocol.attr(&names().connection_made)?;
        call_soon(event_loop, &made, std::slice::from_ref(this.as_any()))?;
        event_loop.run_soon(Channel::create(&START, this)?)?;
        match waiter {
            None => Ok(()),
            Some(waiter) => {
                let set = &names().set_result_unless_cancelled;
                call_soon(event_loop, set, &[waiter.clone(), none()])
            }
        }
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
