//! Files, read and written while other jobs run.

mod support;

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::rc::Rc;

use roundel::{Attempt, Clock, FileAccess, Order, Started, Transfer};
use support::{Call, Desk};

/// A file that is gone when this is.
struct Scratch {
    path: PathBuf,
    file: File,
}

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("roundel-{name}-{}", std::process::id()));
        fs::write(&path, content).expect("a place for files");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .expect("just made");
        Self { path, file }
    }

    fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("nobody else removes it");
    }
}

/// The ways that there are on this machine, each with a desk of its own.
fn desks() -> Vec<Desk> {
    let ways = [FileAccess::Best, FileAccess::Ring, FileAccess::Threads];
    let desk = |&way: &FileAccess| {
        let desk = Desk::real();
        match desk.dispatcher.set_file_access(way) {
            Err(_) if way == FileAccess::Ring => None,
            outcome => outcome.map(|()| Some(desk)).expect("always to be had"),
        }
    };
    let desks: Vec<Desk> = ways.iter().filter_map(desk).collect();
    assert!(desks.len() >= 2, "threads can always be had");
    desks
}

fn start(desk: &Desk, transfer: Transfer, name: &str) -> Rc<Started> {
    desk.dispatcher.start_transfer(transfer, Call::log(name))
}

/// Runs turns until a transfer is done, and returns what it came to.
fn finish(desk: &Desk, started: &Rc<Started>) -> (std::io::Result<usize>, Vec<u8>) {
    loop {
        if let Some((result, transfer)) = started.take() {
            return (result, transfer.into_buffer());
        }
        desk.turn(true);
    }
}

#[test]
fn what_was_written_can_be_read() {
    for desk in desks() {
        let scratch = Scratch::new("written", b"");
        let write = start(
            &desk,
            Transfer::write(scratch.fd(), Some(2), b"abc".to_vec()),
            "w",
        );
        assert_eq!(finish(&desk, &write).0.unwrap(), 3);
        let sync = start(&desk, Transfer::sync(scratch.fd(), false), "s");
        assert_eq!(finish(&desk, &sync).0.unwrap(), 0);
        let read = start(&desk, Transfer::read(scratch.fd(), Some(1), 100), "r");
        let (length, data) = finish(&desk, &read);
        assert_eq!((length.unwrap(), &*data), (4, &b"\0abc"[..]));
        desk.turn(false);
        assert_eq!(desk.said(), "w s r");
    }
}

#[test]
fn without_an_offset_the_descriptors_position_counts() {
    for desk in desks() {
        let scratch = Scratch::new("position", b"abcdef");
        for expected in [b"abcd".as_slice(), b"ef", b""] {
            let read = start(&desk, Transfer::read(scratch.fd(), None, 4), "r");
            assert_eq!(finish(&desk, &read).1, expected);
        }
    }
}

#[test]
fn an_error_comes_back_with_its_number() {
    for desk in desks() {
        let folder = File::open(std::env::temp_dir()).unwrap();
        let read = start(&desk, Transfer::read(folder.as_raw_fd(), Some(0), 10), "r");
        assert_eq!(
            finish(&desk, &read).0.unwrap_err().kind(),
            ErrorKind::IsADirectory
        );
        let sync = start(&desk, Transfer::sync(-1, true), "s");
        assert_eq!(
            finish(&desk, &sync).0.unwrap_err().raw_os_error(),
            Some(libc::EBADF)
        );
    }
}

#[test]
fn a_thousand_transfers_at_a_time_each_get_their_own() {
    for desk in desks() {
        let content: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let scratch = Scratch::new("thousand", &content);
        let read = |place| start(&desk, Transfer::read(scratch.fd(), Some(place), 3), "r");
        let started: Vec<_> = (0..998).map(read).collect();
        for (place, started) in started.iter().enumerate() {
            assert_eq!(finish(&desk, started).1, content[place..place + 3]);
        }
    }
}

#[test]
fn cancelled_transfers_end_and_take_nobody_elses_place() {
    for desk in desks() {
        let scratch = Scratch::new("cancelled", b"abcdef");
        for round in 0..20 {
            let read = |_| start(&desk, Transfer::read(scratch.fd(), Some(0), 6), "r");
            let cancelled: Vec<_> = (0..300).map(read).collect();
            for each in &cancelled {
                desk.dispatcher.cancel_transfer(each);
            }
            let kept = start(
                &desk,
                Transfer::read(scratch.fd(), Some(round % 6), 1),
                "kept",
            );
            // To cancel what is over, or twice, is no harm.
            desk.dispatcher.cancel_transfer(&cancelled[0]);
            let expected = &b"abcdef"[usize::try_from(round % 6).unwrap()..][..1];
            assert_eq!(finish(&desk, &kept).1, expected);
            for each in &cancelled {
                match finish(&desk, each) {
                    (Ok(length), data) => assert_eq!((length, &*data), (6, &b"abcdef"[..])),
                    (Err(error), _) => assert_eq!(error.raw_os_error(), Some(libc::ECANCELED)),
                }
            }
            desk.turn(false);
            assert_eq!(desk.said().split(' ').count(), 301);
        }
    }
}

#[test]
fn a_closed_dispatcher_has_finished_with_the_memory_and_hands_the_jobs_back() {
    for desk in desks() {
        let scratch = Scratch::new("closed", &vec![7; 1 << 16]);
        for _ in 0..600 {
            let write = Transfer::write(scratch.fd(), Some(0), vec![7; 1 << 12]);
            desk.dispatcher.start_transfer(write, Call::log("w"));
        }
        assert_eq!(desk.dispatcher.close().len(), 600);
        assert_eq!(fs::read(&scratch.path).unwrap(), vec![7; 1 << 16]);
    }
}

#[test]
fn a_virtual_clock_stands_still_while_a_transfer_is_under_way() {
    let desk = Desk::new(Clock::virtual_time(), Order::Fifo);
    desk.dispatcher
        .set_file_access(FileAccess::Threads)
        .unwrap();
    let scratch = Scratch::new("virtual", b"abc");
    desk.dispatcher.push_at(1, Call::log("timer"));
    let read = start(&desk, Transfer::read(scratch.fd(), Some(0), 3), "read");
    assert_eq!(finish(&desk, &read).1, b"abc");
    desk.turn(true);
    assert_eq!(desk.said(), "read timer");
    assert_eq!(desk.idle.get(), 0);
}

#[test]
fn what_is_in_the_page_cache_is_read_at_once() {
    let desk = Desk::real();
    let scratch = Scratch::new("cached", b"abc");
    let mut buffer = [MaybeUninit::zeroed(); 10];
    let attempt = desk
        .dispatcher
        .read_now(scratch.fd(), Some(1), &mut buffer)
        .unwrap();
    // There are file systems and kernels that never do.
    assert!(
        matches!(attempt, Attempt::Done(2) | Attempt::Blocks),
        "{attempt:?}"
    );
    let refused = desk.dispatcher.read_now(-1, None, &mut buffer);
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::EBADF));
}

#[test]
fn nobody_reads_on_and_on_within_one_turn() {
    let desk = Desk::real();
    let (reader, _writer) = support::pipe_with(&[1; 1000]);
    let mut read = 0;
    let mut buffer = [MaybeUninit::zeroed(); 1];
    let mut next = || {
        desk.dispatcher
            .read_now(reader.as_raw_fd(), None, &mut buffer)
            .unwrap()
    };
    while next() == Attempt::Done(1) {
        read += 1;
    }
    if read == 0 {
        return; // nothing can be read at once here
    }
    assert_eq!(read, 64);
    assert_eq!(next(), Attempt::NotInThisTurn);
    desk.turn(false);
    assert_eq!(next(), Attempt::Done(1));
}

#[test]
fn a_forced_way_is_gone_also_where_there_is_nothing_to_wait_for() {
    let desk = Desk::real();
    let scratch = Scratch::new("forced", b"abc");
    desk.dispatcher
        .set_file_access(FileAccess::Threads)
        .unwrap();
    let mut buffer = [MaybeUninit::zeroed(); 10];
    let attempt = desk
        .dispatcher
        .read_now(scratch.fd(), Some(0), &mut buffer)
        .unwrap();
    assert_eq!(attempt, Attempt::Blocks);
    let attempt = desk
        .dispatcher
        .write_now(scratch.fd(), Some(0), b"x")
        .unwrap();
    assert_eq!(attempt, Attempt::Blocks);
    let read = start(&desk, Transfer::read(scratch.fd(), Some(0), 3), "read");
    let refused = desk.dispatcher.set_file_access(FileAccess::Best);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ResourceBusy);
    finish(&desk, &read).0.unwrap();
    desk.dispatcher.set_file_access(FileAccess::Best).unwrap();
}

#[test]
fn a_job_may_start_the_next_transfer() {
    for desk in desks() {
        let desk = Rc::new(desk);
        let scratch = Rc::new(Scratch::new("chain", b"abc"));
        let last = Rc::new(RefCell::new(None));
        let (inner, slot) = (Rc::clone(&scratch), Rc::clone(&last));
        let job = Call::new(move |desk| {
            let next = start(desk, Transfer::read(inner.fd(), Some(2), 9), "next");
            slot.replace(Some(next));
        });
        let first = Transfer::read(scratch.fd(), Some(0), 9);
        let first = desk.dispatcher.start_transfer(first, job);
        assert_eq!(finish(&desk, &first).1, b"abc");
        desk.turn(false);
        let next = last.take().unwrap();
        assert_eq!(finish(&desk, &next).1, b"c");
    }
}
