//! `Listener`: accepts the connections of a server and makes their transports.
//!
//! As on asyncio, a connection that is accepted in one turn has its protocol made in the next one and hears of it in
//! the one after that; there is no task for it.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use roundel::socket::{self, Address};

use super::address::to_python;
use super::descriptor::{Descriptor, exception};
use super::endpoint::log;
use super::stream::StreamTransport;
use crate::channel::{Channel, Reaction};
use crate::event_loop::{EventLoop, descriptor};
use crate::handle::leaves_loop;
use crate::hot::{
    Args, Class, Deque, HotType, IntoObject, Obj, Object, Raised, Result, Signature, Slot,
    TypeCell, Visit, copy_of, exceptions, none, with_descriptor,
};
use crate::names::names;

static ACCEPT: Reaction = Reaction {
    name: "Listener._accept_connection",
    run: |listener, _| Listener::accept_all(listener.known()),
};

static OPEN: Reaction = Reaction {
    name: "Listener._open_connection",
    run: |listener, _| Listener::open_next(listener.known()),
};

/// A socket that is listened on.
pub(crate) struct Listener {
    event_loop: Slot<EventLoop>,
    socket: Slot,
    protocol_factory: Slot,
    server: Slot,
    /// Each connection has a copy of it, from CPython 3.15 on.
    context: Slot,
    descriptor: Descriptor,
    /// How many connections are accepted at a time.
    backlog: Cell<usize>,
    accepted: Deque<Accepted>,
    /// Whether connections send small pieces at once from the start; not known before the first.
    inherits: Cell<Option<bool>>,
}

/// A connection that waits for its protocol.
pub(super) struct Accepted {
    pub(super) connection: OwnedFd,
    pub(super) peer: Option<Address>,
    pub(super) context: Option<Object>,
}

impl Listener {
    /// `serve(loop, sock, protocol_factory, server, backlog, context)`: accepts what comes, until the socket is not watched any more.
    pub(super) fn serve(args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<6> = Signature::function(
            "serve",
            [
                c"loop",
                c"sock",
                c"protocol_factory",
                c"server",
                c"backlog",
                c"context",
            ],
        );
        let [event_loop, socket, factory, server, backlog, context] = SIGNATURE.bind(args)?;
        let (Some(socket), Some(backlog)) = (socket, backlog) else {
            return Ok(());
        };
        let Some(event_loop) = event_loop.and_then(|object| object.downcast::<EventLoop>()) else {
            let text = "a native listener needs a native loop";
            return Err(Raised::new(&exceptions::type_error(), text));
        };
        descriptor(socket)?; // what is none is refused in asyncio's words
        let this = Obj::create(Self {
            event_loop: Slot::new(Some(event_loop.clone())),
            socket: Slot::new(Some(socket.clone())),
            protocol_factory: Slot::new(factory.cloned()),
            server: Slot::new(server.and_then(Object::not_none).cloned()),
            context: Slot::new(context.and_then(Object::not_none).cloned()),
            descriptor: Descriptor::of(socket)?,
            backlog: Cell::new(usize::try_from(backlog.to_i64()?).unwrap_or(0)),
            accepted: Deque::new(),
            inherits: Cell::new(None),
        });
        if cfg!(target_os = "linux") {
            this.send_at_once()?;
        }
        let channel = Channel::create(&ACCEPT, &this)?;
        event_loop.when_readable(this.descriptor.number(), channel)
    }

    /// Accepts what has come, and has it opened in the next turn.
    fn accept_all(this: &Obj<Self>) -> Result<()> {
        let Some(event_loop) = this.event_loop.get() else {
            return Ok(());
        };
        // From 3.14 on asyncio asks once more than there can be connections.
        let more = usize::from(cfg!(Py_3_14));
        let mut fd = this.descriptor.checked()?;
        for nth in 0..this.backlog.get().saturating_add(more) {
            if nth > 0 {
                if !with_descriptor(fd, |fd| socket::is_readable(fd)).unwrap_or(true) {
                    return Ok(());
                }
                fd = this.descriptor.checked()?;
            }
            match with_descriptor(fd, |fd| socket::accept(fd)) {
                Ok((connection, peer)) => {
                    if event_loop.is_debug() {
                        this.log_accepted(peer.as_ref())?;
                    }
                    Self::open_soon(this, &event_loop, connection, peer)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It has gone before it was accepted; others may have come.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) if socket::is_out_of_resources(&error) => {
                    return this.back_off(&event_loop, &error);
                }
                Err(error) => return Err(Raised::throw(&exception(&error))),
            }
        }
        Ok(())
    }

    /// Has the listener send small pieces at once, which its connections inherit on Linux: a call less for each.
    fn send_at_once(&self) -> Result<()> {
        // Of no effect on sockets that are not of TCP.
        drop(with_descriptor(self.descriptor.checked()?, |fd| {
            socket::send_at_once(fd)
        }));
        Ok(())
    }

    /// Has a connection send small pieces at once, as asyncio does.
    fn have_sent_at_once(&self, connection: &OwnedFd) {
        let inherits = self.inherits.get().unwrap_or_else(|| {
            let inherits = socket::sends_at_once(connection).unwrap_or(false);
            self.inherits.set(Some(inherits));
            inherits
        });
        if !inherits {
            // Of a connection that is gone already; it will be found out by reading.
            drop(socket::send_at_once(connection));
        }
    }

    /// Has protocol and transport made in the next turn.
    fn open_soon(
        this: &Obj<Self>,
        event_loop: &Obj<EventLoop>,
        connection: OwnedFd,
        peer: Option<Address>,
    ) -> Result<()> {
        if let Some(Address::Internet(_)) = peer {
            this.have_sent_at_once(&connection);
        }
        let context = this.context.get().map(|all| copy_of(&all)).transpose()?;
        let channel = match &context {
            Some(own) => Channel::within(own.clone(), &OPEN, this),
            None => Channel::create(&OPEN, this)?,
        };
        this.accepted.push_back(Accepted {
            connection,
            peer,
            context,
        });
        event_loop.run_soon(channel)
    }

    #[cold]
    fn log_accepted(&self, peer: Option<&Address>) -> Result<()> {
        let peer = peer.map(to_python).transpose()?.flatten();
        let text = "%r got a new connection from %r".into_object()?;
        let server = self.server.get().unwrap_or_else(none);
        log("debug", &[text, server, peer.unwrap_or_else(none)])
    }

    /// Reports that the system has not enough of something, and tries again after a while.
    #[cold]
    fn back_off(&self, event_loop: &Obj<EventLoop>, error: &io::Error) -> Result<()> {
        let Some(socket) = self.socket.get() else {
            return Ok(());
        };
        let context = Object::new_dict()?;
        let message = "socket.accept() out of system resource".into_object()?;
        context.dict_set(&"message".into_object()?, &message)?;
        context.dict_set(&"exception".into_object()?, &exception(error))?;
        let shown = names().transport_socket.call([&socket])?;
        context.dict_set(&names().socket, &shown)?;
        let event_loop_object = event_loop.as_any();
        event_loop_object.call_method(&names().call_exception_handler, [&context])?;
        event_loop.remove_reader(self.descriptor.number())?;
        let factory = self.protocol_factory.get().unwrap_or_else(none);
        let server = self.server.get().unwrap_or_else(none);
        let backlog = self.backlog.get().into_object()?;
        let context = self.context.get().unwrap_or_else(none);
        event_loop_object
            .call_method(
                &names()._serve_later,
                [&factory, &socket, &server, &backlog, &context],
            )
            .map(drop)
    }

    /// Makes the protocol and the transport of the connection that has waited the longest.
    fn open_next(this: &Obj<Self>) -> Result<()> {
        let (Some(event_loop), Some(accepted), Some(factory)) = (
            this.event_loop.get(),
            this.accepted.pop_front(),
            this.protocol_factory.get(),
        ) else {
            return Ok(());
        };
        let protocol = match factory.call([]) {
            Ok(protocol) => protocol,
            Err(raised) => return Self::failed(&event_loop, raised, None),
        };
        let server = this.server.get();
        StreamTransport::accepted(&event_loop, accepted, &protocol, server.as_ref())
            .or_else(|raised| Self::failed(&event_loop, raised, Some(&protocol)))
    }

    /// In debug mode: reports a connection that came to nothing.
    #[cold]
    fn failed(
        event_loop: &Obj<EventLoop>,
        raised: Raised,
        protocol: Option<&Object>,
    ) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        let exception = raised.fetch();
        if !event_loop.is_debug() {
            return Ok(());
        }
        let context = Object::new_dict()?;
        let message = "Error on transport creation for incoming connection".into_object()?;
        context.dict_set(&"message".into_object()?, &message)?;
        context.dict_set(&"exception".into_object()?, &exception)?;
        if let Some(protocol) = protocol {
            context.dict_set(&"protocol".into_object()?, protocol)?;
        }
        event_loop
            .as_any()
            .call_method(&names().call_exception_handler, [&context])
            .map(drop)
    }
}

impl HotType for Listener {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Listener";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(_: &mut Class<Self>) {}

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.event_loop);
        visit.slot(&self.socket);
        visit.slot(&self.protocol_factory);
        visit.slot(&self.server);
        visit.slot(&self.context);
        self.descriptor.traverse(visit);
        self.accepted.traverse(visit, |accepted, visit| {
            if let Some(context) = &accepted.context {
                visit.object(context);
            }
        });
    }

    fn clear(&self) {
        self.event_loop.set(None);
        self.protocol_factory.set(None);
        self.server.set(None);
        self.context.set(None);
        drop(self.accepted.take());
    }
}
