//! What the peer has sent: decrypted and handed to the program's protocol.

use super::{Phase, Scratch, SslProtocol};
use crate::hot::{
    Buffer, Bytes, Class, IntoObject, Obj, Object, Outcome, Raised, Result, Session, import,
    is_instance_of,
};
use crate::names::names;
use crate::transport::receiver::Receiver;

/// The plain text of one record at the most.
const RECORD: usize = 16 * 1024;

/// How much a transport that is not ours may read at once.
const BUFFER: usize = 64 * 1024;

impl SslProtocol {
    /// Takes in what the transport has read.
    pub(crate) fn received(this: &Obj<Self>, bytes: &[u8]) -> Result<()> {
        if !this.session()?.feed(bytes) {
            let text = "no memory for what the peer has sent";
            return Err(Raised::new(&crate::hot::exceptions::memory_error(), text));
        }
        let step = match this.phase.get() {
            Phase::Wrapped => return Self::do_read(this),
            Phase::Handshake => &names()._do_handshake,
            Phase::Flushing => &names()._do_flush,
            Phase::Shutdown => &names()._do_shutdown,
            Phase::Unwrapped => return Ok(()),
        };
        this.as_any().call_method(step, [])?;
        Ok(())
    }

    /// Hands the program what can be decrypted, and sends what comes of that.
    fn do_read(this: &Obj<Self>) -> Result<()> {
        if !matches!(this.phase.get(), Phase::Wrapped | Phase::Flushing) {
            return Ok(());
        }
        match Self::read_and_answer(this) {
            Ok(()) => Ok(()),
            Err(raised) => Self::give_up(this, raised),
        }
    }

    fn read_and_answer(this: &Obj<Self>) -> Result<()> {
        if !this.app_reading_paused.get() {
            if this.app_protocol_is_buffered.get() {
                Self::read_into_buffer(this)?;
            } else {
                Self::read_copy(this)?;
            }
            if this.backlog.get() > 0 {
                this.as_any().call_method(&names()._do_write, [])?;
            } else {
                Self::process_outgoing(this)?;
            }
        }
        let waiting = this.session()?.incoming_len();
        if this
            .incoming_limits
            .wants_change(waiting, this.reading_paused.get())
        {
            this.as_any()
                .call_method(&names()._control_ssl_reading, [])?;
        }
        Ok(())
    }

    /// For a protocol with `data_received`: all there is, in one piece.
    fn read_copy(this: &Obj<Self>) -> Result<()> {
        let mut scratch = Scratch::new();
        let mut used = 0;
        let closed = loop {
            match Self::read(this, scratch.room(used, RECORD))? {
                Outcome::Bytes(count) => used += count,
                outcome => break outcome == Outcome::Closed,
            }
        };
        if used > 0 {
            let protocol = this.app_protocol();
            if let Some(methods) = this.app_receiving.get().native() {
                (methods.data_received)(&protocol, scratch.filled(used))?;
            } else {
                let data = Bytes::copy(scratch.filled(used))?;
                drop(scratch);
                protocol.call_method(&names().data_received, [&data])?;
            }
        }
        if closed {
            Self::peer_closed(this)
        } else {
            Ok(())
        }
    }

    /// For a protocol with `get_buffer`: as much as it has room for; the rest in the loop's next turn.
    fn read_into_buffer(this: &Obj<Self>) -> Result<()> {
        let waiting = this.session()?.incoming_len().into_object()?;
        let get_buffer = this.as_any().attr(&names()._app_protocol_get_buffer)?;
        let lent = get_buffer.call([&waiting])?;
        let mut buffer = Buffer::writable(&lent)?;
        let mut used = 0;
        let mut closed = buffer.len() == 0;
        while used < buffer.len() {
            match Self::read_lent(this, &mut buffer, used)? {
                Outcome::Bytes(count) => used += count,
                outcome => {
                    closed = outcome == Outcome::Closed;
                    break;
                }
            }
        }
        if used > 0 && used == buffer.len() {
            let event_loop = this.as_any().attr(&names()._loop)?;
            let again = this.as_any().attr(&names()._do_read)?;
            event_loop.call_method(&names().call_soon, [&again])?;
        }
        drop(buffer);
        drop(lent);
        if used > 0 {
            let updated = this.as_any().attr(&names()._app_protocol_buffer_updated)?;
            updated.call([&used.into_object()?])?;
        }
        if closed {
            Self::peer_closed(this)
        } else {
            Ok(())
        }
    }

    fn read_lent(this: &Obj<Self>, buffer: &mut Buffer, used: usize) -> Result<Outcome> {
        let session = this.session()?;
        match buffer.write(|room| session.read(&mut room[used..])) {
            Outcome::Failed => {
                let mut byte = [0];
                Self::read_by_ssl(this, session, &mut byte).inspect(|outcome| {
                    if let Outcome::Bytes(_) = outcome {
                        buffer.write(|room| room[used] = byte[0]);
                    }
                })
            }
            outcome => Ok(outcome),
        }
    }

    fn read(this: &Obj<Self>, room: &mut [u8]) -> Result<Outcome> {
        let session = this.session()?;
        match session.read(room) {
            Outcome::Failed => Self::read_by_ssl(this, session, room),
            outcome => Ok(outcome),
        }
    }

    /// Has Python's own `read` raise what is wrong. What asyncio takes for "later" is no failure.
    #[cold]
    fn read_by_ssl(this: &Obj<Self>, _session: &Session, room: &mut [u8]) -> Result<Outcome> {
        let sslobj = this.as_any().attr(&names()._sslobj)?;
        let raised = match sslobj.call_method(&names().read, [&1_i64.into_object()?]) {
            Ok(data) => {
                // The cause has gone meanwhile.
                let first = Bytes::read(&data).and_then(|bytes| bytes.first().copied());
                return Ok(first.map_or(Outcome::Closed, |byte| {
                    room[0] = byte;
                    Outcome::Bytes(1)
                }));
            }
            Err(raised) => raised.fetch(),
        };
        if is_again(&raised) {
            Ok(Outcome::Again)
        } else {
            Err(Raised::restore(raised))
        }
    }

    fn peer_closed(this: &Obj<Self>) -> Result<()> {
        this.as_any().call_method(&names()._call_eof_received, [])?;
        this.as_any().call_method(&names()._start_shutdown, [])?;
        Ok(())
    }

    /// `get_buffer`, for transports that are not ours.
    fn get_buffer(this: &Obj<Self>, _size: &Object) -> Result<Object> {
        if let Some(buffer) = this.buffer.get() {
            return Ok(buffer);
        }
        let buffer = names().bytearray.call([&BUFFER.into_object()?])?;
        this.buffer.set(Some(buffer.clone()));
        Ok(buffer)
    }

    /// `buffer_updated`, for transports that are not ours.
    fn buffer_updated(this: &Obj<Self>, count: &Object) -> Result<()> {
        let count = usize::try_from(count.to_i64()?).unwrap_or(0);
        let Some(buffer) = this.buffer.get() else {
            return Ok(());
        };
        // A copy, so that nobody can change the bytes while they are read.
        let bytes = Buffer::of(&buffer)?.read(|bytes| bytes[..count.min(bytes.len())].to_vec());
        Self::received(this, &bytes)
    }
}

impl Receiver for SslProtocol {
    fn is_native(protocol: &Object) -> bool {
        let native = protocol.downcast::<Self>();
        native.is_some_and(|this| this.session.get().is_some())
    }

    fn data_received(this: &Obj<Self>, data: &[u8]) -> Result<()> {
        if this.has_own(&names().get_buffer) || this.has_own(&names().buffer_updated) {
            let feed = import(c"asyncio.protocols", c"_feed_data_to_buffered_proto")?;
            return feed.call([this.as_any(), &Bytes::copy(data)?]).map(drop);
        }
        Self::received(this, data)
    }
}

/// Whether asyncio takes an exception for "later": `SSLWantReadError` and `SSLSyscallError`.
pub(super) fn is_again(exception: &Object) -> bool {
    [c"SSLWantReadError", c"SSLSyscallError"]
        .iter()
        .any(|name| match import(c"ssl", name) {
            Ok(kind) => is_instance_of(exception, &kind),
            Err(raised) => {
                raised.clear();
                false
            }
        })
}

pub(super) fn declare(class: &mut Class<SslProtocol>) {
    class
        .method1(
            c"get_buffer",
            c"get_buffer($self, sizehint, /)\n--\n\nReturn where the transport puts what it reads.",
            SslProtocol::get_buffer,
        )
        .method1(
            c"buffer_updated",
            c"buffer_updated($self, nbytes, /)\n--\n\nTake in what the transport has put there.",
            SslProtocol::buffer_updated,
        )
        .method0(
            c"_do_read",
            c"_do_read($self, /)\n--\n\nHand the program what can be decrypted.",
            SslProtocol::do_read,
        )
        .method0(
            c"_get_read_buffer_size",
            c"_get_read_buffer_size($self, /)\n--\n\nReturn how many bytes have come and are not decrypted yet.",
            |this: &Obj<SslProtocol>| Ok(this.session()?.incoming_len()),
        );
}
