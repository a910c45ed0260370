//! Readers that are watched when they turn out to last, on real pipes, sockets and files.

mod support;

#[path = "support/fork.rs"]
mod fork;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use fork::fork;
use support::{Call, Desk, pipe_with};

#[test]
fn a_lazy_reader_hears_like_any_other() {
    let desk = Desk::real();
    let (mut reader, mut writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    let add = |name| desk.dispatcher.add_reader_lazily(fd, Call::log(name));
    assert!(add("read").unwrap().is_none());
    for _ in 0..3 {
        desk.turn(true);
    }
    assert_eq!(desk.said(), "read read read");
    reader.read_exact(&mut [0]).unwrap();
    desk.turn(false);
    assert_eq!(desk.said(), "", "nothing has come");
    writer.write_all(b"x").unwrap();
    desk.turn(false);
    assert_eq!(desk.said(), "read");
    assert!(add("replaced").unwrap().is_some());
    desk.turn(false);
    assert_eq!(desk.said(), "replaced");
    assert!(desk.dispatcher.remove_reader(fd).is_some());
    assert!(!desk.turn(true), "nothing is awaited");
}

#[test]
fn a_lazy_reader_ends_the_first_wait() {
    let desk = Desk::real();
    let (reader, mut writer) = pipe_with(b"");
    desk.dispatcher
        .add_reader_lazily(reader.as_raw_fd(), Call::log("read"))
        .unwrap();
    desk.on_block(move || writer.write_all(b"x").unwrap());
    assert!(desk.turn(true));
    assert_eq!(desk.said(), "read");
}

#[test]
fn a_lazy_reader_is_seen_while_others_run_and_then_watched() {
    let desk = Desk::real();
    let (reader, mut writer) = pipe_with(b"");
    desk.dispatcher
        .add_reader_lazily(reader.as_raw_fd(), Call::log("read"))
        .unwrap();
    for said in ["busy", "busy"] {
        desk.dispatcher.poll_soon();
        desk.dispatcher.push(Call::log("busy"));
        desk.turn(false);
        assert_eq!(desk.said(), said);
    }
    writer.write_all(b"x").unwrap();
    desk.turn(false);
    assert_eq!(desk.said(), "read");
}

#[test]
fn a_lazy_reader_that_goes_at_once_was_never_watched() {
    let desk = Desk::real();
    // No regular file can be watched.
    let file = File::open("/proc/self/exe").unwrap();
    let fd = file.as_raw_fd();
    assert!(desk.dispatcher.add_reader(fd, Call::log("read")).is_err());
    for _ in 0..3 {
        let add = desk.dispatcher.add_reader_lazily(fd, Call::log("read"));
        assert!(add.unwrap().is_none());
        assert!(desk.dispatcher.remove_reader(fd).is_some());
        assert!(desk.dispatcher.reader(fd).is_none());
    }
    assert!(!desk.turn(true), "nothing is awaited");
    assert_eq!(desk.said(), "");
}

#[test]
fn a_lazy_reader_of_what_cannot_be_watched_hears_nevertheless() {
    let desk = Desk::real();
    let file = File::open("/proc/self/exe").unwrap();
    let (reader, _writer) = pipe_with(b"");
    let add = |fd, name| {
        desk.dispatcher
            .add_reader_lazily(fd, Call::log(name))
            .unwrap();
    };
    add(file.as_raw_fd(), "file");
    add(reader.as_raw_fd(), "closed");
    desk.turn(true);
    assert_eq!(desk.said(), "file");
    drop(reader);
    for _ in 0..3 {
        desk.turn(true);
        assert_eq!(desk.said(), "file closed");
    }
}

#[test]
fn a_lazy_reader_may_have_a_writer_beside_it() {
    let desk = Desk::real();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    desk.dispatcher
        .add_reader_lazily(fd, Call::log("read"))
        .unwrap();
    desk.dispatcher.add_writer(fd, Call::log("write")).unwrap();
    desk.turn(true);
    theirs.write_all(b"x").unwrap();
    desk.turn(true);
    assert_eq!(desk.said(), "write read write");
    desk.dispatcher.remove_writer(fd);
    desk.turn(true);
    assert_eq!(desk.said(), "read");
    desk.dispatcher
        .add_reader_lazily(fd, Call::log("anew"))
        .unwrap();
    desk.turn(true);
    assert_eq!(desk.said(), "anew");
}

#[test]
fn a_lazy_reader_may_be_followed_by_one_that_hears_once() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    desk.dispatcher
        .add_reader_lazily(fd, Call::log("lazy"))
        .unwrap();
    let replaced = desk.dispatcher.add_reader_once(fd, Call::log("once"));
    assert!(replaced.unwrap().is_some());
    desk.turn(true);
    desk.turn(false);
    assert_eq!(desk.said(), "once");
    desk.dispatcher.remove_reader(fd);
    desk.dispatcher
        .add_reader_lazily(fd, Call::log("lazy"))
        .unwrap();
    for _ in 0..3 {
        desk.turn(true);
    }
    assert_eq!(desk.said(), "lazy lazy lazy");
}

#[test]
fn a_forked_child_sees_lazy_readers_too() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    desk.dispatcher
        .add_reader_lazily(reader.as_raw_fd(), Call::log("read"))
        .unwrap();
    let hears = || {
        for _ in 0..3 {
            desk.turn(true);
        }
        desk.said() == "read read read"
    };
    assert!(fork(hears));
    assert!(hears());
}

#[test]
fn a_lazy_reader_needs_a_descriptor_and_an_open_dispatcher() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let add = |fd| desk.dispatcher.add_reader_lazily(fd, Call::log("read"));
    assert!(add(-1).is_err());
    assert!(desk.dispatcher.close().is_empty());
    assert!(add(reader.as_raw_fd()).is_err());
}
