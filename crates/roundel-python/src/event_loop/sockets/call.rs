//! `Call`: what one call on a socket is about, and how it is tried.
//!
//! On a plain `socket.socket` the two calls that programs make most, to receive and to send, are system calls of our
//! own; all others, and those on what only behaves as a socket, are methods of the object.

use std::cell::Cell;
use std::io;
use std::os::fd::RawFd;

use roundel::socket;

use crate::event_loop::readers::descriptor;
use crate::event_loop::{EventLoop, ReceiveBuffer, os_error};
use crate::hot::{
    Buffer, Bytes, Class, HotType, IntoObject, Obj, Object, Raised, Result, Slot, Str, Tuple,
    TypeCell, Visit, boolean, exceptions, none,
};
use crate::names::names;

/// More than this at a time is received by the socket's own method.
const ROOM: usize = 256 * 1024;

/// One call on a socket.
pub(in crate::event_loop) struct Call {
    event_loop: Obj<EventLoop>,
    socket: Slot,
    /// What is sent, the buffer that is filled, how much may come, or the address to connect to.
    subject: Slot,
    /// The address to send to, or how much of the buffer may be filled.
    detail: Slot,
    /// The descriptor as it was when it was last used.
    fd: Cell<RawFd>,
    /// How much has been sent; the subject is a `memoryview` then.
    sent: Cell<usize>,
}

impl Call {
    #[inline]
    pub(super) fn create(
        event_loop: &Obj<EventLoop>,
        socket: Option<&Object>,
        subject: Option<&Object>,
        detail: Option<&Object>,
    ) -> Obj<Self> {
        Obj::create(Self {
            event_loop: event_loop.clone(),
            socket: Slot::new(socket.cloned()),
            subject: Slot::new(subject.cloned()),
            detail: Slot::new(detail.cloned()),
            fd: Cell::new(-1),
            sent: Cell::new(0),
        })
    }

    #[inline]
    pub(super) fn event_loop(&self) -> &Obj<EventLoop> {
        &self.event_loop
    }

    fn socket(&self) -> Object {
        self.socket.get().unwrap_or_else(none)
    }

    fn subject(&self) -> Object {
        self.subject.get().unwrap_or_else(none)
    }

    fn is_plain(&self) -> bool {
        self.socket().type_of().is(&names().socket_type)
    }

    /// Refuses what asyncio refuses.
    #[inline]
    pub(super) fn check(&self) -> Result<()> {
        if !self.is_plain() {
            names().check_ssl_socket.call([&self.socket()])?;
        }
        if self.event_loop.is_debug() {
            let timeout = self.socket().call_method(&names().gettimeout, [])?;
            if !timeout.equals(&0_i64.into_object()?)? {
                let text = "the socket must be non-blocking";
                return Err(Raised::new(&exceptions::value_error(), text));
            }
        }
        Ok(())
    }

    /// The descriptor as it was when it was last used.
    #[inline]
    pub(super) fn descriptor(&self) -> RawFd {
        self.fd.get()
    }

    /// The descriptor to wait for; raises if there is none or if it belongs to a transport.
    pub(super) fn find_descriptor(&self) -> Result<RawFd> {
        let number = self.socket().call_method(&names().fileno, [])?;
        EventLoop::check_no_transport(&self.event_loop, &number)?;
        self.fd.set(descriptor(&number)?);
        Ok(self.fd.get())
    }

    /// The descriptor, if system calls may be made on it.
    ///
    /// Asked anew for each: somebody may have closed the socket meanwhile.
    #[inline]
    fn plain_descriptor(&self) -> Result<Option<RawFd>> {
        if !self.is_plain() {
            return Ok(None);
        }
        let number = self.socket().call_method(&names().fileno, [])?.to_i64()?;
        Ok(Some(RawFd::try_from(number).unwrap_or(-1)))
    }

    /// Calls a method of the socket.
    fn call<const N: usize>(&self, name: &Object, args: [&Object; N]) -> Result<Option<Object>> {
        unless_blocked(self.socket().call_method(name, args))
    }
}

/// What came of a method of a socket; nothing if the socket was not ready.
fn unless_blocked(result: Result<Object>) -> Result<Option<Object>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(raised)
            if raised.matches(&exceptions::blocking_io_error())
                || raised.matches(&exceptions::interrupted_error()) =>
        {
            raised.clear();
            Ok(None)
        }
        Err(raised) => Err(raised),
    }
}

/// What came of a system call; nothing if the socket was not ready.
#[inline]
fn unless_would_block(result: io::Result<usize>) -> Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(os_error(&error)),
    }
}

/// How much a method has sent.
fn count(sent: Option<&Object>) -> Result<Option<usize>> {
    let sent = sent.map(Object::to_i64).transpose()?;
    Ok(sent.and_then(|sent| usize::try_from(sent).ok()))
}

/// How much room of the loop's to receive into; none if that is not for us to say.
fn room_for(size: &Object) -> Result<Option<usize>> {
    if !size.is_int() {
        return Ok(None);
    }
    match size.to_i64() {
        Ok(size) => Ok(usize::try_from(size)
            .ok()
            .filter(|size| (1..=ROOM).contains(size))),
        Err(raised) if raised.matches(&exceptions::overflow_error()) => {
            raised.clear();
            Ok(None)
        }
        Err(raised) => Err(raised),
    }
}

/// The tries. Nothing comes of one if the socket is not ready.
impl Call {
    #[inline]
    pub(super) fn recv(this: &Obj<Self>) -> Result<Option<Object>> {
        let size = this.subject();
        let room = room_for(&size)?;
        let (Some(room), Some(fd)) = (room, this.plain_descriptor()?) else {
            return this.call(&names().recv, [&size]);
        };
        let mut buffer = ReceiveBuffer::of(this.event_loop.clone());
        let room = room.min(buffer.len());
        match unless_would_block(socket::try_receive(fd, &mut buffer[..room]))? {
            Some(count) => Bytes::copy(&buffer[..count]).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn recv_into(this: &Obj<Self>) -> Result<Option<Object>> {
        let subject = this.subject();
        let Some(fd) = this.plain_descriptor()? else {
            return this.call(&names().recv_into, [&subject]);
        };
        let mut buffer = match Buffer::writable(&subject) {
            Ok(buffer) => buffer,
            Err(raised) => {
                // The socket says so in its own words.
                raised.clear();
                return this.call(&names().recv_into, [&subject]);
            }
        };
        if buffer.len() == 0 {
            return 0_i64.into_object().map(Some);
        }
        let received = unless_would_block(buffer.write(|room| socket::try_receive(fd, room)))?;
        received.map(IntoObject::into_object).transpose()
    }

    pub(super) fn recvfrom(this: &Obj<Self>) -> Result<Option<Object>> {
        this.call(&names().recvfrom, [&this.subject()])
    }

    pub(super) fn recvfrom_into(this: &Obj<Self>) -> Result<Option<Object>> {
        let buffer = this.subject();
        let count = match this.detail.get() {
            Some(count) if count.truth()? => count,
            _ => buffer.length()?.into_object()?,
        };
        this.call(&names().recvfrom_into, [&buffer, &count])
    }

    pub(super) fn accept(this: &Obj<Self>) -> Result<Option<Object>> {
        let Some(accepted) = this.call(&names().accept, [])? else {
            return Ok(None);
        };
        let accepted = Tuple::from(&accepted)?;
        let items = Tuple::items(&accepted);
        if let Some(connection) = items.first() {
            connection.call_method(&names().setblocking, [&boolean(false)])?;
        }
        Ok(Some(accepted))
    }

    /// Begins to send the subject.
    #[inline]
    pub(super) fn sendall(this: &Obj<Self>) -> Result<Option<Object>> {
        let data = this.subject();
        let (sent, length) = if let Some(fd) = this.plain_descriptor()? {
            match Bytes::read(&data) {
                Some(bytes) => (
                    unless_would_block(socket::try_send(fd, bytes))?,
                    bytes.len(),
                ),
                None => match Buffer::of(&data) {
                    Ok(buffer) => (
                        unless_would_block(buffer.read(|bytes| socket::try_send(fd, bytes)))?,
                        buffer.len(),
                    ),
                    Err(raised) => {
                        raised.clear();
                        // The socket says so in its own words.
                        return this.call(&names().send, [&data]);
                    }
                },
            }
        } else {
            let sent = this.call(&names().send, [&data])?;
            (count(sent.as_ref())?, data.length()?)
        };
        let sent = sent.unwrap_or(0);
        if sent == length {
            return Ok(Some(none()));
        }
        // Keeps the bytes in place.
        this.subject.set(Some(names().memoryview.call([&data])?));
        this.sent.set(sent);
        Ok(None)
    }

    /// Sends more of the subject.
    pub(super) fn send_rest(this: &Obj<Self>) -> Result<Option<Object>> {
        let (view, start) = (this.subject(), this.sent.get());
        let (sent, length) = if let Some(fd) = this.plain_descriptor()? {
            let buffer = Buffer::of(&view)?;
            let sent = buffer.read(|bytes| socket::try_send(fd, bytes.get(start..).unwrap_or(&[])));
            (unless_would_block(sent)?, buffer.len())
        } else {
            let from = names().slice.call([&start.into_object()?, &none()])?;
            let rest = view.call_method(&names().__getitem__, [&from])?;
            let sent = this.call(&names().send, [&rest])?;
            (count(sent.as_ref())?, view.length()?)
        };
        this.sent.set(start + sent.unwrap_or(0));
        Ok((this.sent.get() == length).then(none))
    }

    pub(super) fn sendto(this: &Obj<Self>) -> Result<Option<Object>> {
        let address = this.detail.get().unwrap_or_else(none);
        this.call(&names().sendto, [&this.subject(), &address])
    }

    pub(super) fn connect(this: &Obj<Self>) -> Result<Option<Object>> {
        this.call(&names().connect, [&this.subject()])
    }

    /// Hears what came of connecting.
    pub(super) fn connected(this: &Obj<Self>) -> Result<Option<Object>> {
        let names = names();
        let number = this
            .socket()
            .call_method(&names.getsockopt, [&names.sol_socket, &names.so_error])?;
        if !number.truth()? {
            return Ok(Some(none()));
        }
        let text = format!("Connect call failed {}", Str::of(&this.subject())?);
        let error = exceptions::os_error().call([&number, &text.into_object()?])?;
        unless_blocked(Err(Raised::throw(&error)))
    }
}

impl HotType for Call {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.SocketCall";
    const FREELIST: usize = 1024;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"A call on a socket, as what a waiter waits on.")
            .repr(|this: &Obj<Self>| Str::repr(&this.socket()));
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.object(&self.event_loop);
        for slot in [&self.socket, &self.subject, &self.detail] {
            visit.slot(slot);
        }
    }

    fn clear(&self) {
        self.socket.set(None);
        self.subject.set(None);
        self.detail.set(None);
    }
}
