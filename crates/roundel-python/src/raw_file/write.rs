//! `RawFile.write`.

use std::io;
use std::rc::Rc;

use roundel::{Attempt, Started, Transfer};

use super::{Pending, RawFile, TRANSFER_AT_MOST, is_exit};
use crate::event_loop::{EventLoop, Watched, os_error};
use crate::hot::{Buffer, IntoObject, Obj, Object, Result, none};
use crate::waiter::{Operation, Poll, Waiter};

/// What a pipe that is ready takes without making its writer wait.
const PIPE_TAKES: usize = 4096;

static WRITE: Operation = Operation::new("RawFile.write", poll, interrupt);

pub(super) fn write(this: &Obj<RawFile>, data: &Object) -> Obj<Waiter> {
    let (owner, data) = (this.as_any().clone(), data.clone());
    Waiter::create(&WRITE, Some(owner), Some(data), 0.0)
}

fn poll(waiter: &Obj<Waiter>, woken: bool) -> Poll {
    let file: &Obj<RawFile> = waiter.owner();
    if !woken && let Err(raised) = file.begin() {
        return Poll::Failed(raised);
    }
    write_on(file, waiter, woken).unwrap_or_else(|raised| {
        file.end();
        Poll::Failed(raised)
    })
}

fn write_on(file: &Obj<RawFile>, waiter: &Obj<Waiter>, woken: bool) -> Result<Poll> {
    let event_loop = file.event_loop()?;
    let pending = if woken {
        file.take_pending()
    } else {
        Pending::Nothing
    };
    let is_ready = matches!(pending, Pending::Descriptor(_));
    if let Pending::Transfer(started) = pending
        && let Some(poll) = settle(file, waiter, started)?
    {
        return Ok(poll);
    }
    let data = Buffer::of(&waiter.item().unwrap_or_else(none))?;
    while file.taken.get() < data.len() {
        let attempt = data.read(|data| {
            event_loop.write_now(file.fd.get(), offset(file), &data[file.taken.get()..])
        });
        match attempt.map_err(|error| os_error(&error))? {
            Attempt::NotInThisTurn => return Ok(Poll::Yield),
            Attempt::Done(0) | Attempt::Blocks => {
                return wait(file, &event_loop, waiter, &data, is_ready);
            }
            Attempt::Done(length) => file.count(length),
        }
    }
    let length = file.taken.get();
    file.end();
    length.into_object().map(Poll::Ready)
}

fn wait(
    file: &Obj<RawFile>,
    event_loop: &Obj<EventLoop>,
    waiter: &Obj<Waiter>,
    data: &Buffer,
    is_ready: bool,
) -> Result<Poll> {
    if !is_ready && file.watch(event_loop, Watched::ForWriting, waiter)? {
        return Ok(Waiter::park(waiter));
    }
    let limit = if is_ready {
        PIPE_TAKES
    } else {
        TRANSFER_AT_MOST
    };
    let part = data.read(|data| {
        let rest = &data[file.taken.get()..];
        rest[..rest.len().min(limit)].to_vec()
    });
    let length = part.len();
    let transfer = Transfer::write(file.fd.get(), offset(file), part);
    file.start(event_loop, transfer, length, waiter)
}

fn offset(file: &Obj<RawFile>) -> Option<u64> {
    file.offset().filter(|_| !file.appends.get())
}

/// Does with a transfer what there is to do; gives what follows, or nothing if there is more to be written.
fn settle(file: &Obj<RawFile>, waiter: &Obj<Waiter>, started: Rc<Started>) -> Result<Option<Poll>> {
    let Some((result, _)) = started.take() else {
        return Ok(Some(file.wait_for(started, waiter)));
    };
    if let Ok(length) = result {
        file.count(length);
    }
    if let Some(error) = waiter.take_error() {
        file.end();
        return Ok(Some(Poll::raise(&error)));
    }
    match result {
        Ok(0) => Err(os_error(&io::ErrorKind::WriteZero.into())),
        Ok(_) => Ok(None),
        Err(error) => Err(os_error(&error)),
    }
}

/// Ends when the kernel is done with what it has begun, so that one knows what is in the file.
fn interrupt(waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    let file: &Obj<RawFile> = waiter.owner();
    if let Pending::Transfer(started) = file.take_pending() {
        match started.take() {
            Some((result, _)) => file.count(result.unwrap_or(0)),
            // There is no waiting any more. It will be done, as far as one can tell.
            None if is_exit(exception) => file.count(file.at_stake.get()),
            None => return file.raise_later(started, waiter, exception),
        }
    }
    file.end();
    Poll::raise(exception)
}
