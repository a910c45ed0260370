//! Who gets what a stream transport receives: a protocol in Python, or a native one, which is called as Rust.

use std::sync::Mutex;

use crate::hot::{HotType, Obj, Object, Result};
use crate::names::names;

/// A native protocol. All that happens more rarely than that data come is told by its methods in Python.
pub(crate) trait Receiver: HotType {
    /// Whether it can be called as Rust: it is of no class that may have replaced its methods.
    fn is_native(protocol: &Object) -> bool {
        protocol.downcast_exact::<Self>().is_some()
    }
    /// Takes in what was received. The bytes lie in the loop's receive buffer: what is to stay has to be copied.
    ///
    /// It may do what the protocol's methods in Python may do: close the transport, pause it, run Python code. What was
    /// set on the object in the place of such a method is called.
    fn data_received(this: &Obj<Self>, data: &[u8]) -> Result<()>;
}

/// How a native protocol is called as Rust.
pub(crate) struct Methods {
    is: fn(&Object) -> bool,
    pub(crate) data_received: fn(&Object, &[u8]) -> Result<()>,
}

impl Methods {
    /// Those of `R`, for a static.
    pub(crate) const fn of<R: Receiver>() -> Self {
        Self {
            is: R::is_native,
            data_received: |protocol, data| R::data_received(protocol.known(), data),
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
