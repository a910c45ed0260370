//! What Python sees of any transport.

use super::endpoint::Transport;
use crate::hot::{Args, Class, Obj, Object, Result, Signature, none};

/// `set_protocol(protocol)`.
fn set_protocol<T: Transport>(this: &Obj<T>, protocol: &Object) -> Result<()> {
    T::send_put_off(this)?;
    this.endpoint().set_protocol(protocol)
}

/// `set_write_buffer_limits(high=None, low=None)`.
fn set_limits<T: Transport>(this: &Obj<T>, args: &Args<'_>) -> Result<()> {
    static SIGNATURE: Signature<2> = Signature::method(
        "_FlowControlMixin.set_write_buffer_limits",
        [c"high", c"low"],
    )
    .required(0);
    let [high, low] = SIGNATURE.bind(args)?;
    let [high, low] = [high, low].map(|limit| limit.and_then(Object::not_none));
    T::send_put_off(this)?;
    this.endpoint().limits.set(high, low)?;
    T::pause_protocol(this)
}

/// `get_extra_info(name, default=None)`.
fn get_extra_info<T: Transport>(this: &Obj<T>, args: &Args<'_>) -> Result<Object> {
    static SIGNATURE: Signature<2> =
        Signature::method("BaseTransport.get_extra_info", [c"name", c"default"]).required(1);
    let [name, default] = SIGNATURE.bind(args)?;
    let known = match name {
        Some(name) => T::extra_info(this, name)?,
        None => None,
    };
    Ok(known.or_else(|| default.cloned()).unwrap_or_else(none))
}

/// Declares it.
pub(super) fn declare<T: Transport>(class: &mut Class<T>) {
    declare_reading(class);
    declare_limits(class);
    declare_life(class);
    declare_abort(class);
    declare_private(class);
}

/// What transports have that read.
pub(super) fn declare_reading<T: Transport>(class: &mut Class<T>) {
    class
        .method0(
            c"is_reading",
            c"is_reading($self, /)\n--\n\nReturn True unless reading is paused or the transport is closing.",
            |this: &Obj<T>| this.endpoint().is_reading(),
        )
        .method0(
            c"pause_reading",
            c"pause_reading($self, /)\n--\n\nGive the protocol no data until resume_reading().",
            T::pause_reading,
        )
        .method0(
            c"resume_reading",
            c"resume_reading($self, /)\n--\n\nGive the protocol data again.",
            T::resume_reading,
        );
}

/// What transports have that write.
pub(super) fn declare_limits<T: Transport>(class: &mut Class<T>) {
    class
        .method0(
            c"get_write_buffer_size",
            c"get_write_buffer_size($self, /)\n--\n\nReturn how many bytes wait to be sent.",
            |this: &Obj<T>| {
                T::send_put_off(this)?;
                Ok(this.backlog_size())
            },
        )
        .method0(
            c"get_write_buffer_limits",
            c"get_write_buffer_limits($self, /)\n--\n\nReturn the low and the high water mark.",
            |this: &Obj<T>| this.endpoint().limits.get(),
        )
        .method(
            c"set_write_buffer_limits",
            c"set_write_buffer_limits($self, /, high=None, low=None)\n--\n\nSet at how many waiting bytes the protocol is paused and resumed.\n\nRaises:\n    ValueError: high is less than low, or low is negative.",
            set_limits,
        );
}

/// What forgets what waits to be sent.
pub(super) fn declare_abort<T: Transport>(class: &mut Class<T>) {
    class.method0(
        c"abort",
        c"abort($self, /)\n--\n\nClose the connection at once and forget what waits to be sent.",
        |this: &Obj<T>| T::force_close(this, None),
    );
}

/// What all have.
pub(super) fn declare_life<T: Transport>(class: &mut Class<T>) {
    class.repr(T::describe);
    class
        .method0(
            c"close",
            c"close($self, /)\n--\n\nRead no more, send what waits and close the connection.",
            T::close,
        )
        .method0(
            c"is_closing",
            c"is_closing($self, /)\n--\n\nReturn True if the transport is closing or closed.",
            |this: &Obj<T>| this.endpoint().closing.get(),
        )
        .method_of_one(
            c"set_protocol",
            c"set_protocol($self, /, protocol)\n--\n\nSet who is told from now on.",
            || const { &Signature::method("Transport.set_protocol", [c"protocol"]) },
            set_protocol,
        )
        .method0(
            c"get_protocol",
            c"get_protocol($self, /)\n--\n\nReturn the protocol, None once the connection was lost.",
            |this: &Obj<T>| this.endpoint().protocol.get(),
        )
        .method(
            c"get_extra_info",
            c"get_extra_info($self, /, name, default=None)\n--\n\nReturn 'socket', 'sockname', 'peername' or what else is known.",
            get_extra_info,
        );
}

/// What asyncio's own code uses of a transport.
fn declare_private<T: Transport>(class: &mut Class<T>) {
    class
        .method1(
            c"_force_close",
            c"_force_close($self, exc, /)\n--\n\nClose the connection at once because of an exception.",
            |this: &Obj<T>, exception: &Object| T::force_close(this, exception.not_none()),
        )
        .method1(
            c"_call_connection_lost",
            c"_call_connection_lost($self, exc, /)\n--\n\nTell the protocol that the connection is lost, and close the socket.",
            T::lose,
        )
        .getter(c"_loop", |this: &Obj<T>| this.endpoint().event_loop.get())
        .getter(c"_protocol", |this: &Obj<T>| this.endpoint().protocol.get())
        .getter(c"_server", |this: &Obj<T>| this.endpoint().server.get())
        .getter(c"_sock", |this: &Obj<T>| {
            T::send_put_off(this)?;
            this.endpoint().descriptor.socket()
        })
        .getter(c"_sock_fd", |this: &Obj<T>| {
            i64::from(this.endpoint().descriptor.number())
        })
        .getter(c"_closing", |this: &Obj<T>| this.endpoint().closing.get())
        .getter(c"_paused", |this: &Obj<T>| this.endpoint().paused.get())
        .getter(c"_conn_lost", |this: &Obj<T>| {
            i64::from(this.endpoint().lost.get())
        })
        .getter(c"_protocol_paused", |this: &Obj<T>| {
            this.endpoint().limits.is_paused()
        });
}
