//! `SSLProtocol`: the native base of `roundel`'s TLS protocol, through which every byte of a TLS connection goes.
//!
//! ```text
//!   transport ──received──▶ incoming BIO ──SSL_read──▶ data_received ──▶ the program's protocol
//!   transport ◀──write───── outgoing BIO ◀─SSL_write── _write_data ◀──── the program's transport
//! ```
//!
//! What happens once in a connection's life (handshake, shutdown, time limits, errors) is asyncio's own code of the running
//! version, `asyncio.sslproto.SSLProtocol`, which is the other base. It keeps its state here, in properties with
//! asyncio's names, and calls the methods below by asyncio's names.
//!
//! - here: the state;
//! - `incoming`: what the peer has sent;
//! - `outgoing`: what the program sends.

mod incoming;
mod outgoing;

use std::cell::{Cell, OnceCell, RefCell};

use crate::hot::{
    Args, Class, HotType, Module, Obj, Object, Raised, Result, Session, Signature, Slot, Str,
    TypeCell, Visit, exceptions,
};
use crate::names::names;
use crate::transport::receiver::{self, Methods, Receiving};

static METHODS: Methods = Methods::of::<SslProtocol>();

/// Adds the type to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module.class::<SslProtocol>()?;
    receiver::register(&METHODS);
    Ok(())
}

/// What the session is about: the members of `asyncio.sslproto.SSLProtocolState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Unwrapped,
    Handshake,
    Wrapped,
    Flushing,
    Shutdown,
}

impl Phase {
    fn of(state: &Object) -> Result<Self> {
        Ok(match Str::of(&state.attr(&names().name)?)?.as_str() {
            "DO_HANDSHAKE" => Self::Handshake,
            "WRAPPED" => Self::Wrapped,
            "FLUSHING" => Self::Flushing,
            "SHUTDOWN" => Self::Shutdown,
            _ => Self::Unwrapped,
        })
    }
}

/// The native half of a TLS protocol.
#[derive(Default)]
pub(crate) struct SslProtocol {
    session: OnceCell<Session>,
    phase: Cell<Phase>,
    /// What `phase` was made of.
    state: Slot,
    /// The transport below; nothing before it is there and after it is lost.
    transport: Slot,
    /// The protocol above; nothing after the connection is lost.
    app_protocol: Slot,
    /// How that protocol is given what was decrypted, if it has no buffers of its own.
    app_receiving: Cell<Receiving>,
    /// That protocol has buffers of its own to be filled.
    app_protocol_is_buffered: Cell<bool>,
    /// The program wants no data for now.
    app_reading_paused: Cell<bool>,
    /// The program was asked to write nothing for now.
    app_writing_paused: Cell<bool>,
    /// The transport below was asked to read nothing for now.
    reading_paused: Cell<bool>,
    /// The transport below wants nothing written for now.
    writing_paused: Cell<bool>,
    /// How many bytes the program has written that could not be encrypted yet.
    backlog: Cell<i64>,
    outgoing_limits: Limits,
    incoming_limits: Limits,
    /// What transports fill that are not ours, made when the first one asks.
    buffer: Slot,
}

/// How much may wait before whoever sends is paused, and how little before it goes on.
#[derive(Debug, Default)]
struct Limits {
    high: Cell<i64>,
    low: Cell<i64>,
}

impl Limits {
    /// Whether it is time to pause or to go on, with so much waiting.
    fn wants_change(&self, waiting: usize, paused: bool) -> bool {
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        if paused {
            waiting <= self.low.get()
        } else {
            waiting >= self.high.get()
        }
    }
}

impl SslProtocol {
    /// Takes the session of an `_ssl._SSLSocket` over; false where that can't be done.
    fn attach(this: &Obj<Self>, args: &Args<'_>) -> Result<bool> {
        static SIGNATURE: Signature<3> =
            Signature::method("SSLProtocol._attach", [c"socket", c"incoming", c"outgoing"])
                .required(3);
        let [Some(socket), Some(incoming), Some(outgoing)] = SIGNATURE.bind(args)? else {
            return Err(unattached());
        };
        let session = Session::attach(socket, incoming, outgoing);
        Ok(session.is_some_and(|session| this.session.set(session).is_ok()))
    }

    fn session(&self) -> Result<&Session> {
        self.session.get().ok_or_else(unattached)
    }

    /// The transport below, or `None` as Python has it.
    fn transport(&self) -> Object {
        self.transport.get().unwrap_or_else(crate::hot::none)
    }

    /// The protocol above, or `None` as Python has it.
    fn app_protocol(&self) -> Object {
        self.app_protocol.get().unwrap_or_else(crate::hot::none)
    }

    /// Gives an exception to `_fatal_error`, except for those that are none of ours: `KeyboardInterrupt` and the like.
    fn give_up(this: &Obj<Self>, raised: Raised) -> Result<()> {
        if !raised.matches(&exceptions::exception()) {
            return Err(raised);
        }
        let (error, text) = (raised.fetch(), "Fatal error on SSL protocol");
        let text = crate::hot::IntoObject::into_object(text)?;
        this.as_any()
            .call_method(&names()._fatal_error, [&error, &text])?;
        Ok(())
    }
}

#[cold]
fn unattached() -> Raised {
    let text = "the TLS protocol has no session";
    Raised::new(&exceptions::runtime_error(), text)
}

thread_local! {
    /// Memory for what comes out of a session, used again and again.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The most that is kept of it between two uses.
const LARGEST_SCRATCH: usize = 256 * 1024;

/// Memory for what comes out of a session; whoever comes meanwhile gets other memory.
struct Scratch(Vec<u8>);

impl Scratch {
    fn new() -> Self {
        Self(SCRATCH.take())
    }

    /// Room for `more` bytes after the first `used`.
    fn room(&mut self, used: usize, more: usize) -> &mut [u8] {
        if self.0.len() < used + more {
            self.0.resize((used + more).next_power_of_two(), 0);
        }
        &mut self.0[used..]
    }

    fn filled(&self, used: usize) -> &[u8] {
        &self.0[..used]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut memory = std::mem::take(&mut self.0);
        memory.truncate(LARGEST_SCRATCH);
        memory.shrink_to(LARGEST_SCRATCH);
        SCRATCH.set(memory);
    }
}

impl HotType for SslProtocol {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.SSLProtocol";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"SSLProtocol()\n--\n\nThe native half of roundel's TLS protocol.")
            .init(|_: &Obj<Self>, _: &Args<'_>| Ok(()))
            .method(
                c"_attach",
                c"_attach($self, socket, incoming, outgoing, /)\n--\n\nTake the session of an _ssl._SSLSocket over; return False where that can't be done.",
                Self::attach,
            );
        incoming::declare(class);
        outgoing::declare(class);
        declare_connection(class);
        declare_flow_control(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        if let Some(session) = self.session.get() {
            session.traverse(visit);
        }
        for slot in [
            &self.state,
            &self.transport,
            &self.app_protocol,
            &self.buffer,
        ] {
            visit.slot(slot);
        }
    }

    fn clear(&self) {
        for slot in [
            &self.state,
            &self.transport,
            &self.app_protocol,
            &self.buffer,
        ] {
            slot.set(None);
        }
    }
}

fn declare_connection(class: &mut Class<SslProtocol>) {
    class
        .property(
            c"_state",
            |this: &Obj<SslProtocol>| this.state.get(),
            |this: &Obj<SslProtocol>, state: &Object| {
                this.phase.set(Phase::of(state)?);
                this.state.set(Some(state.clone()));
                Ok(())
            },
        )
        .property(
            c"_transport",
            |this: &Obj<SslProtocol>| this.transport.get(),
            |this: &Obj<SslProtocol>, transport: &Object| {
                this.transport.set(transport.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_app_protocol",
            |this: &Obj<SslProtocol>| this.app_protocol.get(),
            |this: &Obj<SslProtocol>, protocol: &Object| {
                this.app_receiving.set(Receiving::of(protocol)?);
                this.app_protocol.set(protocol.not_none().cloned());
                Ok(())
            },
        );
    flag(class, c"_app_protocol_is_buffer", |this| {
        &this.app_protocol_is_buffered
    });
}

fn declare_flow_control(class: &mut Class<SslProtocol>) {
    flag(class, c"_app_reading_paused", |this| {
        &this.app_reading_paused
    });
    flag(class, c"_app_writing_paused", |this| {
        &this.app_writing_paused
    });
    flag(class, c"_ssl_reading_paused", |this| &this.reading_paused);
    flag(class, c"_ssl_writing_paused", |this| &this.writing_paused);
    number(class, c"_write_buffer_size", |this| &this.backlog);
    number(class, c"_outgoing_high_water", |this| {
        &this.outgoing_limits.high
    });
    number(class, c"_outgoing_low_water", |this| {
        &this.outgoing_limits.low
    });
    number(class, c"_incoming_high_water", |this| {
        &this.incoming_limits.high
    });
    number(class, c"_incoming_low_water", |this| {
        &this.incoming_limits.low
    });
}

/// Declares a truth value under asyncio's name.
fn flag<F>(class: &mut Class<SslProtocol>, name: &'static std::ffi::CStr, cell: F)
where
    F: Fn(&SslProtocol) -> &Cell<bool> + Copy + 'static,
{
    class.property(
        name,
        move |this: &Obj<SslProtocol>| cell(this).get(),
        move |this: &Obj<SslProtocol>, value: &Object| {
            cell(this).set(value.truth()?);
            Ok(())
        },
    );
}

/// Declares a number under asyncio's name.
fn number<F>(class: &mut Class<SslProtocol>, name: &'static std::ffi::CStr, cell: F)
where
    F: Fn(&SslProtocol) -> &Cell<i64> + Copy + 'static,
{
    class.property(
        name,
        move |this: &Obj<SslProtocol>| cell(this).get(),
        move |this: &Obj<SslProtocol>, value: &Object| {
            cell(this).set(value.to_i64()?);
            Ok(())
        },
    );
}
