//! `DatagramTransport`: the transport of a UDP or Unix socket.

mod class;
mod peers;
mod sending;
mod target;

use std::cell::Cell;
use std::io::ErrorKind;

use roundel::socket::{self, Address};

use self::peers::Peers;
use super::address::to_python;
use super::descriptor::{Descriptor, exception};
use super::endpoint::{Endpoint, Transport};
use crate::channel::Reaction;
use crate::event_loop::{EventLoop, ReceiveBuffer};
use crate::hot::{
    Args, Bytes, Deque, Obj, Object, Raised, Result, Signature, Slot, exceptions, none,
    with_descriptor,
};
use crate::names::names;

/// How many datagrams are received at a time, so that others have their turn.
const AT_A_TIME: usize = 32;

/// The transport of a UDP or Unix socket.
#[derive(Default)]
pub(crate) struct DatagramTransport {
    endpoint: Endpoint,
    /// What is known of the socket, a dictionary.
    extra: Slot,
    /// The only address that datagrams are sent to, if there is such.
    address: Slot,
    /// The socket is connected, so that no address is given with a datagram.
    connected: Cell<bool>,
    is_ipv6: Cell<bool>,
    /// Datagrams that wait, each with its address, and their size.
    backlog: Deque<(Object, Object)>,
    size: Cell<usize>,
    peers: Peers,
}

static READ: Reaction = Reaction {
    name: "DatagramTransport._read_ready",
    run: |transport, _| DatagramTransport::read_ready(transport.known()),
};

impl Transport for DatagramTransport {
    const IS_SOCKET: bool = true;
    const READ: &'static Reaction = &READ;

    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn backlog_size(&self) -> usize {
        self.size.get()
    }

    fn clear_backlog(&self) {
        self.size.set(0);
        drop(self.backlog.take());
    }

    fn extra_info(this: &Obj<Self>, name: &Object) -> Result<Option<Object>> {
        match this.extra.get() {
            Some(extra) => extra.dict_get(name),
            None => Ok(None),
        }
    }
}

impl DatagramTransport {
    /// `datagram_transport(loop, sock, protocol, address, waiter, extra)`.
    pub(super) fn make(args: &Args<'_>) -> Result<Obj<Self>> {
        static SIGNATURE: Signature<6> = Signature::function(
            "datagram_transport",
            [
                c"loop",
                c"sock",
                c"protocol",
                c"address",
                c"waiter",
                c"extra",
            ],
        );
        let given = SIGNATURE.bind(args)?;
        let [event_loop, socket, protocol, address, waiter, extra] =
            given.map(|given| given.cloned().unwrap_or_else(none));
        let Some(event_loop) = event_loop.downcast::<EventLoop>() else {
            let text = "a native transport needs a native loop";
            return Err(Raised::new(&exceptions::type_error(), text));
        };
        let this = Obj::create(Self::default());
        if address.truth()? {
            this.address.set(Some(address));
        }
        let peer = extra.dict_get(&names().peername)?;
        this.connected.set(peer.is_some_and(|peer| !peer.is_none()));
        this.extra.set(Some(extra));
        let family = socket.attr(&names().family)?.to_i64()?;
        this.is_ipv6.set(family == names().ipv6.to_i64()?);
        let descriptor = Descriptor::of(&socket)?;
        Self::begin(&this, event_loop, &protocol, &descriptor, None)?;
        Self::start(&this, event_loop, &protocol, waiter.not_none())?;
        Ok(this)
    }

    /// Hands on what has come, one datagram after the other.
    fn read_ready(this: &Obj<Self>) -> Result<()> {
        for _ in 0..AT_A_TIME {
            if !this.endpoint.is_reading() || this.endpoint.lost.get() > 0 {
                return Ok(());
            }
            let Some((data, sender)) = Self::receive(this)? else {
                return Ok(());
            };
            this.endpoint
                .tell(&names().datagram_received, [&data, &sender])?;
        }
        Ok(())
    }

    /// Receives a datagram; `None` if there is none or receiving has failed, of which the protocol is told.
    fn receive(this: &Obj<Self>) -> Result<Option<(Object, Object)>> {
        let mut buffer = ReceiveBuffer::of(this.endpoint.event_loop()?);
        let fd = this.endpoint.descriptor.checked()?;
        match with_descriptor(fd, |fd| socket::receive_from(fd, &mut buffer)) {
            Ok((count, sender)) => {
                let data = Bytes::copy(&buffer[..count])?;
                Ok(Some((data, this.peer(sender)?)))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => {
                drop(buffer);
                this.endpoint
                    .tell(&names().error_received, [&exception(&error)])?;
                Ok(None)
            }
        }
    }

    /// A sender's address as Python has it.
    fn peer(&self, sender: Option<Address>) -> Result<Object> {
        let Some(sender) = sender else {
            return Ok(none());
        };
        if let Some(object) = self.peers.find(&sender) {
            return Ok(object);
        }
        let object = to_python(&sender)?.unwrap_or_else(none);
        self.peers.add(sender, object.clone());
        Ok(object)
    }
}
