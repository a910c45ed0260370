//! `StreamReaderProtocol`: hands a reader what a transport receives, and tells writers when they may go on.

mod class;

use std::cell::Cell;

use super::reader::StreamReader;
use super::writer::StreamWriter;
use crate::callback::{Action, Callback};
use crate::future_ref::FutureRef;
use crate::hot::{
    Args, Bytes, IntoObject, Obj, Object, PythonClass, Raised, Result, Slot, copy_context,
    exceptions, none,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::transport::StreamTransport;
use crate::transport::receiver::Receiver;
use crate::waiter::{Poll, Waiter, Waiters};

/// `asyncio.Protocol`.
pub(crate) struct Protocol;

impl PythonClass for Protocol {
    type Prefix = ();
    const MODULE: &'static std::ffi::CStr = c"asyncio.protocols";
    const NAME: &'static std::ffi::CStr = c"Protocol";
}

/// The protocol of a stream (`asyncio.StreamReaderProtocol`).
#[derive(Default)]
pub(crate) struct StreamReaderProtocol {
    /// A weak reference: a reader that nobody reads is not kept by its connection.
    reader: Slot,
    /// The reader of an accepted connection, until somebody is given it.
    strong_reader: Slot,
    /// The writer of an accepted connection, before 3.13.
    writer: Slot,
    client_connected: Slot,
    task: Slot,
    transport: Slot,
    event_loop: Slot,
    source_traceback: Slot,
    /// Who waits for the transport to take more.
    drainers: Waiters,
    /// Who waits for the end of the connection.
    closers: Waiters,
    /// What others wait for the end with: made when somebody asks.
    closed: Slot,
    /// What ended the connection, if that was an error.
    error: Slot,
    paused: Cell<bool>,
    /// The connection has ended.
    lost: Cell<bool>,
    over_ssl: Cell<bool>,
    reject_connection: Cell<bool>,
}

/// For writers.
impl StreamReaderProtocol {
    /// A step of a wait for the transport to take more.
    pub(super) fn drain(&self, waiter: &Obj<Waiter>, woken: bool) -> Poll {
        if woken {
            return woken_by(waiter);
        }
        if self.lost.get() {
            let text = "Connection lost";
            return Poll::Failed(Raised::new(&exceptions::connection_reset_error(), text));
        }
        if self.paused.get() {
            return self.drainers.park(waiter);
        }
        Poll::Ready(none())
    }

    /// A step of a wait for the end of the connection.
    pub(super) fn wait_closed(&self, waiter: &Obj<Waiter>, woken: bool) -> Poll {
        if woken {
            return woken_by(waiter);
        }
        if !self.lost.get() {
            return self.closers.park(waiter);
        }
        match self.error.get() {
            Some(error) => Poll::raise(&error),
            None => Poll::Ready(none()),
        }
    }
}

/// What a wait came to.
fn woken_by(waiter: &Obj<Waiter>) -> Poll {
    match waiter.take_error() {
        Some(error) => Poll::raise(&error),
        None => Poll::Ready(none()),
    }
}

/// For transports.
impl StreamReaderProtocol {
    fn reader(&self) -> Option<Object> {
        self.reader.get().and_then(|weak| weak.referent())
    }

    /// Hands data to the reader, if somebody still has it.
    #[inline]
    fn feed(&self, bytes: &[u8]) -> Result<()> {
        let Some(reader) = self.reader() else {
            return Ok(());
        };
        if let Some(native) = reader.downcast_with::<StreamReader>(&names().feed_data) {
            return StreamReader::feed(native, bytes);
        }
        let data = Bytes::copy(bytes)?;
        reader.call_method(&names().feed_data, [&data]).map(drop)
    }

    fn feed_eof(&self) -> Result<()> {
        match self.reader() {
            None => Ok(()),
            Some(reader) => match reader.downcast_with::<StreamReader>(&names().feed_eof) {
                Some(native) => StreamReader::feed_eof(native),
                None => reader.call_method(&names().feed_eof, []).map(drop),
            },
        }
    }

    fn eof_received(this: &Obj<Self>) -> Result<bool> {
        this.feed_eof()?;
        // To stay open is more than TLS can do.
        Ok(!this.over_ssl.get())
    }

    fn pause_writing(this: &Obj<Self>) -> Result<()> {
        if this.paused.get() {
            return Err(Raised::throw(&exceptions::assertion_error()));
        }
        this.paused.set(true);
        Self::log(this, "%r pauses writing")
    }

    fn resume_writing(this: &Obj<Self>) -> Result<()> {
        if !this.paused.get() {
            return Err(Raised::throw(&exceptions::assertion_error()));
        }
        this.paused.set(false);
        Self::log(this, "%r resumes writing")?;
        this.drainers.release_all()
    }

    fn log(this: &Obj<Self>, text: &str) -> Result<()> {
        if this.loop_ref().is_debug()? {
            let logger = names().base_events.attr(&names().logger)?;
            logger.call_method(&names().debug, [&text.into_object()?, this.as_any()])?;
        }
        Ok(())
    }

    fn event_loop(&self) -> Object {
        self.event_loop.get().unwrap_or_else(none)
    }

    fn loop_ref(&self) -> LoopRef {
        LoopRef::of(&self.event_loop())
    }

    fn use_transport(&self, transport: &Object) -> Result<()> {
        self.transport.set(Some(transport.clone()));
        let name = &names().sslcontext;
        let context = match transport.downcast_with::<StreamTransport>(&names().get_extra_info) {
            Some(native) => StreamTransport::find_extra(native, name)?.unwrap_or_else(none),
            None => transport.call_method(&names().get_extra_info, [name])?,
        };
        self.over_ssl.set(!context.is_none());
        Ok(())
    }

    /// Goes on with another transport, and the reader with it.
    fn replace_transport(&self, transport: &Object) -> Result<()> {
        self.use_transport(transport)?;
        let Some(reader) = self.reader() else {
            return Ok(());
        };
        // asyncio's has it from 3.14 on.
        match reader.attr_opt(&names()._replace_transport)? {
            Some(replace) => replace.call([transport]).map(drop),
            None => Ok(()),
        }
    }

    fn connection_made(this: &Obj<Self>, transport: &Object) -> Result<()> {
        if this.reject_connection.get() {
            return this.reject(transport);
        }
        this.transport.set(Some(transport.clone()));
        let reader = this.reader();
        if let Some(reader) = &reader {
            match reader.downcast_with::<StreamReader>(&names().set_transport) {
                Some(native) => StreamReader::set_transport(native, transport)?,
                None => drop(reader.call_method(&names().set_transport, [transport])?),
            }
        }
        this.use_transport(transport)?;
        if let Some(callback) = this.client_connected.get() {
            Self::client_connected(this, &callback, transport, reader)?;
            this.strong_reader.set(None);
        }
        Ok(())
    }

    #[cold]
    fn reject(&self, transport: &Object) -> Result<()> {
        let text = "An open stream was garbage collected prior to establishing network connection; \
                    call \"stream.close()\" explicitly.";
        let context = Object::new_dict()?;
        context.dict_set(&names().message, &text.into_object()?)?;
        if let Some(traceback) = self.source_traceback.get()
            && traceback.truth()?
        {
            context.dict_set(&names().source_traceback, &traceback)?;
        }
        self.loop_ref().call_exception_handler(&context)?;
        transport.call_method(&names().abort, []).map(drop)
    }

    /// Calls the server's function with the new stream; runs what it gives, if that is a coroutine.
    fn client_connected(
        this: &Obj<Self>,
        callback: &Object,
        transport: &Object,
        reader: Option<Object>,
    ) -> Result<()> {
        let event_loop = this.event_loop.get();
        let writer =
            StreamWriter::create(transport, this.as_any(), reader.clone(), event_loop).into_any();
        if cfg!(not(Py_3_13)) {
            this.writer.set(Some(writer.clone()));
        }
        let called = match callback.call([&reader.unwrap_or_else(none), &writer]) {
            Ok(called) => called,
            Err(raised) if cfg!(Py_3_14) && raised.matches(&exceptions::exception()) => {
                return close_failed(&this.event_loop(), transport, &raised.fetch());
            }
            Err(raised) => return Err(raised),
        };
        let is_coroutine =
            called.is_coroutine() || names().is_coroutine.call([&called])?.truth()?;
        if !is_coroutine {
            return Ok(());
        }
        let task = this.loop_ref().create_task(&Args::from_slice(&[called]))?;
        this.task.set(Some(task.clone()));
        let item = Some(this.event_loop());
        let ended = Callback::create(&CLIENT_DONE, transport.clone(), item);
        FutureRef::of(&task).call_when_done(&ended, &copy_context()?)
    }

    fn connection_lost(this: &Obj<Self>, error: &Object) -> Result<()> {
        let error = error.not_none();
        match (this.reader(), error) {
            (None, _) => {}
            (Some(_), None) => this.feed_eof()?,
            (Some(reader), Some(error)) => {
                reader.call_method(&names().set_exception, [error])?;
            }
        }
        if !this.lost.get() {
            this.error.set(error.cloned());
            this.settle_closed(error)?;
        }
        this.lost.set(true);
        match error {
            None => this.closers.release_all()?,
            Some(error) => this.closers.fail_all(error)?,
        }
        if this.paused.get() {
            match error {
                None => this.drainers.release_all()?,
                Some(error) => this.drainers.fail_all(error)?,
            }
        }
        this.reader.set(None);
        this.writer.set(None);
        this.task.set(None);
        this.transport.set(None);
        Ok(())
    }

    /// The future that is done when the connection has ended.
    fn closed(&self) -> Result<Object> {
        if let Some(closed) = self.closed.get() {
            return Ok(closed);
        }
        let closed = self.loop_ref().create_future()?;
        self.closed.set(Some(closed.clone()));
        if self.lost.get() {
            self.settle_closed(self.error.get().as_ref())?;
        }
        Ok(closed)
    }

    fn settle_closed(&self, error: Option<&Object>) -> Result<()> {
        let Some(closed) = self.closed.get() else {
            return Ok(());
        };
        if closed.call_method(&names().done, [])?.truth()? {
            return Ok(());
        }
        match error {
            Some(error) => closed.call_method(&names().set_exception, [error])?,
            None => closed.call_method(&names().set_result, [&none()])?,
        };
        Ok(())
    }

    /// Takes note of the exception in the future, which is nobody's fault if nobody asked.
    fn retrieve_closed(&self) -> Result<()> {
        let Some(closed) = self.closed.get() else {
            return Ok(());
        };
        let done = closed.call_method(&names().done, [])?.truth()?;
        if done && !closed.call_method(&names().cancelled, [])?.truth()? {
            closed.call_method(&names().exception, [])?;
        }
        Ok(())
    }
}

impl Receiver for StreamReaderProtocol {
    #[inline]
    fn data_received(this: &Obj<Self>, data: &[u8]) -> Result<()> {
        if this.has_own(&names().data_received) {
            let protocol = this.as_any();
            return protocol
                .call_method(&names().data_received, [&Bytes::copy(data)?])
                .map(drop);
        }
        this.feed(data)
    }
}

/// Closes the transport of a client whose task has failed or was cancelled.
static CLIENT_DONE: Action = Action {
    name: "StreamReaderProtocol.connection_made.<locals>.callback",
    run: |callback, task| {
        let (Some(transport), Some(task)) = (callback.subject(), task) else {
            return Ok(());
        };
        let task = FutureRef::of(task);
        if task.is_cancelled()? {
            return transport.call_method(&names().close, []).map(drop);
        }
        match task.exception()? {
            Some(exception) => {
                let event_loop = callback.item().unwrap_or_else(none);
                close_failed(&event_loop, &transport, &exception)
            }
            None => Ok(()),
        }
    },
};

/// Reports what a server's function or its task has failed with, and closes the client's transport.
#[cold]
fn close_failed(event_loop: &Object, transport: &Object, exception: &Object) -> Result<()> {
    let context = Object::new_dict()?;
    let text = "Unhandled exception in client_connected_cb".into_object()?;
    context.dict_set(&names().message, &text)?;
    context.dict_set(&names().exception, exception)?;
    context.dict_set(&names().transport, transport)?;
    event_loop.call_method(&names().call_exception_handler, [&context])?;
    transport.call_method(&names().close, []).map(drop)
}
