//! `drain`, `wait_closed`: what waits for a transport to take more, or to be closed.
//!
//! Where the protocol is ours it keeps the waiters; anybody else's is asked what to await.

use super::protocol::StreamReaderProtocol;
use super::reader::StreamReader;
use super::writer::StreamWriter;
use crate::hot::{Obj, Object, Result, Sent, await_iterator, none, send, throw_into};
use crate::names::names;
use crate::waiter::{Operation, Poll, Stage, Waiter, attempt, nothing_to_pass_on};

pub(super) static DRAIN: Operation = Operation::new(
    "StreamWriter.drain",
    |waiter, woken| {
        let writer = waiter.owner::<StreamWriter>();
        match waiter.stage() {
            Stage::Starting => {
                attempt!(check_reader(writer));
                if attempt!(writer.is_closing()) {
                    // Others may run, and hear of the end of the connection, even if this is called in a loop.
                    waiter.set_stage(Stage::Waiting);
                    return Poll::Yield;
                }
                begin_drain(writer, waiter)
            }
            Stage::Waiting => begin_drain(writer, waiter),
            Stage::Returning => go_on(writer, waiter, |protocol| protocol.drain(waiter, woken)),
        }
    },
    interrupt,
);

pub(super) static WAIT_CLOSED: Operation = Operation::new(
    "StreamWriter.wait_closed",
    |waiter, woken| {
        let writer = waiter.owner::<StreamWriter>();
        if !woken && writer.native_protocol(&names()._get_close_waiter).is_none() {
            let protocol = writer.protocol();
            let close_waiter = protocol.call_method(&names()._get_close_waiter, [writer.as_any()]);
            attempt!(delegate(waiter, close_waiter));
        }
        go_on(writer, waiter, |protocol| {
            protocol.wait_closed(waiter, woken)
        })
    },
    interrupt,
);

pub(super) static DRAIN_HELPER: Operation = Operation::new(
    "StreamReaderProtocol._drain_helper",
    |waiter, woken| waiter.owner::<StreamReaderProtocol>().drain(waiter, woken),
    nothing_to_pass_on,
);

/// Raises what the reader would raise.
fn check_reader(writer: &Obj<StreamWriter>) -> Result<()> {
    let Some(reader) = writer.reader() else {
        return Ok(());
    };
    if let Some(native) = reader.downcast_with::<StreamReader>(&names().exception) {
        return native.check();
    }
    match reader.call_method(&names().exception, [])?.not_none() {
        Some(exception) => Err(crate::hot::Raised::throw(exception)),
        None => Ok(()),
    }
}

fn begin_drain(writer: &Obj<StreamWriter>, waiter: &Obj<Waiter>) -> Poll {
    waiter.set_stage(Stage::Returning);
    if writer.native_protocol(&names()._drain_helper).is_none() {
        let helper = writer.protocol().call_method(&names()._drain_helper, []);
        attempt!(delegate(waiter, helper));
    }
    go_on(writer, waiter, |protocol| protocol.drain(waiter, false))
}

/// Has a waiter await what a foreign protocol gave.
fn delegate(waiter: &Obj<Waiter>, awaitable: Result<Object>) -> Result<()> {
    waiter.set_delegate(await_iterator(&awaitable?)?);
    Ok(())
}

/// Goes on with what is awaited, or else with our protocol.
fn go_on(
    writer: &Obj<StreamWriter>,
    waiter: &Obj<Waiter>,
    step: impl FnOnce(&Obj<StreamReaderProtocol>) -> Poll,
) -> Poll {
    if let Some(delegate) = waiter.delegate() {
        return follow(send(&delegate));
    }
    match writer.protocol().downcast_exact() {
        Some(protocol) => step(protocol),
        None => Poll::Ready(none()),
    }
}

fn follow(sent: Sent) -> Poll {
    match sent {
        Sent::Yielded(awaited) => Poll::Delegated(awaited),
        Sent::Returned(_) => Poll::Ready(none()),
        Sent::Raised(raised) => Poll::Failed(raised),
    }
}

fn interrupt(waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    match waiter.delegate() {
        Some(delegate) => follow(throw_into(&delegate, exception.clone())),
        None => Poll::raise(exception),
    }
}
