//! `RawFile.read`.

use std::rc::Rc;

use roundel::{Attempt, Started, Transfer};

use super::{Pending, RawFile, TRANSFER_AT_MOST, is_exit};
use crate::event_loop::{EventLoop, Watched, os_error};
use crate::hot::{Bytes, Obj, Object, Result, Room};
use crate::waiter::{Operation, Poll, Waiter};

static READ: Operation = Operation::new("RawFile.read", poll, interrupt);

#[expect(clippy::cast_precision_loss, reason = "no file is so long")]
pub(super) fn read(this: &Obj<RawFile>, size: &Object) -> Result<Obj<Waiter>> {
    let size = size.to_u64()? as f64;
    Ok(Waiter::create(
        &READ,
        Some(this.as_any().clone()),
        None,
        size,
    ))
}

fn poll(waiter: &Obj<Waiter>, woken: bool) -> Poll {
    let file: &Obj<RawFile> = waiter.owner();
    if let Err(raised) = begin(file, waiter, woken) {
        return Poll::Failed(raised);
    }
    let read = read_on(file, waiter, woken);
    read.unwrap_or_else(|raised| {
        if file.taken.get() == 0 {
            file.end();
            return Poll::Failed(raised);
        }
        // It is raised again when the rest is asked for.
        raised.clear();
        finish(file).into()
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it was made from a number of bytes"
)]
fn begin(file: &Obj<RawFile>, waiter: &Obj<Waiter>, woken: bool) -> Result<()> {
    if !woken {
        let room = Room::new(waiter.number() as usize)?;
        file.begin()?;
        file.room.set(Some(room));
    }
    Ok(())
}

fn read_on(file: &Obj<RawFile>, waiter: &Obj<Waiter>, woken: bool) -> Result<Poll> {
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
    if take_late(file) {
        return finish(file).map(Poll::Ready);
    }
    while !is_full(file) {
        match read_now(file, &event_loop)? {
            Attempt::Done(0) => break,
            Attempt::Done(length) => file.count(length),
            Attempt::NotInThisTurn => return Ok(Poll::Yield),
            Attempt::Blocks => return wait(file, &event_loop, waiter, is_ready),
        }
        if !file.is_storage.get() {
            break;
        }
        file.is_prompt.set(true);
    }
    finish(file).map(Poll::Ready)
}

fn read_now(file: &Obj<RawFile>, event_loop: &Obj<EventLoop>) -> Result<Attempt> {
    let Some(mut room) = file.room.take() else {
        return Ok(Attempt::Done(0));
    };
    let place = room.after(file.taken.get());
    let attempt = event_loop.read_now(file.fd.get(), file.offset(), place);
    file.room.set(Some(room));
    attempt.map_err(|error| os_error(&error))
}

fn wait(
    file: &Obj<RawFile>,
    event_loop: &Obj<EventLoop>,
    waiter: &Obj<Waiter>,
    is_ready: bool,
) -> Result<Poll> {
    if !is_ready && file.watch(event_loop, Watched::ForReading, waiter)? {
        return Ok(Waiter::park(waiter));
    }
    let length = room_left(file).min(TRANSFER_AT_MOST);
    let transfer = Transfer::read(file.fd.get(), file.offset(), length);
    file.start(event_loop, transfer, length, waiter)
}

/// Does with a transfer what there is to do; gives what follows, or nothing if there is more to be read.
fn settle(file: &Obj<RawFile>, waiter: &Obj<Waiter>, started: Rc<Started>) -> Result<Option<Poll>> {
    let Some((result, transfer)) = started.take() else {
        return Ok(Some(file.wait_for(started, waiter)));
    };
    if let Some(error) = waiter.take_error() {
        if result.is_ok() {
            file.late.set(transfer.into_buffer());
        }
        file.end();
        return Ok(Some(Poll::raise(&error)));
    }
    let length = result.map_err(|error| os_error(&error))?;
    put(file, &transfer.into_buffer());
    let is_over = length == 0 || !file.is_storage.get();
    is_over.then(|| finish(file).map(Poll::Ready)).transpose()
}

/// Gives what came too late for an operation that was cancelled, if there is such.
fn take_late(file: &Obj<RawFile>) -> bool {
    let mut late = file.late.take();
    if late.is_empty() {
        return false;
    }
    let length = put(file, &late);
    late.drain(..length);
    file.late.set(late);
    true
}

/// Puts what was read where it belongs, as far as there is room for it; gives how much that was.
fn put(file: &Obj<RawFile>, data: &[u8]) -> usize {
    let Some(mut room) = file.room.take() else {
        return 0;
    };
    let length = room.put(file.taken.get(), data);
    file.room.set(Some(room));
    file.count(length);
    length
}

fn is_full(file: &Obj<RawFile>) -> bool {
    room_left(file) == 0
}

fn room_left(file: &Obj<RawFile>) -> usize {
    let room = file.room.take();
    let length = room.as_ref().map_or(0, Room::len);
    file.room.set(room);
    length - file.taken.get()
}

fn finish(file: &Obj<RawFile>) -> Result<Object> {
    let room = file.room.take();
    let length = file.taken.get();
    file.end();
    match room {
        Some(room) => room.finish(length),
        None => Bytes::copy(&[]),
    }
}

/// Ends at once. From a disk it can be read again; what comes out of a pipe has to be waited for and kept.
fn interrupt(waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    let file: &Obj<RawFile> = waiter.owner();
    if let Pending::Transfer(started) = file.take_pending() {
        if file.is_storage.get() || is_exit(exception) {
            file.cancel_transfer(&started);
        } else {
            match started.take() {
                Some((Ok(_), transfer)) => file.late.set(transfer.into_buffer()),
                Some((Err(_), _)) => {}
                None => return file.raise_later(started, waiter, exception),
            }
        }
    }
    file.taken.set(0);
    file.end();
    Poll::raise(exception)
}
