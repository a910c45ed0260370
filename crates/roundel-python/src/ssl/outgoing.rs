//! What the program sends: encrypted and handed to the transport below.

use super::{Phase, Scratch, SslProtocol};
use crate::hot::{
    Buffer, Bytes, Class, Obj, Object, Outcome, Raised, Result, Str, Tuple, exceptions,
};
use crate::names::names;
use crate::transport::StreamTransport;

impl SslProtocol {
    /// `write` of the program's transport.
    fn write_data(this: &Obj<Self>, data: &Object) -> Result<()> {
        let names = names();
        let bytes = Bytes::read(data);
        if bytes.is_none()
            && !data.is_instance(&names.bytearray)?
            && !data.is_instance(&names.memoryview)?
        {
            let text = format!(
                "data: expecting a bytes-like instance, got {}",
                Str::of(&data.type_of().attr(&names.__name__)?)?
            );
            return Err(Raised::new(&exceptions::type_error(), text));
        }
        if this.phase.get() != Phase::Wrapped || this.backlog.get() > 0 {
            if data.truth()? {
                this.as_any().call_method(
                    &names._write_appdata,
                    [&Tuple::of(std::slice::from_ref(data))?],
                )?;
            }
            return Ok(());
        }
        // What may change is copied, so that nobody can change it while it is read.
        let copy = match bytes {
            Some(_) => Vec::new(),
            None => Buffer::of(data)?.read(<[u8]>::to_vec),
        };
        let rest = Self::encrypt(this, bytes.unwrap_or(&copy))?;
        if rest.is_empty() {
            return Self::flush(this);
        }
        let rest = Tuple::of(&[Bytes::copy(rest)?])?;
        this.as_any().call_method(&names._write_appdata, [&rest])?;
        Ok(())
    }

    /// Encrypts `bytes`, and gives back what is left.
    fn encrypt<'a>(this: &Obj<Self>, mut bytes: &'a [u8]) -> Result<&'a [u8]> {
        let session = this.session()?;
        while !bytes.is_empty() {
            match session.write(bytes) {
                Outcome::Bytes(count) => bytes = &bytes[count..],
                // What is wrong is found out by whoever tries again, through `_ssl`.
                _ => break,
            }
        }
        Ok(bytes)
    }

    /// Sends what was encrypted; a failure ends the connection.
    fn flush(this: &Obj<Self>) -> Result<()> {
        match Self::process_outgoing(this) {
            Ok(()) => Ok(()),
            Err(raised) => Self::give_up(this, raised),
        }
    }

    /// Sends what was encrypted, unless the transport below has too much to send already, and sees to the program's pace.
    pub(super) fn process_outgoing(this: &Obj<Self>) -> Result<()> {
        let session = this.session()?;
        if !this.writing_paused.get() {
            let waiting = session.outgoing_len();
            if waiting > 0 {
                let mut scratch = Scratch::new();
                let taken = session.take(&mut scratch.room(0, waiting)[..waiting]);
                let transport = this.transport();
                if let Some(native) = transport.downcast_with::<StreamTransport>(&names().write) {
                    StreamTransport::write_slice(native, scratch.filled(taken))?;
                } else {
                    let data = Bytes::copy(scratch.filled(taken))?;
                    drop(scratch);
                    transport.call_method(&names().write, [&data])?;
                }
            }
        }
        let waiting = this.write_buffer_size()?;
        if this
            .outgoing_limits
            .wants_change(waiting, this.app_writing_paused.get())
        {
            this.as_any()
                .call_method(&names()._control_app_writing, [])?;
        }
        Ok(())
    }

    /// How much waits to be sent, encrypted or not.
    fn write_buffer_size(&self) -> Result<usize> {
        let backlog = usize::try_from(self.backlog.get()).unwrap_or(0);
        Ok(self.session()?.outgoing_len() + backlog)
    }
}

pub(super) fn declare(class: &mut Class<SslProtocol>) {
    class
        .method1(
            c"_write_data",
            c"_write_data($self, data, /)\n--\n\nEncrypt bytes and send them.",
            SslProtocol::write_data,
        )
        .method0(
            c"_process_outgoing",
            c"_process_outgoing($self, /)\n--\n\nSend what was encrypted.",
            SslProtocol::process_outgoing,
        )
        .method0(
            c"_get_write_buffer_size",
            c"_get_write_buffer_size($self, /)\n--\n\nReturn how many bytes wait to be sent.",
            |this: &Obj<SslProtocol>| this.write_buffer_size(),
        );
}
