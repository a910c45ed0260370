//! What other threads, and signals, do to a dispatcher.

mod support;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use support::{Call, Desk, pipe_with};

#[test]
fn a_letter_wakes_a_blocked_dispatcher() {
    let desk = Desk::real();
    desk.dispatcher.external_begin();
    let inbox = desk.dispatcher.inbox();
    desk.on_block(move || {
        let inbox = Arc::clone(&inbox);
        thread::spawn(move || inbox.push("letter".to_owned()));
    });
    while desk.dispatcher.ready_len() == 0 && desk.said().is_empty() {
        assert!(desk.turn(true));
    }
    assert_eq!(desk.idle.get(), 0);
}

#[test]
fn a_letter_that_came_before_the_wait_makes_it_needless() {
    let desk = Desk::real();
    desk.dispatcher.inbox().push("letter".to_owned()).unwrap();
    assert!(desk.turn(true));
    assert_eq!((desk.said(), desk.blocked.get()), ("letter".to_owned(), 0));
}

#[test]
fn letters_come_before_due_timers() {
    let desk = Desk::simulated();
    desk.dispatcher.push_at(0, Call::log("timer"));
    desk.dispatcher.inbox().push("letter".to_owned()).unwrap();
    desk.turn(true);
    assert_eq!(desk.said(), "letter timer");
}

#[test]
#[cfg_attr(miri, ignore = "Miri watches descriptors for edges only")]
fn letters_come_before_descriptors() {
    let desk = Desk::real();
    let (reader, mut writer) = pipe_with(b"");
    let fd = reader.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    let inbox = desk.dispatcher.inbox();
    desk.on_block(move || {
        writer.write_all(b"x").unwrap();
        inbox.push("letter".to_owned()).unwrap();
    });
    desk.turn(true);
    assert_eq!(desk.said(), "letter read");
}

#[test]
fn letters_arrive_complete_and_in_their_senders_order() {
    const EACH: usize = if cfg!(miri) { 50 } else { 2_000 };
    let desk = Desk::real();
    desk.dispatcher.external_begin();
    let senders: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let inbox = desk.dispatcher.inbox();
            thread::spawn(move || {
                for number in 0..EACH {
                    inbox.push(format!("{name}{number}")).unwrap();
                }
            })
        })
        .into();
    let mut said: Vec<String> = Vec::new();
    while said.len() < 3 * EACH {
        desk.turn(true);
        said.extend(desk.said().split_whitespace().map(str::to_owned));
    }
    for sender in senders {
        sender.join().unwrap();
    }
    for name in ["a", "b", "c"] {
        let from_one = said.iter().filter(|letter| letter.starts_with(name));
        assert!(
            from_one
                .cloned()
                .eq((0..EACH).map(|number| format!("{name}{number}")))
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "Miri knows no signals")]
fn a_signal_during_the_wait_is_reported_to_the_host() {
    extern "C" fn ignore(_signal: libc::c_int) {}

    // SAFETY: all zeros is an action: no flags, no masked signals, the default handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, which is safe at any time.
    let outcome = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, null_mut()) };
    assert_eq!(outcome, 0);
    // SAFETY: it can always be called.
    let this_thread = unsafe { libc::pthread_self() };
    let desk = Desk::real();
    desk.dispatcher.external_begin();
    let (done, is_done) = channel::<()>();
    // A signal may come before the wait has begun: repeated until it has been noticed.
    let sender = thread::spawn(move || {
        let pause = Duration::from_millis(1);
        while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            // SAFETY: the thread waits for this one, so it exists.
            unsafe { libc::pthread_kill(this_thread, libc::SIGUSR1) };
        }
    });
    assert!(!desk.turn(true));
    assert_eq!((desk.interrupted.get(), desk.blocked.get()), (1, 1));
    drop(done);
    sender.join().unwrap();
}

#[test]
fn an_inbox_outlives_its_dispatcher() {
    let desk = Desk::real();
    let inbox = desk.dispatcher.inbox();
    drop(desk.dispatcher.close());
    drop(desk);
    assert!(inbox.push("letter".to_owned()).is_err());
}

#[test]
fn a_dispatcher_that_is_merely_dropped_closes_its_inbox() {
    let desk = Desk::real();
    let inbox = desk.dispatcher.inbox();
    drop(desk);
    assert!(inbox.push("letter".to_owned()).is_err());
}
