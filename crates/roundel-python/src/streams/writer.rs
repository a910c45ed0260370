//! `StreamWriter`: a transport with `drain()`.

use super::flow::{DRAIN, WAIT_CLOSED};
use super::protocol::StreamReaderProtocol;
use super::reader::StreamReader;
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Signature, Slot, Str, Tuple,
    TypeCell, Visit, exceptions, import, none, warn,
};
use crate::names::names;
use crate::transport::{StreamTransport, Transport};
use crate::waiter::Waiter;

/// The writing half of a stream (`asyncio.StreamWriter`).
#[derive(Default)]
pub(crate) struct StreamWriter {
    transport: Slot,
    protocol: Slot,
    reader: Slot,
    event_loop: Slot,
}

impl StreamWriter {
    pub(super) fn create(
        transport: &Object,
        protocol: &Object,
        reader: Option<Object>,
        event_loop: Option<Object>,
    ) -> Obj<Self> {
        Obj::create(Self {
            transport: Slot::new(Some(transport.clone())),
            protocol: Slot::new(Some(protocol.clone())),
            reader: Slot::new(reader),
            event_loop: Slot::new(event_loop),
        })
    }

    pub(super) fn transport(&self) -> Object {
        self.transport.get().unwrap_or_else(none)
    }

    pub(super) fn protocol(&self) -> Object {
        self.protocol.get().unwrap_or_else(none)
    }

    /// The protocol, if it is ours and not of a derived class, and has its own `method`.
    #[inline]
    pub(super) fn native_protocol(&self, method: &Object) -> Option<Obj<StreamReaderProtocol>> {
        let protocol = self.protocol.get()?;
        protocol
            .downcast_with::<StreamReaderProtocol>(method)
            .cloned()
    }

    pub(super) fn reader(&self) -> Option<Object> {
        self.reader.get()
    }

    /// Whether the peer at the other end of our transport has sent more than was read.
    #[inline]
    fn peer_is_ahead(&self, transport: &Obj<StreamTransport>) -> bool {
        let reader = self.reader.get();
        let reader = reader.as_ref().and_then(Object::downcast_exact);
        reader.is_some_and(|reader: &Obj<StreamReader>| reader.peer_is_ahead(transport))
    }

    pub(super) fn is_closing(&self) -> Result<bool> {
        let transport = self.transport();
        if let Some(native) = transport.downcast_with::<StreamTransport>(&names().is_closing) {
            return Ok(native.is_closing());
        }
        transport.call_method(&names().is_closing, [])?.truth()
    }
}

/// As Python calls it.
impl StreamWriter {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<4> = Signature::method(
            "StreamWriter.__init__",
            [c"transport", c"protocol", c"reader", c"loop"],
        );
        let [transport, protocol, reader, event_loop] = SIGNATURE.bind(args)?;
        let reader = reader.and_then(Object::not_none);
        if let Some(reader) = reader
            && reader.downcast::<StreamReader>().is_none()
            && !reader.is_instance(&names().stream_reader)?
        {
            return Err(Raised::throw(&exceptions::assertion_error()));
        }
        this.transport.set(transport.cloned());
        this.protocol.set(protocol.cloned());
        this.reader.set(reader.cloned());
        this.event_loop.set(event_loop.cloned());
        Ok(())
    }

    #[inline]
    fn write(this: &Obj<Self>, data: &Object) -> Result<()> {
        let transport = this.transport();
        if let Some(native) = transport.downcast_with::<StreamTransport>(&names().write) {
            return StreamTransport::write(native, data, this.peer_is_ahead(native));
        }
        transport.call_method(&names().write, [data]).map(drop)
    }

    fn close(this: &Obj<Self>) -> Result<Object> {
        let transport = this.transport();
        match transport.downcast_with::<StreamTransport>(&names().close) {
            Some(native) => StreamTransport::close(native).map(|()| none()),
            None => transport.call_method(&names().close, []),
        }
    }

    fn get_extra_info(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<2> =
            Signature::method("StreamWriter.get_extra_info", [c"name", c"default"]).required(1);
        let [name, default] = SIGNATURE.bind(args)?;
        let (name, default) = (name.cloned(), default.cloned());
        let [name, default] = [name, default].map(|each| each.unwrap_or_else(none));
        this.transport()
            .call_method(&names().get_extra_info, [&name, &default])
    }

    fn start_tls(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        let start_tls = import(c"roundel._streams", c"start_tls")?;
        let (keywords, values) = args.keywords();
        let mut all = vec![this.as_any().clone()];
        all.extend_from_slice(args.positional);
        all.extend_from_slice(values);
        start_tls.call_keywords(&all, &Tuple::of(keywords)?)
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let name = this.as_any().type_name()?;
        let transport = Str::repr(&this.transport())?;
        let reader = match this.reader.get() {
            Some(reader) => format!(" reader={}", Str::repr(&reader)?),
            None => String::new(),
        };
        format!("<{name} transport={transport}{reader}>").into_object()
    }

    /// Closes what nobody has closed, and says so.
    fn abandon(this: &Obj<Self>) -> Result<()> {
        let Some(transport) = this.transport.get() else {
            return Ok(());
        };
        if this.is_closing()? {
            return Ok(());
        }
        let event_loop = this.event_loop.get().unwrap_or_else(none);
        let text = if event_loop.call_method(&names().is_closed, [])?.truth()? {
            String::from("loop is closed")
        } else {
            transport.call_method(&names().close, [])?;
            format!("unclosed {}", Str::repr(this.as_any())?)
        };
        let text = std::ffi::CString::new(text).unwrap_or_default();
        warn(&exceptions::resource_warning(), &text, 1)
    }
}

impl HotType for StreamWriter {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.StreamWriter";
    const FREELIST: usize = 64;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"StreamWriter(transport, protocol, reader, loop)\n--\n\nThe writing half of a stream: a transport whose buffer can be waited for (asyncio.StreamWriter).")
            .init(Self::init)
            .repr(Self::repr)
            .getter(c"__class__", |this: &Obj<Self>| {
                if this.is_exact() {
                    names().stream_writer.clone()
                } else {
                    this.as_any().type_of()
                }
            });
        declare_writing(class);
        declare_life(class);
        declare_attributes(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        for slot in [
            &self.transport,
            &self.protocol,
            &self.reader,
            &self.event_loop,
        ] {
            visit.slot(slot);
        }
    }

    fn clear(&self) {
        self.transport.set(None);
        self.protocol.set(None);
        self.reader.set(None);
        self.event_loop.set(None);
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.transport.is_set()
    }

    fn finalize(this: &Obj<Self>) {
        if let Err(raised) = Self::abandon(this) {
            raised.unraisable(this.as_any());
        }
    }
}

fn declare_writing(class: &mut Class<StreamWriter>) {
    class
        .method_of_one(
            c"write",
            c"write($self, /, data)\n--\n\nSend data, at once as far as possible; the rest is buffered.\n\nTo a peer that has sent more than was read it is sent at the end of the loop's turn at the latest.",
            || const { &Signature::method("StreamWriter.write", [c"data"]) },
            StreamWriter::write,
        )
        .method_of_one(
            c"writelines",
            c"writelines($self, /, data)\n--\n\nSend several pieces of data.",
            || const { &Signature::method("StreamWriter.writelines", [c"data"]) },
            |this: &Obj<StreamWriter>, data: &Object| {
                this.transport()
                    .call_method(&names().writelines, [data])
                    .map(drop)
            },
        )
        .async_method0(
            c"drain",
            c"drain($self, /)\n--\n\nWait until there is room in the transport's buffer.",
            |this: &Obj<StreamWriter>| Waiter::on(&DRAIN, this),
        )
        .method0(
            c"write_eof",
            c"write_eof($self, /)\n--\n\nSay that nothing more will be written.",
            |this: &Obj<StreamWriter>| this.transport().call_method(&names().write_eof, []),
        )
        .method0(
            c"can_write_eof",
            c"can_write_eof($self, /)\n--\n\nReturn True if the transport supports write_eof().",
            |this: &Obj<StreamWriter>| this.transport().call_method(&names().can_write_eof, []),
        );
}

fn declare_life(class: &mut Class<StreamWriter>) {
    class
        .method0(
            c"close",
            c"close($self, /)\n--\n\nClose the stream, once what is buffered has been sent.",
            StreamWriter::close,
        )
        .method0(
            c"is_closing",
            c"is_closing($self, /)\n--\n\nReturn True if the stream is closed or about to be.",
            |this: &Obj<StreamWriter>| this.transport().call_method(&names().is_closing, []),
        )
        .async_method0(
            c"wait_closed",
            c"wait_closed($self, /)\n--\n\nWait until the connection is closed; raise the error that closed it.",
            |this: &Obj<StreamWriter>| Waiter::on(&WAIT_CLOSED, this),
        )
        .method(
            c"get_extra_info",
            c"get_extra_info($self, /, name, default=None)\n--\n\nReturn what the transport says about something.",
            StreamWriter::get_extra_info,
        )
        .async_method(
            c"start_tls",
            c"start_tls($self, /, sslcontext, *, server_hostname=None, ssl_handshake_timeout=None, ssl_shutdown_timeout=None)\n--\n\nGo on in TLS.",
            StreamWriter::start_tls,
        )
        .getter(c"transport", |this: &Obj<StreamWriter>| this.transport());
}

/// The attributes of asyncio's own that programs read and set.
fn declare_attributes(class: &mut Class<StreamWriter>) {
    class
        .property(
            c"_transport",
            |this: &Obj<StreamWriter>| this.transport(),
            |this: &Obj<StreamWriter>, value: &Object| {
                this.transport.set(Some(value.clone()));
                Ok(())
            },
        )
        .property(
            c"_protocol",
            |this: &Obj<StreamWriter>| this.protocol(),
            |this: &Obj<StreamWriter>, value: &Object| {
                this.protocol.set(Some(value.clone()));
                Ok(())
            },
        )
        .property(
            c"_reader",
            |this: &Obj<StreamWriter>| this.reader.get(),
            |this: &Obj<StreamWriter>, value: &Object| {
                this.reader.set(value.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_loop",
            |this: &Obj<StreamWriter>| this.event_loop.get(),
            |this: &Obj<StreamWriter>, value: &Object| {
                this.event_loop.set(Some(value.clone()));
                Ok(())
            },
        );
}
