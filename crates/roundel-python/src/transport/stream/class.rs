//! What Python sees of a `StreamTransport`.

use super::StreamTransport;
use crate::hot::{
    Class, Derived, HotType, Numbered, Obj, Object, Place, PythonClass, Registry, Signature, Slot,
    TypeCell, Visit,
};
use crate::transport::common;
use crate::transport::endpoint::Transport;

/// asyncio's class of transports that a protocol can be told to pause writing for.
pub(crate) struct FlowControl;

impl PythonClass for FlowControl {
    type Prefix = [Slot; 5];
    const MODULE: &'static std::ffi::CStr = c"asyncio.transports";
    const NAME: &'static std::ffi::CStr = c"_FlowControlMixin";
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
        class.doc(c"The transport of a TCP or Unix connection.");
        declare_writing(class);
        common::declare(class);
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
        Registry::<Self>::forget(&self.link);
    }

    fn wants_finalizer(this: &Obj<Self>) -> bool {
        this.endpoint.descriptor.is_open()
    }

    fn finalize(this: &Obj<Self>) {
        Self::forgotten(this);
    }
}

fn declare_writing(class: &mut Class<StreamTransport>) {
    class
        .method_of_one(
            c"write",
            c"write($self, /, data)\n--\n\nSend bytes, without waiting until they are sent.\n\nRaises:\n    RuntimeError: write_eof() was called, or a file is being sent.\n    TypeError: the data are not bytes, a bytearray or a memoryview.",
            || const { &Signature::method("StreamTransport.write", [c"data"]) },
            |this: &Obj<StreamTransport>, data: &Object| StreamTransport::write(this, data, false),
        )
        .method_of_one(
            c"writelines",
            c"writelines($self, /, list_of_data)\n--\n\nSend several pieces of bytes.\n\nRaises:\n    RuntimeError: write_eof() was called, or a file is being sent.",
            || const { &Signature::method("StreamTransport.writelines", [c"list_of_data"]) },
            StreamTransport::write_lines,
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
        );
}

/// What asyncio's own code uses of a transport.
fn declare_private(class: &mut Class<StreamTransport>) {
    class
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
        .getter(c"_eof", |this: &Obj<StreamTransport>| this.eof.get())
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
