//! `Clients`: the connections of a server, as asyncio's `Server` keeps them from 3.13 on.
//!
//! It takes the place of a `WeakSet`. Transports of ours are linked with one another, which takes no weak reference and
//! no Python code; a server is called when the last one leaves.

use super::stream::StreamTransport;
use crate::hot::{
    Args, Class, HotType, IntoObject, Link, Linked, Obj, Object, Registry, Result, Signature, Slot,
    TypeCell, Visit, none,
};
use crate::names::names;

/// The connections of a server.
pub(super) struct Clients {
    ours: Registry<StreamTransport>,
    /// A `WeakSet` of all others.
    others: Slot,
}

impl Clients {
    /// `clients(others)`: one that keeps in a `WeakSet` what is not ours.
    pub(super) fn make(args: &Args<'_>) -> Result<Obj<Self>> {
        static SIGNATURE: Signature<1> = Signature::function("clients", [c"others"]);
        let [others] = SIGNATURE.bind(args)?;
        Ok(Obj::create(Self {
            ours: Registry::new(),
            others: Slot::new(others.cloned()),
        }))
    }

    /// Those of a server, if it is one that still listens.
    fn of(server: &Object) -> Result<Option<Obj<Self>>> {
        let clients = server.attr_opt(&names()._clients)?;
        let ours = clients.and_then(Object::downcast_into::<Self>);
        if ours.is_none() || !listens(server)? {
            return Ok(None);
        }
        Ok(ours)
    }

    fn others(&self) -> Object {
        self.others.get().unwrap_or_else(none)
    }

    fn add(this: &Obj<Self>, client: &Object) -> Result<()> {
        match client.downcast_exact::<StreamTransport>() {
            Some(native) => this.enter(native),
            None => this
                .others()
                .call_method(&names().add, [client])
                .map(drop)?,
        }
        Ok(())
    }

    fn enter(&self, native: &Obj<StreamTransport>) {
        Registry::<StreamTransport>::forget(native.link());
        self.ours.enter(native);
    }

    fn discard(this: &Obj<Self>, client: &Object) -> Result<()> {
        if let Some(native) = client.downcast_exact::<StreamTransport>() {
            Registry::<StreamTransport>::forget(native.link());
            return Ok(());
        }
        this.others()
            .call_method(&names().discard, [client])
            .map(drop)
    }

    fn copy(this: &Obj<Self>) -> Result<Vec<Object>> {
        let ours = this.ours.to_vec().into_iter().map(Obj::into_any);
        let others = names().list.call([&this.others()])?.to_vec()?;
        Ok(ours.chain(others).collect())
    }

    fn len(this: &Obj<Self>) -> Result<usize> {
        Ok(this.ours.to_vec().len() + this.others().length()?)
    }
}

fn listens(server: &Object) -> Result<bool> {
    Ok(!server.attr(&names()._sockets)?.is_none())
}

/// `server._attach(transport)`.
pub(super) fn attach(server: &Object, transport: &Object) -> Result<()> {
    // Before 3.13 a server only counts its connections.
    if !cfg!(Py_3_13) {
        return server.call_method(&names()._attach, []).map(drop);
    }
    if let Some(native) = transport.downcast_exact::<StreamTransport>()
        && let Some(clients) = Clients::of(server)?
    {
        clients.enter(native);
        return Ok(());
    }
    server.call_method(&names()._attach, [transport]).map(drop)
}

/// `server._detach(transport)`.
pub(super) fn detach(server: &Object, transport: &Object) -> Result<()> {
    if !cfg!(Py_3_13) {
        return server.call_method(&names()._detach, []).map(drop);
    }
    if let Some(native) = transport.downcast_exact::<StreamTransport>() {
        // Whether the server still listens matters to the last one alone.
        if let Some(others) = Registry::<StreamTransport>::forget(native.link())
            && (others || listens(server)?)
        {
            return Ok(());
        }
    }
    server.call_method(&names()._detach, [transport]).map(drop)
}

impl HotType for Clients {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Clients";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"The connections of a server, as in a set of weak references.")
            .length(Self::len)
            .iterable(|this: &Obj<Self>| names().iter.call([&Self::copy(this)?.into_object()?]))
            .method1(
                c"add",
                c"add($self, transport, /)\n--\n\nAdd a connection.",
                Self::add,
            )
            .method1(
                c"discard",
                c"discard($self, transport, /)\n--\n\nRemove a connection, if it is there.",
                Self::discard,
            )
            .method0(
                c"copy",
                c"copy($self, /)\n--\n\nReturn the connections that there are now.",
                Self::copy,
            );
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.others);
    }

    fn clear(&self) {
        self.others.set(None);
    }
}

impl Linked for StreamTransport {
    fn link(&self) -> &Link {
        &self.link
    }
}
