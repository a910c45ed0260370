//! What Python sees of a `StreamTransport`.

use super::StreamTransport;
use crate::hot::{
    Args, Class, Derived, HotType, Numbered, Obj, Object, Place, PythonClass, Result, Signature,
    Slot, TypeCell, Visit, none,
};
use crate::transport::endpoint::Transport;

/// asyncio's class of transports that a protocol can be told to pause writing for.
pub(crate) struct FlowControl;

impl PythonClass for FlowControl {
    type Prefix = [Slot; 5];
    const MODULE: &'static std::ffi::CStr = c"asyncio.transports";
    const NAME: &'static std::ffi::CStr = c"_FlowControlMixin";
}

impl StreamTransport {
    /// `write(data)`.
    #[inline]
    fn write_args(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> = Signature::method("StreamTransport.write", [c"data"]);
        let [data] = SIGNATURE.bind(args)?;
        data.map_or(Ok(()), |data| Self::write(this, data))
    }

    /// `writelines(list_of_data)`.
    fn write_lines_args(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("StreamTransport.writelines", [c"list_of_data"]);
        let [lines] = SIGNATURE.bind(args)?;
        lines.map_or(Ok(()), |lines| Self::write_lines(this, lines))
    }

    /// `set_protocol(protocol)`.
    fn set_protocol(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("StreamTransport.set_protocol", [c"protocol"]);
        let [protocol] = SIGNATURE.bind(args)?;
        protocol.map_or(Ok(()), |protocol| this.endpoint.set_protocol(protocol))
    }

    /// `set_write_buffer_limits(high=None, low=None)`.
    fn set_limits(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> = Signature::method(
            "_FlowControlMixin.set_write_buffer_limits",
            [c"high", c"low"],
        )
        .required(0);
        let [high, low] = SIGNATURE.bind(args)?;
        let given = |limit: Option<&Object>| limit.and_then(Object::not_none).cloned();
        this.endpoint
            .limits
            .set(given(high).as_ref(), given(low).as_ref())?;
        Self::pause_protocol(this)
    }

    /// `get_extra_info(name, default=None)`.
    fn get_extra_info(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<2> =
            Signature::method("BaseTransport.get_extra_info", [c"name", c"default"]).required(1);
        let [name, default] = SIGNATURE.bind(args)?;
        let known = match name {
            Some(name) => Self::extra_info(this, name)?,
            None => None,
        };
        Ok(known.or_else(|| default.cloned()).unwrap_or_else(none))
    }
}

impl Numbered for StreamTransport {
    fn place(&self) -> &Place {
        &self.endpoint.place
    }
}

impl HotType for StreamTransport {
    type Base = Derived<FlowControl>;
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.StreamTransport";
    const FREELIST: usize = 256;
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The transport of a TCP or Unix connection.")
            .repr(Self::describe);
        declare_reading(class);
        declare_writing(class);
        declare_life(class);
        declare_private(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.endpoint.traverse(visit);
        self.extra.traverse(visit);
        visit.slot(&self.empty_waiter);
    }

    fn clear(&self) {
        self.endpoint.clear();
        self.extra.clear();
        self.empty_waiter.set(None);
    }

    fn retire(&self) {
        self.endpoint.place.leave();
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.endpoint.descriptor.is_open()
    }

    fn finalize(this: &Obj<Self>) {
        Self::forgotten(this);
    }
}

fn declare_reading(class: &mut Class<StreamTransport>) {
    class
        .method0(
            c"is_reading",
            c"is_reading($self, /)\n--\n\nReturn True unless reading is paused or the transport is closing.",
            |this: &Obj<StreamTransport>| this.endpoint.is_reading(),
        )
        .method0(
            c"pause_reading",
            c"pause_reading($self, /)\n--\n\nGive the protocol no data until resume_reading().",
            StreamTransport::pause_reading,
        )
        .method0(
            c"resume_reading",
            c"resume_reading($self, /)\n--\n\nGive the protocol data again.",
            StreamTransport::resume_reading,
        );
}

fn declare_writing(class: &mut Class<StreamTransport>) {
    class
        .method(
            c"write",
            c"write($self, /, data)\n--\n\nSend bytes, without waiting until they are sent.\n\nRaises:\n    RuntimeError: write_eof() was called, or a file is being sent.\n    TypeError: the data are not bytes, a bytearray or a memoryview.",
            StreamTransport::write_args,
        )
        .method(
            c"writelines",
            c"writelines($self, /, list_of_data)\n--\n\nSend several pieces of bytes.\n\nRaises:\n    RuntimeError: write_eof() was called, or a file is being sent.",
            StreamTransport::write_lines_args,
        )
        .method0(
            c"write_eof",
            c"write_eof($self, /)\n--\n\nSay that no more will be written, once what was is sent.",
            StreamTransport::write_eof,
        )
        .method0(
            c"can_write_eof",
            c"can_write_eof($self, /)\n--\n\nReturn True: there is write_eof().",
            |_: &Obj<StreamTransport>| true,
        )
        .method0(
            c"get_write_buffer_size",
            c"get_write_buffer_size($self, /)\n--\n\nReturn how many bytes wait to be sent.",
            |this: &Obj<StreamTransport>| this.backlog.size(),
        )
        .method0(
            c"get_write_buffer_limits",
            c"get_write_buffer_limits($self, /)\n--\n\nReturn the low and the high water mark.",
            |this: &Obj<StreamTransport>| this.endpoint.limits.get(),
        )
        .method(
            c"set_write_buffer_limits",
            c"set_write_buffer_limits($self, /, high=None, low=None)\n--\n\nSet at how many waiting bytes the protocol is paused and resumed.\n\nRaises:\n    ValueError: high is less than low, or low is negative.",
            StreamTransport::set_limits,
        );
}

fn declare_life(class: &mut Class<StreamTransport>) {
    class
        .method0(
            c"close",
            c"close($self, /)\n--\n\nRead no more, send what waits and close the connection.",
            StreamTransport::close,
        )
        .method0(
            c"abort",
            c"abort($self, /)\n--\n\nClose the connection at once and forget what waits to be sent.",
            |this: &Obj<StreamTransport>| StreamTransport::force_close(this, None),
        )
        .method0(
            c"is_closing",
            c"is_closing($self, /)\n--\n\nReturn True if the transport is closing or closed.",
            |this: &Obj<StreamTransport>| this.endpoint.closing.get(),
        )
        .method(
            c"set_protocol",
            c"set_protocol($self, /, protocol)\n--\n\nSet who is told from now on.",
            StreamTransport::set_protocol,
        )
        .method0(
            c"get_protocol",
            c"get_protocol($self, /)\n--\n\nReturn the protocol, None once the connection was lost.",
            |this: &Obj<StreamTransport>| this.endpoint.protocol.get(),
        )
        .method(
            c"get_extra_info",
            c"get_extra_info($self, /, name, default=None)\n--\n\nReturn 'socket', 'sockname', 'peername' or what else is known.",
            StreamTransport::get_extra_info,
        );
}

/// What asyncio's own code uses of a transport.
fn declare_private(class: &mut Class<StreamTransport>) {
    class
        .method1(
            c"_force_close",
            c"_force_close($self, exc, /)\n--\n\nClose the connection at once because of an exception.",
            |this: &Obj<StreamTransport>, exception: &Object| {
                StreamTransport::force_close(this, exception.not_none())
            },
        )
        .method1(
            c"_call_connection_lost",
            c"_call_connection_lost($self, exc, /)\n--\n\nTell the protocol that the connection is lost, and close the socket.",
            StreamTransport::lose,
        )
        .method0(
            c"_make_empty_waiter",
            c"_make_empty_waiter($self, /)\n--\n\nReturn a future that is done when nothing waits to be sent.",
            StreamTransport::make_empty_waiter,
        )
        .method0(
            c"_reset_empty_waiter",
            c"_reset_empty_waiter($self, /)\n--\n\nForget that future.",
            |this: &Obj<StreamTransport>| this.empty_waiter.set(None),
        )
        .method0(
            c"_lend",
            c"_lend($self, /)\n--\n\nLet others use the descriptor.",
            |this: &Obj<StreamTransport>| this.endpoint.place.leave(),
        )
        .method0(
            c"_claim",
            c"_claim($self, /)\n--\n\nLet nobody else use the descriptor any more.",
            |this: &Obj<StreamTransport>| {
                let fd = this.endpoint.descriptor.number();
                if let Some(event_loop) = this.endpoint.event_loop.get() {
                    event_loop.enter_transport(fd, this);
                }
            },
        )
        .getter(c"_loop", |this: &Obj<StreamTransport>| this.endpoint.event_loop.get())
        .getter(c"_protocol", |this: &Obj<StreamTransport>| this.endpoint.protocol.get())
        .getter(c"_server", |this: &Obj<StreamTransport>| this.endpoint.server.get())
        .getter(c"_sock", |this: &Obj<StreamTransport>| this.endpoint.descriptor.socket())
        .getter(c"_sock_fd", |this: &Obj<StreamTransport>| {
            i64::from(this.endpoint.descriptor.number())
        })
        .getter(c"_closing", |this: &Obj<StreamTransport>| this.endpoint.closing.get())
        .getter(c"_paused", |this: &Obj<StreamTransport>| this.endpoint.paused.get())
        .getter(c"_eof", |this: &Obj<StreamTransport>| this.eof.get())
        .getter(c"_conn_lost", |this: &Obj<StreamTransport>| {
            i64::from(this.endpoint.lost.get())
        })
        .getter(c"_protocol_paused", |this: &Obj<StreamTransport>| {
            this.endpoint.limits.is_paused()
        })
        .getter(c"_empty_waiter", |this: &Obj<StreamTransport>| this.empty_waiter.get())
        .property(
            c"_extra",
            StreamTransport::all_extra,
            |this: &Obj<StreamTransport>, extra: &Object| {
                this.extra.give(Some(extra.clone()));
                Ok(())
            },
        );
}
