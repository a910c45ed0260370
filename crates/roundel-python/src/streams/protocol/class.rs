//! The protocol of a stream as Python sees it.

use super::{Protocol, StreamReaderProtocol};
use crate::hot::{
    Args, Bytes, Class, Derived, HotType, Obj, Object, Result, Signature, Slot, TypeCell, Visit,
};
use crate::names::names;
use crate::streams::flow::DRAIN_HELPER;
use crate::streams::reader::{StreamReader, loop_or_current};
use crate::waiter::{Waiter, WaitersView};

/// As Python calls it.
impl StreamReaderProtocol {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<3> = Signature::method(
            "StreamReaderProtocol.__init__",
            [c"stream_reader", c"client_connected_cb", c"loop"],
        )
        .required(1);
        let [reader, callback, event_loop] = SIGNATURE.bind(args)?;
        let event_loop = loop_or_current(event_loop)?;
        let [reader, callback] = [reader, callback].map(|given| given.and_then(Object::not_none));
        Self::begin(this, reader, callback, &event_loop)
    }

    /// Gives a new protocol what it begins with.
    pub(in crate::streams) fn begin(
        this: &Obj<Self>,
        reader: Option<&Object>,
        callback: Option<&Object>,
        event_loop: &Object,
    ) -> Result<()> {
        this.event_loop.set(Some(event_loop.clone()));
        if let Some(reader) = reader {
            this.reader.set(Some(reader.weak_reference()?));
            let traceback = match reader.downcast_exact::<StreamReader>() {
                Some(native) => native.source_traceback(),
                None => Some(reader.attr(&names()._source_traceback)?),
            };
            this.source_traceback.set(traceback);
            if callback.is_some() {
                this.strong_reader.set(Some(reader.clone()));
            }
        }
        this.client_connected.set(callback.cloned());
        Ok(())
    }

    fn receive(this: &Obj<Self>, data: &Object) -> Result<()> {
        if let Some(bytes) = Bytes::read(data) {
            return this.feed(bytes);
        }
        match this.reader() {
            Some(reader) => reader.call_method(&names().feed_data, [data]).map(drop),
            None => Ok(()),
        }
    }
}

impl HotType for StreamReaderProtocol {
    type Base = Derived<Protocol>;
    const NAME: &'static std::ffi::CStr = c"roundel.StreamReaderProtocol";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"StreamReaderProtocol(stream_reader, client_connected_cb=None, loop=None)\n--\n\nThe protocol between a transport and a stream (asyncio.StreamReaderProtocol).")
            .init(Self::init)
            .getter(c"__class__", |this: &Obj<Self>| {
                if this.is_exact() {
                    names().stream_reader_protocol.clone()
                } else {
                    this.as_any().type_of()
                }
            });
        declare_protocol(class);
        declare_flow(class);
        declare_state(class);
        declare_references(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        for slot in self.slots() {
            visit.slot(slot);
        }
        self.drainers.traverse(visit);
        self.closers.traverse(visit);
    }

    fn clear(&self) {
        for slot in self.slots() {
            slot.set(None);
        }
        self.drainers.clear();
        self.closers.clear();
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.closed.is_set()
    }

    fn finalize(this: &Obj<Self>) {
        if let Err(raised) = this.retrieve_closed() {
            raised.unraisable(this.as_any());
        }
    }
}

impl StreamReaderProtocol {
    fn slots(&self) -> [&Slot; 10] {
        [
            &self.reader,
            &self.strong_reader,
            &self.writer,
            &self.client_connected,
            &self.task,
            &self.transport,
            &self.event_loop,
            &self.source_traceback,
            &self.closed,
            &self.error,
        ]
    }
}

fn declare_protocol(class: &mut Class<StreamReaderProtocol>) {
    class
        .method_of_one(
            c"connection_made",
            c"connection_made($self, /, transport)\n--\n\nHear of the transport; call the server's function with the new stream.",
            || const { &Signature::method("StreamReaderProtocol.connection_made", [c"transport"]) },
            StreamReaderProtocol::connection_made,
        )
        .method_of_one(
            c"data_received",
            c"data_received($self, /, data)\n--\n\nHand data to the reader.",
            || const { &Signature::method("StreamReaderProtocol.data_received", [c"data"]) },
            StreamReaderProtocol::receive,
        )
        .method0(
            c"eof_received",
            c"eof_received($self, /)\n--\n\nTell the reader that nothing more will come; return True if the transport may stay open.",
            StreamReaderProtocol::eof_received,
        )
        .method_of_one(
            c"connection_lost",
            c"connection_lost($self, /, exc)\n--\n\nTell the reader, and all who wait, that the connection has ended.",
            || const { &Signature::method("StreamReaderProtocol.connection_lost", [c"exc"]) },
            StreamReaderProtocol::connection_lost,
        );
}

fn declare_flow(class: &mut Class<StreamReaderProtocol>) {
    class
        .method0(
            c"pause_writing",
            c"pause_writing($self, /)\n--\n\nHave writers wait.",
            StreamReaderProtocol::pause_writing,
        )
        .method0(
            c"resume_writing",
            c"resume_writing($self, /)\n--\n\nLet writers go on.",
            StreamReaderProtocol::resume_writing,
        )
        .method0(
            c"_drain_helper",
            c"_drain_helper($self, /)\n--\n\nWait until writers may go on.",
            |this: &Obj<StreamReaderProtocol>| Waiter::on(&DRAIN_HELPER, this),
        )
        .method1(
            c"_get_close_waiter",
            c"_get_close_waiter($self, stream, /)\n--\n\nReturn the future that is done when the connection has ended.",
            |this: &Obj<StreamReaderProtocol>, _: &Object| this.closed(),
        )
        .method1(
            c"_replace_transport",
            c"_replace_transport($self, transport, /)\n--\n\nGo on with another transport.",
            |this: &Obj<StreamReaderProtocol>, transport: &Object| this.replace_transport(transport),
        )
        .method1(
            c"_replace_writer",
            c"_replace_writer($self, writer, /)\n--\n\nGo on with the transport of another writer; until 3.12.",
            |this: &Obj<StreamReaderProtocol>, writer: &Object| {
                let transport = writer.attr(&names().transport)?;
                this.writer.set(Some(writer.clone()));
                this.replace_transport(&transport)
            },
        );
}

/// The attributes of asyncio's own that programs read and set.
fn declare_state(class: &mut Class<StreamReaderProtocol>) {
    class
        .getter(c"_stream_reader", |this: &Obj<StreamReaderProtocol>| {
            this.reader()
        })
        .getter(c"_stream_reader_wr", |this: &Obj<StreamReaderProtocol>| {
            this.reader.get()
        })
        .getter(c"_closed", |this: &Obj<StreamReaderProtocol>| this.closed())
        .getter(c"_drain_waiters", |this: &Obj<StreamReaderProtocol>| {
            WaitersView::of(this, |owner| {
                &owner.known::<StreamReaderProtocol>().drainers
            })
        })
        .getter(c"_connection_lost", |this: &Obj<StreamReaderProtocol>| {
            this.lost.get()
        })
        .property(
            c"_paused",
            |this: &Obj<StreamReaderProtocol>| this.paused.get(),
            |this: &Obj<StreamReaderProtocol>, value: &Object| {
                this.paused.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_over_ssl",
            |this: &Obj<StreamReaderProtocol>| this.over_ssl.get(),
            |this: &Obj<StreamReaderProtocol>, value: &Object| {
                this.over_ssl.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_reject_connection",
            |this: &Obj<StreamReaderProtocol>| this.reject_connection.get(),
            |this: &Obj<StreamReaderProtocol>, value: &Object| {
                this.reject_connection.set(value.truth()?);
                Ok(())
            },
        );
}

fn declare_references(class: &mut Class<StreamReaderProtocol>) {
    class
        .getter(c"_loop", |this: &Obj<StreamReaderProtocol>| {
            this.event_loop.get()
        })
        .getter(c"_task", |this: &Obj<StreamReaderProtocol>| this.task.get())
        .getter(c"_source_traceback", |this: &Obj<StreamReaderProtocol>| {
            this.source_traceback.get()
        })
        .property(
            c"_transport",
            |this: &Obj<StreamReaderProtocol>| this.transport.get(),
            |this: &Obj<StreamReaderProtocol>, value: &Object| {
                this.transport.set(value.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_client_connected_cb",
            |this: &Obj<StreamReaderProtocol>| this.client_connected.get(),
            |this: &Obj<StreamReaderProtocol>, value: &Object| {
                this.client_connected.set(value.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_strong_reader",
            |this: &Obj<StreamReaderProtocol>| this.strong_reader.get(),
            |this: &Obj<StreamReaderProtocol>, value: &Object| {
                this.strong_reader.set(value.not_none().cloned());
                Ok(())
            },
        );
}
