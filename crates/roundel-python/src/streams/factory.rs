//! `Factory`: makes the protocols of a server's streams.

use super::protocol::StreamReaderProtocol;
use super::reader::StreamReader;
use crate::hot::{
    Args, Class, HotType, Obj, Object, Result, Signature, Slot, TypeCell, Visit, none,
};

/// The protocol factory of a server.
#[derive(Default)]
pub(super) struct Factory {
    event_loop: Slot,
    client_connected: Slot,
    limit: Slot,
}

impl Factory {
    /// `stream_factory(loop, client_connected_cb, limit)`.
    pub(super) fn make(args: &Args<'_>) -> Result<Obj<Self>> {
        static SIGNATURE: Signature<3> = Signature::function(
            "stream_factory",
            [c"loop", c"client_connected_cb", c"limit"],
        );
        let [event_loop, callback, limit] = SIGNATURE.bind(args)?.map(Option::<&Object>::cloned);
        Ok(Obj::create(Self {
            event_loop: Slot::new(event_loop),
            client_connected: Slot::new(callback),
            limit: Slot::new(limit),
        }))
    }

    fn call(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<StreamReaderProtocol>> {
        static SIGNATURE: Signature<0> = Signature::function("factory", []);
        let [] = SIGNATURE.bind(args)?;
        let event_loop = this.event_loop.get().unwrap_or_else(none);
        let reader = Obj::create(StreamReader::default());
        StreamReader::begin(&reader, this.limit.get().as_ref(), &event_loop)?;
        let protocol = Obj::create(StreamReaderProtocol::default());
        let callback = this.client_connected.get();
        let callback = callback.as_ref().and_then(Object::not_none);
        StreamReaderProtocol::begin(&protocol, Some(reader.as_any()), callback, &event_loop)?;
        Ok(protocol)
    }
}

impl HotType for Factory {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.StreamFactory";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Makes the protocols of a server's streams.")
            .callable(Self::call);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.event_loop);
        visit.slot(&self.client_connected);
        visit.slot(&self.limit);
    }

    fn clear(&self) {
        self.event_loop.set(None);
        self.client_connected.set(None);
        self.limit.set(None);
    }
}
