//! What Python sees of a `DatagramTransport`.

use super::DatagramTransport;
use crate::hot::{
    Class, Derived, HotType, Numbered, Obj, Object, Place, PythonClass, Slot, TypeCell, Visit,
};
use crate::transport::common;
use crate::transport::endpoint::Transport;

/// asyncio's class of transports of datagrams, with flow control.
pub(crate) struct Abstract;

impl PythonClass for Abstract {
    type Prefix = [Slot; 5];
    const MODULE: &'static std::ffi::CStr = c"roundel._abstract";
    const NAME: &'static std::ffi::CStr = c"DatagramTransport";
}

impl Numbered for DatagramTransport {
    fn place(&self) -> &Place {
        &self.endpoint.place
    }
}

impl HotType for DatagramTransport {
    type Base = Derived<Abstract>;
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.DatagramTransport";
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The transport of a UDP or Unix socket.")
            .method(
                c"sendto",
                c"sendto($self, /, data, addr=None)\n--\n\nSend a datagram, without waiting until it is sent.\n\nRaises:\n    TypeError: the data are not bytes, a bytearray or a memoryview.\n    ValueError: datagrams go to another address only.",
                Self::send_to,
            )
            .property(
                c"_extra",
                |this: &Obj<Self>| this.extra.get(),
                |this: &Obj<Self>, extra: &Object| {
                    this.extra.set(Some(extra.clone()));
                    Ok(())
                },
            )
            .getter(c"_address", |this: &Obj<Self>| this.address.get());
        common::declare(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        self.endpoint.traverse(visit);
        visit.slot(&self.extra);
        visit.slot(&self.address);
        self.backlog
            .traverse(visit, |(_, address), visit| visit.object(address));
    }

    fn clear(&self) {
        self.endpoint.clear();
        self.extra.set(None);
        self.address.set(None);
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
