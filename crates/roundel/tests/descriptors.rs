//! Readers and writers, on real pipes and sockets.

mod support;

#[path = "support/fork.rs"]
mod fork;

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use fork::fork;
use roundel::Dispatcher;
use support::{Call, Desk, pipe_with};

#[test]
fn a_reader_hears_as_long_as_there_is_something_to_read() {
    let desk = Desk::real();
    let (mut reader, _writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    desk.turn(true);
    desk.turn(true);
    assert_eq!(desk.said(), "read read");
    reader.read_exact(&mut [0]).unwrap();
    desk.turn(false);
    assert_eq!(desk.said(), "");
}

#[test]
fn of_one_descriptor_the_reader_comes_before_the_writer() {
    let desk = Desk::real();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"x").unwrap();
    let fd = ours.as_raw_fd();
    desk.dispatcher.add_writer(fd, Call::log("write")).unwrap();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    desk.turn(true);
    assert_eq!(desk.said(), "read write");
}

#[test]
fn a_hang_up_is_news_for_both_directions() {
    let desk = Desk::real();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    drop(theirs);
    desk.turn(true);
    assert_eq!(desk.said(), "read");

    let (reader, writer) = std::io::pipe().unwrap();
    let fd = writer.as_raw_fd();
    desk.dispatcher.remove_reader(ours.as_raw_fd());
    desk.dispatcher.add_writer(fd, Call::log("write")).unwrap();
    drop(reader);
    desk.turn(true);
    assert_eq!(desk.said(), "write");
}

#[test]
fn adding_again_replaces_the_job_and_returns_the_old_one() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    assert!(
        desk.dispatcher
            .add_reader(fd, Call::log("old"))
            .unwrap()
            .is_none()
    );
    assert!(
        desk.dispatcher
            .add_reader(fd, Call::log("new"))
            .unwrap()
            .is_some()
    );
    assert!(desk.dispatcher.reader(fd).is_some());
    desk.turn(true);
    assert_eq!(desk.said(), "new");
    assert!(desk.dispatcher.remove_reader(fd).is_some());
    assert!(desk.dispatcher.remove_reader(fd).is_none());
    assert!(desk.dispatcher.reader(fd).is_none());
}

#[test]
fn the_other_direction_survives_a_removal() {
    let desk = Desk::real();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    desk.dispatcher.add_writer(fd, Call::log("write")).unwrap();
    assert!(desk.dispatcher.writer(fd).is_some());
    desk.dispatcher.remove_reader(fd);
    desk.turn(true);
    assert_eq!(desk.said(), "write");
}

#[test]
fn a_closed_descriptor_can_still_be_removed() {
    let desk = Desk::real();
    let (reader, writer) = pipe_with(b"");
    let fd = reader.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    drop((reader, writer));
    assert!(desk.dispatcher.remove_reader(fd).is_some());
    assert!(!desk.turn(true), "nothing is awaited");
}

#[test]
fn the_next_owner_of_a_number_is_watched_although_the_last_was_not_removed() {
    let desk = Desk::real();
    let (silent, _writer) = pipe_with(b"");
    let (other, _writer) = pipe_with(b"x");
    let mut number = OwnedFd::from(silent);
    let fd = number.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("stale")).unwrap();
    // Closes what was behind the number and puts the other pipe there.
    rustix::io::dup2(&other, &mut number).unwrap();
    let replaced = desk.dispatcher.add_reader(fd, Call::log("fresh"));
    assert!(replaced.unwrap().is_some());
    desk.turn(true);
    assert_eq!(desk.said(), "fresh");
}

#[test]
fn what_cannot_be_watched_is_refused_with_the_systems_error() {
    let desk = Desk::real();
    let file = File::open("/proc/self/exe").unwrap();
    let refuse = |fd| {
        desk.dispatcher
            .add_reader(fd, Call::log("read"))
            .err()
            .unwrap()
    };
    assert_eq!(refuse(file.as_raw_fd()).kind(), ErrorKind::PermissionDenied);
    let bad = rustix::io::Errno::BADF.raw_os_error();
    assert_eq!(refuse(-1).raw_os_error(), Some(bad));
    assert_eq!(refuse(1_000_000).raw_os_error(), Some(bad));
    assert!(desk.dispatcher.remove_reader(-1).is_none());
    assert!(desk.dispatcher.reader(file.as_raw_fd()).is_none());
    assert!(!desk.turn(true), "nothing is awaited");
}

/// Keeps `jobs` jobs ready, and says how many turns pass between two hearings of a descriptor.
fn turns_between_hearings(jobs: usize, reading: Call) -> Vec<usize> {
    fn again(desk: &Desk) {
        desk.dispatcher.push(Call::new(again));
    }
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    (0..jobs).for_each(|_| again(&desk));
    let added = desk.dispatcher.add_reader(fd, reading);
    assert!(added.is_ok());
    for _ in 0..200 {
        desk.turn(true);
        desk.log(".");
    }
    assert_eq!(desk.blocked.get(), 0);
    let said = desk.said().replace(' ', "");
    said.split('!').map(str::len).collect()
}

#[test]
fn descriptors_do_not_starve_while_something_is_always_ready() {
    assert_eq!(turns_between_hearings(1, Call::log("!")), [64, 64, 64, 8]);
}

#[test]
fn impatient_jobs_have_each_turn_ask_but_the_one_after_events() {
    let impatient = || Call::log("!").impatient();
    assert_eq!(turns_between_hearings(1, impatient())[..4], [1, 2, 2, 2]);
    assert_eq!(turns_between_hearings(64, impatient())[..4], [1, 2, 2, 2]);
}

#[test]
fn jobs_are_patient_again_when_the_last_impatient_one_is_gone() {
    let desk = Desk::real();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let (reader, _writer) = pipe_with(b"");
    desk.dispatcher
        .add_reader(ours.as_raw_fd(), Call::log("!"))
        .unwrap();
    let turns_until_heard = |theirs: &mut UnixStream| {
        theirs.write_all(b"x").unwrap();
        let mut turns = 0;
        while !desk.said().contains('!') {
            desk.dispatcher.push(Call::log("."));
            desk.turn(true);
            turns += 1;
        }
        (&ours).read_exact(&mut [0]).unwrap();
        desk.dispatcher.push(Call::log("."));
        desk.turn(true);
        turns
    };
    assert!(turns_until_heard(&mut theirs) > 60);
    for _ in 0..2 {
        let job = Call::log("?").impatient();
        desk.dispatcher.add_reader(reader.as_raw_fd(), job).unwrap();
        turns_until_heard(&mut theirs);
        assert_eq!(turns_until_heard(&mut theirs), 1);
        desk.dispatcher.remove_reader(reader.as_raw_fd());
        turns_until_heard(&mut theirs);
        assert!(turns_until_heard(&mut theirs) > 60);
    }
    let job = Call::log("?").impatient();
    desk.dispatcher.add_reader(reader.as_raw_fd(), job).unwrap();
    desk.dispatcher.mark_internal(reader.as_raw_fd());
    turns_until_heard(&mut theirs);
    assert!(turns_until_heard(&mut theirs) > 60);
}

#[test]
fn a_turn_asks_for_descriptors_at_once_when_told_to() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let added = desk
        .dispatcher
        .add_reader(reader.as_raw_fd(), Call::log("!"));
    assert!(added.is_ok());
    desk.dispatcher.push(Call::log("."));
    desk.dispatcher.poll_soon();
    desk.turn(true);
    assert_eq!(desk.said(), ". !");
}

#[test]
fn long_turns_ask_for_descriptors_more_often() {
    assert_eq!(turns_between_hearings(64, Call::log("!"))[..3], [4, 4, 4]);
    assert_eq!(
        turns_between_hearings(1_000, Call::log("!"))[..3],
        [1, 1, 1]
    );
}

#[test]
fn the_host_is_not_asked_for_leave_to_block_when_events_are_waiting() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    desk.dispatcher
        .add_reader(reader.as_raw_fd(), Call::log("read"))
        .unwrap();
    desk.turn(true);
    assert_eq!((desk.said(), desk.blocked.get()), ("read".to_owned(), 0));
}

#[test]
fn a_turn_that_may_not_block_still_hears_of_descriptors() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    desk.dispatcher
        .add_reader(reader.as_raw_fd(), Call::log("read"))
        .unwrap();
    desk.turn(false);
    assert_eq!(desk.said(), "read");
}

#[test]
fn a_job_may_add_and_remove_descriptors() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let reader = Rc::new(reader);
    let copy = Rc::clone(&reader);
    let call = Call::new(move |desk| {
        let fd = copy.as_raw_fd();
        desk.dispatcher.remove_reader(fd);
        desk.dispatcher.add_reader(fd, Call::log("second")).unwrap();
        desk.log("first");
    });
    desk.dispatcher
        .add_reader(reader.as_raw_fd(), call)
        .unwrap();
    desk.turn(true);
    desk.turn(true);
    assert_eq!(desk.said(), "first second");
}

#[test]
fn an_open_descriptor_keeps_the_host_from_being_idle() {
    let desk = Desk::real();
    let (reader, mut writer) = pipe_with(b"");
    desk.dispatcher
        .add_reader(reader.as_raw_fd(), Call::log("read"))
        .unwrap();
    desk.on_block(move || writer.write_all(b"x").unwrap());
    assert!(desk.turn(true));
    assert_eq!(
        (desk.said(), desk.idle.get(), desk.blocked.get()),
        ("read".to_owned(), 0, 1)
    );
}

#[test]
fn a_closed_dispatcher_watches_nothing() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    assert_eq!(desk.dispatcher.close().len(), 1);
    assert!(desk.dispatcher.add_reader(fd, Call::log("read")).is_err());
    assert!(desk.dispatcher.remove_reader(fd).is_none());
}

#[test]
fn a_forked_child_has_a_poller_of_its_own() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let (second, _writer) = pipe_with(b"x");
    let (fd, other) = (reader.as_raw_fd(), second.as_raw_fd());
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    let is_content = fork(|| {
        desk.turn(true);
        let inherited = desk.said() == "read";
        desk.dispatcher.remove_reader(fd);
        desk.dispatcher
            .add_reader(other, Call::log("other"))
            .unwrap();
        desk.turn(true);
        inherited && desk.said() == "other" && desk.dispatcher.close().len() == 1
    });
    assert!(is_content);
    desk.turn(true);
    assert_eq!(
        desk.said(),
        "read",
        "what the child does is none of the parent's business"
    );
}

#[test]
fn a_descriptor_is_internal_until_it_is_no_longer_watched() {
    let desk = Desk::real();
    let (reader, mut writer) = pipe_with(b"");
    let fd = reader.as_raw_fd();
    desk.dispatcher.mark_internal(fd);
    desk.dispatcher.add_reader(fd, Call::log("own")).unwrap();
    assert!(!desk.turn(true), "nothing is awaited");
    desk.dispatcher.remove_reader(fd);
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    desk.on_block(move || writer.write_all(b"x").unwrap());
    assert!(desk.turn(true));
    assert_eq!((desk.said(), desk.idle.get()), ("read".to_owned(), 1));
}

#[test]
fn who_is_told_once_hears_again_when_added_again() {
    let desk = Desk::real();
    let (reader, _writer) = pipe_with(b"x");
    let fd = reader.as_raw_fd();
    for _ in 0..2 {
        desk.dispatcher
            .add_reader_once(fd, Call::log("read"))
            .unwrap();
        desk.turn(true);
        desk.turn(false);
        assert_eq!(desk.said(), "read");
        assert!(desk.dispatcher.reader(fd).is_some());
    }
    assert!(desk.dispatcher.remove_reader(fd).is_some());
    assert!(desk.dispatcher.remove_reader(fd).is_none());
    assert!(!desk.turn(true), "nothing is awaited");
}

#[test]
fn who_is_to_be_told_once_can_be_removed_before() {
    let desk = Desk::real();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    desk.dispatcher
        .add_reader_once(fd, Call::log("read"))
        .unwrap();
    desk.dispatcher.remove_reader(fd);
    theirs.write_all(b"x").unwrap();
    desk.dispatcher
        .add_writer_once(fd, Call::log("write"))
        .unwrap();
    desk.turn(true);
    desk.turn(false);
    assert_eq!(desk.said(), "write");
}

#[test]
fn whoever_watches_after_one_that_was_told_once_is_told_on_and_on() {
    let desk = Desk::real();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    theirs.write_all(b"x").unwrap();
    desk.dispatcher
        .add_reader_once(fd, Call::log("once"))
        .unwrap();
    desk.turn(true);
    desk.dispatcher.remove_reader(fd);
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    desk.turn(true);
    desk.turn(true);
    assert_eq!(desk.said(), "once read read");
}

#[test]
fn who_is_to_be_told_once_shares_a_descriptor() {
    let desk = Desk::real();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let fd = ours.as_raw_fd();
    desk.dispatcher
        .add_reader_once(fd, Call::log("read"))
        .unwrap();
    desk.dispatcher
        .add_writer_once(fd, Call::log("write"))
        .unwrap();
    desk.turn(true);
    theirs.write_all(b"x").unwrap();
    desk.turn(true);
    assert_eq!(desk.said(), "write read write");
    desk.dispatcher.remove_writer(fd);
    desk.turn(true);
    assert_eq!(desk.said(), "read");
}

#[test]
fn the_next_owner_of_a_number_is_watched_after_one_that_was_told_once() {
    for add in [Dispatcher::add_reader, Dispatcher::add_reader_once] {
        let desk = Desk::real();
        let (first, _writer) = pipe_with(b"x");
        let (other, _writer) = pipe_with(b"x");
        let mut number = OwnedFd::from(first);
        let fd = number.as_raw_fd();
        desk.dispatcher
            .add_reader_once(fd, Call::log("first"))
            .unwrap();
        desk.turn(true);
        desk.dispatcher.remove_reader(fd);
        rustix::io::dup2(&other, &mut number).unwrap();
        assert!(
            add(&desk.dispatcher, fd, Call::log("other"))
                .unwrap()
                .is_none()
        );
        desk.turn(true);
        assert_eq!(desk.said(), "first other");
    }
}

#[test]
fn the_next_owner_of_a_number_hears_nothing_of_the_last_one_that_lives_on() {
    let desk = Desk::real();
    let (first, mut writer) = pipe_with(b"x");
    let (silent, _writer) = pipe_with(b"");
    // The same pipe under another number.
    let mut elsewhere = first.try_clone().unwrap();
    let mut number = OwnedFd::from(first);
    let fd = number.as_raw_fd();
    desk.dispatcher
        .add_reader_once(fd, Call::log("first"))
        .unwrap();
    desk.turn(true);
    assert_eq!(desk.said(), "first");
    desk.dispatcher.remove_reader(fd);
    elsewhere.read_exact(&mut [0]).unwrap();
    rustix::io::dup2(&silent, &mut number).unwrap();
    desk.dispatcher.add_reader(fd, Call::log("wrong")).unwrap();
    writer.write_all(b"x").unwrap();
    desk.turn(false);
    assert_eq!(desk.said(), "");
}

#[test]
fn a_forked_child_tells_once_who_is_to_be_told_once() {
    let desk = Desk::real();
    let (told, _writer) = pipe_with(b"x");
    let (waiting, _writer) = pipe_with(b"x");
    let (fd, other) = (told.as_raw_fd(), waiting.as_raw_fd());
    desk.dispatcher
        .add_reader_once(fd, Call::log("told"))
        .unwrap();
    desk.turn(true);
    desk.dispatcher
        .add_reader_once(other, Call::log("waiting"))
        .unwrap();
    assert_eq!(desk.said(), "told");
    assert!(fork(|| {
        desk.turn(true);
        desk.turn(false);
        let waiting = desk.said() == "waiting";
        desk.dispatcher
            .add_reader_once(fd, Call::log("again"))
            .unwrap();
        desk.turn(true);
        waiting && desk.said() == "again"
    }));
    desk.turn(true);
    assert_eq!(desk.said(), "waiting");
}
