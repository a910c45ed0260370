//! `sock_recv`, `sock_sendall`, `sock_accept` and the like: what is done with sockets that the program keeps.
//!
//! Each is a [`Waiter`] on a [`Call`]. It tries at once; if the socket is not ready, the waiter itself is what the
//! dispatcher tells about the descriptor, until the call is over.

mod call;

use std::os::fd::RawFd;

use roundel::Dispatcher;

pub(super) use call::Call;

use super::EventLoop;
use super::readers::cancel;
use crate::hot::{Args, Class, Obj, Object, Result, Signature};
use crate::job::Job;
use crate::waiter::{Operation, Poll, Waiter, attempt};

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Readable,
    Writable,
}

use Readiness::{Readable, Writable};

/// A try: nothing comes of it if the socket is not ready.
type Try = fn(&Obj<Call>) -> Result<Option<Object>>;

/// The operation that tries until something comes of it, waiting for the socket before each further try.
macro_rules! operation {
    ($name:literal, $readiness:expr, $first:expr, $next:expr) => {
        Operation::new(
            $name,
            |waiter, woken| {
                poll(
                    waiter,
                    woken,
                    $readiness,
                    if woken { $next } else { $first },
                )
            },
            |waiter, _woken, exception| {
                unwatch(waiter, $readiness);
                Poll::raise(exception)
            },
        )
    };
}

static RECV: Operation = operation!("EventLoop.sock_recv", Readable, Call::recv, Call::recv);
static RECV_INTO: Operation = operation!(
    "EventLoop.sock_recv_into",
    Readable,
    Call::recv_into,
    Call::recv_into
);
static RECVFROM: Operation = operation!(
    "EventLoop.sock_recvfrom",
    Readable,
    Call::recvfrom,
    Call::recvfrom
);
static RECVFROM_INTO: Operation = operation!(
    "EventLoop.sock_recvfrom_into",
    Readable,
    Call::recvfrom_into,
    Call::recvfrom_into
);
static ACCEPT: Operation = operation!(
    "EventLoop.sock_accept",
    Readable,
    Call::accept,
    Call::accept
);
static SENDALL: Operation = operation!(
    "EventLoop.sock_sendall",
    Writable,
    Call::sendall,
    Call::send_rest
);
static SENDTO: Operation = operation!(
    "EventLoop.sock_sendto",
    Writable,
    Call::sendto,
    Call::sendto
);
static CONNECT: Operation = operation!(
    "EventLoop.sock_connect",
    Writable,
    Call::connect,
    Call::connected
);

fn poll(waiter: &Obj<Waiter>, woken: bool, readiness: Readiness, attempt: Try) -> Poll {
    let call = waiter.owner::<Call>();
    if !woken {
        attempt!(call.check());
    }
    let tried = attempt(call);
    // The other end may be ours, too.
    call.event_loop().poll_soon();
    match tried {
        Ok(None) => {
            attempt!(if woken {
                watch_again(waiter, readiness)
            } else {
                watch(waiter, readiness)
            });
            Waiter::park(waiter)
        }
        Ok(Some(value)) => {
            if woken {
                unwatch(waiter, readiness);
            }
            Poll::Ready(value)
        }
        Err(raised) => {
            if woken {
                // Letting go of the job runs no Python code: others hold the waiter.
                unwatch(waiter, readiness);
            }
            Poll::Failed(raised)
        }
    }
}

/// Has the dispatcher wake the waiter when its socket is ready. Whoever else watched is told so no more.
fn watch(waiter: &Obj<Waiter>, readiness: Readiness) -> Result<()> {
    let call = waiter.owner::<Call>();
    let fd = call.find_descriptor()?;
    call.event_loop().check_open()?;
    cancel(add_once(waiter, readiness, fd)?)
}

/// Goes on with what [`watch`] began, unless somebody else watches the descriptor by now.
fn watch_again(waiter: &Obj<Waiter>, readiness: Readiness) -> Result<()> {
    let call = waiter.owner::<Call>();
    let fd = call.descriptor();
    if !is_watching(waiter, readiness, call.event_loop().dispatcher()?) {
        return Ok(());
    }
    // What it replaces is itself.
    let added = add_once(waiter, readiness, fd).map(drop);
    if added.is_err() {
        unwatch(waiter, readiness);
    }
    added
}

/// Puts the waiter in the place of who is told about the descriptor, and returns that one. It is told once: those
/// who receive from a socket mostly do so again and again, and so enter `epoll_ctl` once for each time.
fn add_once(waiter: &Obj<Waiter>, readiness: Readiness, fd: RawFd) -> Result<Option<Job>> {
    let dispatcher = waiter.owner::<Call>().event_loop().dispatcher()?;
    let job = Job::Wake(waiter.clone());
    let replaced = match readiness {
        Readable => dispatcher.add_reader_once(fd, job),
        Writable => dispatcher.add_writer_once(fd, job),
    };
    replaced.map_err(|error| super::os_error(&error))
}

/// Ends what [`watch`] began, unless somebody else watches the descriptor by now.
fn unwatch(waiter: &Obj<Waiter>, readiness: Readiness) {
    let call = waiter.owner::<Call>();
    let Ok(dispatcher) = call.event_loop().dispatcher() else {
        return;
    };
    if is_watching(waiter, readiness, dispatcher) {
        drop(match readiness {
            Readable => dispatcher.remove_reader(call.descriptor()),
            Writable => dispatcher.remove_writer(call.descriptor()),
        });
    }
}

fn is_watching(waiter: &Obj<Waiter>, readiness: Readiness, dispatcher: &Dispatcher<Job>) -> bool {
    let fd = waiter.owner::<Call>().descriptor();
    let job = match readiness {
        Readable => dispatcher.reader(fd),
        Writable => dispatcher.writer(fd),
    };
    matches!(job, Some(Job::Wake(watching)) if watching.is(waiter))
}

impl EventLoop {
    /// The waiter for an operation with a socket and one or two things more.
    #[inline]
    fn call_socket<const N: usize>(
        this: &Obj<Self>,
        args: &Args<'_>,
        signature: &Signature<N>,
        operation: &'static Operation,
    ) -> Result<Obj<Waiter>> {
        let bound = signature.bind(args)?;
        let argument = |index: usize| bound.get(index).copied().flatten();
        let call = Call::create(this, argument(0), argument(1), argument(2));
        Ok(Waiter::on(operation, &call))
    }
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    declare_receiving(class);
    class
        .async_method(
            c"sock_sendall",
            c"sock_sendall($self, /, sock, data)\n--\n\nSend all of data over a non-blocking socket. If it fails, nobody knows how much was sent.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<2> =
                    Signature::method("EventLoop.sock_sendall", [c"sock", c"data"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &SENDALL)
            },
        )
        .async_method(
            c"sock_sendto",
            c"sock_sendto($self, /, sock, data, address)\n--\n\nSend a datagram to an address; return how many bytes were sent.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<3> =
                    Signature::method("EventLoop.sock_sendto", [c"sock", c"data", c"address"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &SENDTO)
            },
        )
        .method(
            c"_sock_connect_resolved",
            c"_sock_connect_resolved($self, sock, address, /)\n--\n\nConnect a socket that was checked to an address without names.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<2> =
                    Signature::method("EventLoop.sock_connect", [c"sock", c"address"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &CONNECT)
            },
        );
}

fn declare_receiving(class: &mut Class<EventLoop>) {
    class
        .async_method(
            c"sock_recv",
            c"sock_recv($self, /, sock, n)\n--\n\nReceive at most n bytes from a non-blocking socket; b'' at the end of the stream.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<2> =
                    Signature::method("EventLoop.sock_recv", [c"sock", c"n"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &RECV)
            },
        )
        .async_method(
            c"sock_recv_into",
            c"sock_recv_into($self, /, sock, buf)\n--\n\nReceive from a non-blocking socket into a buffer; return how many bytes.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<2> =
                    Signature::method("EventLoop.sock_recv_into", [c"sock", c"buf"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &RECV_INTO)
            },
        )
        .async_method(
            c"sock_recvfrom",
            c"sock_recvfrom($self, /, sock, bufsize)\n--\n\nReceive a datagram of at most bufsize bytes; return it and where it came from.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<2> =
                    Signature::method("EventLoop.sock_recvfrom", [c"sock", c"bufsize"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &RECVFROM)
            },
        )
        .async_method(
            c"sock_recvfrom_into",
            c"sock_recvfrom_into($self, /, sock, buf, nbytes=0)\n--\n\nReceive a datagram into a buffer; return how many bytes, and where it came from.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<3> = Signature::method(
                    "EventLoop.sock_recvfrom_into",
                    [c"sock", c"buf", c"nbytes"],
                )
                .required(2);
                EventLoop::call_socket(this, args, &SIGNATURE, &RECVFROM_INTO)
            },
        )
        .async_method(
            c"sock_accept",
            c"sock_accept($self, /, sock)\n--\n\nAccept a connection; return its socket, which is non-blocking, and where it comes from.",
            |this: &Obj<EventLoop>, args: &Args<'_>| {
                static SIGNATURE: Signature<1> =
                    Signature::method("EventLoop.sock_accept", [c"sock"]);
                EventLoop::call_socket(this, args, &SIGNATURE, &ACCEPT)
            },
        );
}
