//! Who gets what a stream transport receives: a protocol in Python, or a native one, which is called as Rust.

use std::sync::Mutex;

use crate::hot::{HotType, Obj, Object, Result};
use crate::names::names;

/// A native protocol.
///
/// Its methods may do what the protocol's methods in Python may do: close the transport, pause it, run Python code.
pub(crate) trait Receiver: HotType {
    /// Whether it can be called as Rust: nobody has replaced its methods.
    fn is_native(protocol: &Object) -> bool {
        protocol.downcast_exact::<Self>().is_some()
    }
    /// `data_received()`. The bytes lie in the loop's receive buffer: what is to stay has to be copied.
    fn data_received(this: &Obj<Self>, data: &[u8]) -> Result<()>;
    /// `eof_received()`; says whether the transport stays open.
    fn eof_received(this: &Obj<Self>) -> Result<bool>;
    /// `pause_writing()`.
    fn pause_writing(this: &Obj<Self>) -> Result<()>;
    /// `resume_writing()`.
    fn resume_writing(this: &Obj<Self>) -> Result<()>;
}

/// The methods of a native protocol.
pub(crate) struct Methods {
    is: fn(&Object) -> bool,
    pub(crate) data_received: fn(&Object, &[u8]) -> Result<()>,
    pub(super) eof_received: fn(&Object) -> Result<bool>,
    pub(super) pause_writing: fn(&Object) -> Result<()>,
    pub(super) resume_writing: fn(&Object) -> Result<()>,
}

impl Methods {
    /// Those of `R`, for a static.
    pub(crate) const fn of<R: Receiver>() -> Self {
        Self {
            is: R::is_native,
            data_received: |protocol, data| R::data_received(protocol.known(), data),
            eof_received: |protocol| R::eof_received(protocol.known()),
            pause_writing: |protocol| R::pause_writing(protocol.known()),
            resume_writing: |protocol| R::resume_writing(protocol.known()),
        }
    }
}

/// The native protocols there are.
static KNOWN: Mutex<Vec<&'static Methods>> = Mutex::new(Vec::new());

/// Has transports call a native protocol as Rust.
pub(crate) fn register(methods: &'static Methods) {
    if let Ok(mut known) = KNOWN.lock() {
        known.push(methods);
    }
}

/// How a protocol is given what was received.
#[derive(Clone, Copy, Default)]
pub(crate) enum Receiving {
    /// `data_received(data)`.
    #[default]
    Data,
    /// `get_buffer(-1)`, `buffer_updated(count)`.
    Buffer,
    /// As Rust.
    Native(&'static Methods),
}

impl Receiving {
    /// How `protocol` is.
    pub(crate) fn of(protocol: &Object) -> Result<Self> {
        let known = KNOWN.lock().ok();
        let native =
            known.and_then(|known| known.iter().find(|known| (known.is)(protocol)).copied());
        if let Some(methods) = native {
            return Ok(Self::Native(methods));
        }
        if protocol.is_instance(&names().buffered_protocol)? {
            return Ok(Self::Buffer);
        }
        Ok(Self::Data)
    }

    /// The methods of a native protocol.
    pub(crate) fn native(self) -> Option<&'static Methods> {
        match self {
            Self::Native(methods) => Some(methods),
            Self::Data | Self::Buffer => None,
        }
    }
}
