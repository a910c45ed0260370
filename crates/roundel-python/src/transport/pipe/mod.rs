//! `ReadPipeTransport`, `WritePipeTransport`: the transports of the ends of a pipe, of a terminal and the like.
//!
//! - here: what both have in common;
//! - `reading`, `writing`: one each.

mod reading;
mod writing;

pub(super) use reading::ReadPipeTransport;
pub(super) use writing::WritePipeTransport;

use super::descriptor::Descriptor;
use super::endpoint::Transport;
use crate::event_loop::EventLoop;
use crate::hot::{
    Args, Class, IntoObject, Obj, Object, Raised, Result, Signature, Slot, exceptions, none,
};
use crate::names::names;

/// A transport of an end of a pipe.
trait Pipe: Transport {
    /// A dictionary of what is known of it.
    fn extra(&self) -> &Slot;

    /// Makes it of `(loop, pipe, protocol, waiter, extra)`; the pipe does not block.
    fn set_up(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<5> = Signature::function(
            "pipe_transport",
            [c"loop", c"pipe", c"protocol", c"waiter", c"extra"],
        );
        let given = SIGNATURE.bind(args)?;
        let [event_loop, pipe, protocol, waiter, extra] =
            given.map(|given| given.cloned().unwrap_or_else(none));
        let Some(event_loop) = event_loop.downcast::<EventLoop>() else {
            let text = "a native transport needs a native loop";
            return Err(Raised::new(&exceptions::type_error(), text));
        };
        extra.dict_set(&names().pipe, &pipe)?;
        this.extra().set(Some(extra));
        let endpoint = this.endpoint();
        endpoint.set_protocol(&protocol)?;
        endpoint.descriptor.become_of(&Descriptor::of(&pipe)?);
        endpoint.event_loop.set(Some(event_loop.clone()));
        Self::start(this, event_loop, &protocol, waiter.not_none())
    }

    /// What is known under a name.
    fn known(&self, name: &Object) -> Result<Option<Object>> {
        match self.extra().get() {
            Some(extra) => extra.dict_get(name),
            None => Ok(None),
        }
    }

    /// In debug mode: logs that the other end was closed.
    fn log_closed_by_peer(this: &Obj<Self>) -> Result<()> {
        match this.endpoint().event_loop.get() {
            Some(event_loop) if event_loop.is_debug() => {
                let text = "%r was closed by peer".into_object()?;
                super::endpoint::log("info", &[text, this.as_any().clone()])
            }
            _ => Ok(()),
        }
    }

    /// What `__repr__` says: with the state that `polls` finds among whether it is watched to read and to write.
    fn describe_pipe(this: &Obj<Self>, polls: fn((bool, bool)) -> bool) -> Result<Vec<String>> {
        let endpoint = this.endpoint();
        let is_open = endpoint.descriptor.is_open();
        let mut parts = vec![this.as_any().type_name()?];
        if !is_open {
            parts.push(String::from("closed"));
        } else if endpoint.closing.get() {
            parts.push(String::from("closing"));
        }
        let fd = endpoint.descriptor.number();
        parts.push(format!("fd={fd}"));
        let event_loop = endpoint.event_loop.get();
        let watched = event_loop.and_then(|event_loop| event_loop.polls(fd));
        parts.push(String::from(match watched.map(polls) {
            _ if !is_open => "closed",
            Some(true) => "polling",
            Some(false) => "idle",
            None => "open",
        }));
        Ok(parts)
    }
}

/// Declares what asyncio's own code, and tests, use of a pipe transport.
fn declare<T: Pipe>(class: &mut Class<T>) {
    class
        .method1(
            c"_close",
            c"_close($self, exc, /)\n--\n\nClose the pipe at once because of an exception.",
            |this: &Obj<T>, exception: &Object| T::force_close(this, exception.not_none()),
        )
        .method1(
            c"_call_connection_lost",
            c"_call_connection_lost($self, exc, /)\n--\n\nTell the protocol that the connection is lost, and close the pipe.",
            T::lose,
        )
        .getter(c"_loop", |this: &Obj<T>| this.endpoint().event_loop.get())
        .getter(c"_protocol", |this: &Obj<T>| this.endpoint().protocol.get())
        .property(
            c"_pipe",
            |this: &Obj<T>| this.endpoint().descriptor.socket(),
            |this: &Obj<T>, pipe: &Object| {
                let descriptor = &this.endpoint().descriptor;
                descriptor.exchange(pipe.not_none().cloned());
                Ok(())
            },
        )
        .getter(c"_fileno", |this: &Obj<T>| {
            i64::from(this.endpoint().descriptor.number())
        })
        .getter(c"_closing", |this: &Obj<T>| this.endpoint().closing.get())
        .property(
            c"_extra",
            |this: &Obj<T>| this.extra().get(),
            |this: &Obj<T>, extra: &Object| {
                this.extra().set(Some(extra.clone()));
                Ok(())
            },
        );
}
