//! What `get_extra_info()` knows. Of an accepted connection nothing is made before it is asked for.

use std::cell::{Cell, RefCell};

use roundel::socket::{self, Address};

use super::StreamTransport;
use crate::hot::{Obj, Object, Result, Slot, Str, Visit, none, with_descriptor};
use crate::names::names;
use crate::transport::address::to_python;

/// What is known of a connection.
#[derive(Default)]
pub(super) struct Extra {
    /// What has been asked for, or was given.
    known: Slot,
    /// The connection was accepted by us: socket and addresses are found when they are asked for.
    found_later: Cell<bool>,
    peer: RefCell<Option<Box<Address>>>,
    /// Our own address, once the socket is closed.
    local: RefCell<Option<Box<Address>>>,
}

impl Extra {
    pub(super) fn give(&self, known: Option<Object>) {
        self.known.set(known);
    }

    /// Says who an accepted connection is from.
    pub(super) fn accepted_from(&self, peer: Option<Address>) {
        self.found_later.set(true);
        self.peer.replace(peer.map(Box::new));
    }

    fn dict(&self) -> Result<Object> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let known = Object::new_dict()?;
        self.known.set(Some(known.clone()));
        Ok(known)
    }

    pub(super) fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.known);
    }

    pub(super) fn clear(&self) {
        self.known.set(None);
    }
}

impl StreamTransport {
    /// `_extra`: all that is known, as a dictionary.
    pub(super) fn all_extra(this: &Obj<Self>) -> Result<Object> {
        Self::write_put_off(this)?;
        for name in [&names().socket, &names().sockname, &names().peername] {
            Self::find_extra(this, name)?;
        }
        this.extra.dict()
    }

    /// What is known under a name.
    pub(crate) fn find_extra(this: &Obj<Self>, name: &Object) -> Result<Option<Object>> {
        let known = match this.extra.known.get() {
            Some(known) => known.dict_get(name)?,
            None => None,
        };
        if known.is_some() || !this.extra.found_later.get() || !name.is_str() {
            return Ok(known);
        }
        let found = if Str::equals(name, c"socket") {
            names().transport_socket.call([&this.socket()?])?
        } else if Str::equals(name, c"sockname") {
            this.local_name()?
        } else if Str::equals(name, c"peername") {
            this.peer_name()?
        } else {
            return Ok(None);
        };
        this.extra.dict()?.dict_set(name, &found)?;
        Ok(Some(found))
    }

    /// The Python socket; a closed one if nobody has asked for it in time.
    fn socket(&self) -> Result<Object> {
        if let Some(socket) = self.endpoint.descriptor.socket()? {
            return Ok(socket);
        }
        let socket = names().socket_class.call([])?;
        socket.call_method(&names().close, [])?;
        Ok(socket)
    }

    fn local_name(&self) -> Result<Object> {
        self.remember_local_name();
        let local = self.extra.local.borrow().clone();
        self.shown(local.as_deref(), &names().getsockname)
    }

    fn peer_name(&self) -> Result<Object> {
        let peer = self.extra.peer.borrow().clone();
        self.shown(peer.as_deref(), &names().getpeername)
    }

    /// An address as Python has it, if need be by the socket's own method.
    fn shown(&self, address: Option<&Address>, method: &Object) -> Result<Object> {
        if let Some(shown) = address.map(to_python).transpose()?.flatten() {
            return Ok(shown);
        }
        match self.socket()?.call_method(method, []) {
            Ok(address) => Ok(address),
            Err(raised) => {
                raised.clear();
                Ok(none())
            }
        }
    }

    /// Asks for our own address while that can be done.
    pub(super) fn remember_local_name(&self) {
        let extra = &self.extra;
        let is_known = !extra.found_later.get() || extra.local.borrow().is_some();
        if is_known || !self.endpoint.descriptor.is_open() {
            return;
        }
        let number = self.endpoint.descriptor.number();
        if let Ok(address) = with_descriptor(number, |fd| socket::local_address(fd)) {
            extra.local.replace(Some(Box::new(address)));
        }
    }
}
