//! When timers fire, on either clock, and what becomes of those that are cancelled.

mod support;

use std::ops::ControlFlow::Break;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use roundel::{Clock, Order};
use support::{Call, Desk, pipe_with};

/// Sets a timer that logs its deadline and the time at which it fires.
fn set(desk: &Desk, deadline: u64) -> Call {
    let call = Call::new(move |desk| {
        desk.log(format!("{deadline}@{}", desk.dispatcher.now()));
    });
    desk.dispatcher.push_at(deadline, call.clone());
    call
}

#[test]
fn the_virtual_clock_jumps_from_deadline_to_deadline() {
    let desk = Desk::simulated();
    for deadline in [30, 10, 20] {
        set(&desk, deadline);
    }
    desk.run();
    assert_eq!(desk.said(), "10@10 20@20 30@30");
    assert_eq!(desk.blocked.get(), 0);
}

#[test]
fn timers_with_the_same_deadline_fire_in_the_order_in_which_they_were_set() {
    let desk = Desk::simulated();
    for name in ["a", "b", "c", "d", "e"] {
        desk.dispatcher.push_at(5, Call::log(name));
    }
    assert!(desk.turn(true));
    assert_eq!(desk.said(), "a b c d e");
}

#[test]
fn hundreds_that_are_due_at_once_fire_in_their_order_beside_many_or_few_others() {
    for others in [0, if cfg!(miri) { 500 } else { 10_000 }] {
        let desk = Desk::simulated();
        // All of them are due when they are set.
        set(&desk, 100);
        desk.turn(true);
        assert_eq!(desk.said(), "100@100");
        let deadlines: Vec<u64> = (0..500).map(|number| number * 7919 % 100).collect();
        let calls = deadlines.iter().map(|&deadline| set(&desk, deadline));
        let calls: Vec<Call> = calls.collect();
        for number in 0..others {
            set(&desk, 1_000 + number);
        }
        for call in calls.iter().step_by(5) {
            call.cancel();
            desk.dispatcher.timer_cancelled();
        }
        let mut expected: Vec<(u64, usize)> = deadlines.into_iter().zip(0..).collect();
        expected.retain(|(_, number)| number % 5 != 0);
        expected.sort_unstable();
        let expected = expected
            .iter()
            .map(|(deadline, _)| format!("{deadline}@100"));
        let expected: Vec<String> = expected.collect();
        desk.turn(true);
        assert_eq!(desk.said(), expected.join(" "));
        assert_eq!(desk.dispatcher.timer_count() as u64, others);
    }
}

#[test]
fn the_virtual_clock_stands_still_while_something_is_ready() {
    let desk = Desk::simulated();
    set(&desk, 10);
    desk.push("a");
    desk.turn(true);
    assert_eq!((desk.said(), desk.dispatcher.now()), ("a".to_owned(), 0));
    desk.turn(true);
    assert_eq!(desk.said(), "10@10");
}

#[test]
fn the_virtual_clock_stands_still_in_a_turn_that_may_not_block() {
    let desk = Desk::simulated();
    set(&desk, 10);
    desk.turn(false);
    assert_eq!(desk.dispatcher.now(), 0);
}

#[test]
fn the_virtual_clock_never_goes_back() {
    let desk = Desk::simulated();
    set(&desk, 100);
    desk.turn(true);
    set(&desk, 50);
    desk.run();
    assert_eq!(desk.said(), "100@100 50@100");
}

#[test]
fn the_virtual_clock_waits_for_work_in_threads() {
    let desk = Desk::simulated();
    set(&desk, 10);
    desk.dispatcher.external_begin();
    let inbox = desk.dispatcher.inbox();
    let worker = std::thread::spawn(move || inbox.push("done".to_owned()));
    desk.turn(true);
    worker.join().unwrap().unwrap();
    assert_eq!((desk.said(), desk.dispatcher.now()), ("done".to_owned(), 0));
    desk.dispatcher.external_end();
    desk.turn(true);
    assert_eq!(desk.said(), "10@10");
}

#[test]
#[cfg_attr(miri, ignore = "Miri watches descriptors for edges only")]
fn the_virtual_clock_gives_descriptors_a_chance_before_it_jumps() {
    let desk = Desk::simulated();
    let (reader, _writer) = pipe_with(b"x");
    let call = Call::new(|desk| desk.log("read"));
    desk.dispatcher
        .add_reader(reader.as_raw_fd(), call)
        .unwrap();
    set(&desk, 10);
    desk.turn(true);
    assert_eq!((desk.said(), desk.dispatcher.now()), ("read".to_owned(), 0));
    assert_eq!(desk.blocked.get(), 0);
}

#[test]
#[cfg_attr(miri, ignore = "Miri watches descriptors for edges only")]
fn the_virtual_clock_jumps_when_descriptors_stay_silent() {
    let desk = Desk::simulated();
    let (reader, _writer) = pipe_with(b"");
    let fd = reader.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    set(&desk, u64::MAX);
    desk.turn(true);
    assert_eq!(desk.said(), format!("{0}@{0}", u64::MAX));
    assert_eq!(desk.blocked.get(), 1);
}

#[test]
#[cfg_attr(miri, ignore = "Miri watches descriptors for edges only")]
fn the_virtual_clock_does_not_wait_for_internal_descriptors() {
    let desk = Desk::simulated();
    let (reader, _writer) = pipe_with(b"");
    let fd = reader.as_raw_fd();
    desk.dispatcher.add_reader(fd, Call::log("read")).unwrap();
    desk.dispatcher.mark_internal(fd);
    set(&desk, 10);
    desk.run();
    assert_eq!((desk.said(), desk.blocked.get()), ("10@10".to_owned(), 0));
    assert_eq!(desk.idle.get(), 1);
}

#[test]
#[cfg_attr(miri, ignore = "Miri takes longer than a millisecond")]
fn a_real_timer_is_neither_early_nor_a_millisecond_late() {
    let desk = Desk::real();
    let latenesses: Rc<std::cell::RefCell<Vec<u64>>> = Rc::default();
    for _ in 0..10 {
        let latenesses = Rc::clone(&latenesses);
        let deadline = desk.dispatcher.now() + 300_000;
        let call = Call::flow(move |desk| {
            assert!(desk.dispatcher.now() >= deadline);
            latenesses
                .borrow_mut()
                .push(desk.dispatcher.now() - deadline);
            Break(())
        });
        desk.dispatcher.push_at(deadline, call);
        desk.run();
    }
    let least = latenesses.borrow().iter().copied().min().unwrap();
    assert!(least < 600_000, "{least} ns late at the least");
}

#[test]
fn due_timers_come_after_what_was_ready_before() {
    let desk = Desk::simulated();
    set(&desk, 0);
    desk.push("a");
    desk.turn(true);
    assert_eq!(desk.said(), "a 0@0");
}

#[test]
fn a_cancelled_timer_neither_fires_nor_moves_the_clock() {
    let desk = Desk::simulated();
    let first = set(&desk, 10);
    set(&desk, 20);
    let last = set(&desk, 30);
    for timer in [first, last] {
        timer.cancel();
        desk.dispatcher.timer_cancelled();
    }
    desk.run();
    assert_eq!(
        (desk.said(), desk.dispatcher.now()),
        ("20@20".to_owned(), 20)
    );
    assert_eq!(desk.dispatcher.timer_count(), 0);
}

#[test]
fn a_million_timers_set_and_cancelled_leave_nothing_behind() {
    let desk = Desk::real();
    let token = Rc::new(());
    let mut most = 0;
    for number in 0..if cfg!(miri) { 2_000 } else { 1_000_000 } {
        let token = Rc::clone(&token);
        let timer = Call::new(move |_| drop(Rc::clone(&token)));
        desk.dispatcher
            .push_at(u64::MAX - number % 1_000, timer.clone());
        timer.cancel();
        drop(timer);
        desk.dispatcher.timer_cancelled();
        most = most.max(desk.dispatcher.timer_count());
    }
    assert!(most <= 100, "{most} timers at once");
    assert!(Rc::strong_count(&token) <= 100);
}

#[test]
fn cancelled_timers_are_dropped_once_they_outnumber_the_others() {
    let desk = Desk::simulated();
    let timers: Vec<_> = (0..1_000).map(|deadline| set(&desk, deadline)).collect();
    for timer in timers.iter().rev().take(501) {
        timer.cancel();
        desk.dispatcher.timer_cancelled();
    }
    assert_eq!(desk.dispatcher.timer_count(), 499);
    desk.run();
    assert_eq!(desk.said().split(' ').count(), 499);
}

#[test]
fn fewer_than_a_hundred_cancelled_timers_are_not_looked_for() {
    let desk = Desk::simulated();
    let timers: Vec<_> = (0..100).map(|deadline| set(&desk, deadline)).collect();
    for timer in &timers[..99] {
        timer.cancel();
        desk.dispatcher.timer_cancelled();
    }
    assert_eq!(desk.dispatcher.timer_count(), 100);
}

#[test]
fn a_timer_that_is_cancelled_before_another_one_is_set_goes_at_once() {
    let desk = Desk::simulated();
    set(&desk, 10);
    for _ in 0..10 {
        set(&desk, 20).cancel();
        desk.dispatcher.timer_cancelled();
        assert_eq!(desk.dispatcher.timer_count(), 1);
    }
    desk.run();
    assert_eq!(desk.said(), "10@10");
}

/// A job that pushes itself again.
fn busy() -> Call {
    Call::new(|desk| desk.dispatcher.push(busy()))
}

/// Returns how many turns it takes in a busy program until a timer fires whose time has come.
fn turns_until_fired(mut turn: impl FnMut(&Desk)) -> usize {
    let desk = Desk::real();
    desk.dispatcher.push(busy());
    set(&desk, 0);
    (1..1_000)
        .find(|_| {
            turn(&desk);
            !desk.said().is_empty()
        })
        .expect("a timer that fires")
}

#[test]
fn a_busy_host_may_have_the_clock_read_less_often_than_each_turn() {
    assert_eq!(turns_until_fired(|desk| assert!(desk.turn(true))), 1);
    let turns = turns_until_fired(Desk::hurried_turn);
    assert!((2..=65).contains(&turns), "after {turns} turns");
}

#[test]
fn a_seeded_order_keeps_to_the_deadlines() {
    for seed in 0..20 {
        let desk = Desk::new(Clock::virtual_time(), Order::Seeded(seed));
        for deadline in [30, 10, 20] {
            set(&desk, deadline);
        }
        desk.run();
        assert_eq!(desk.said(), "10@10 20@20 30@30");
    }
}

#[test]
fn a_host_with_its_own_time_has_its_timers_fire_by_that() {
    let desk = Desk::real();
    desk.dispatcher.push_at(u64::MAX / 2, Call::log("late"));
    desk.dispatcher.push_at(10, Call::log("soon"));
    desk.push("now");
    assert!(desk.turn_at(Some(9)));
    assert_eq!(desk.said(), "now");
    assert!(desk.turn_at(Some(10)));
    assert_eq!(desk.said(), "soon");
    assert!(desk.turn_at(Some(u64::MAX / 2)));
    assert_eq!(desk.said(), "late");
    assert_eq!(desk.blocked.get(), 0);
}

#[test]
fn a_host_that_cannot_say_what_time_it_is_ends_the_turn() {
    let desk = Desk::real();
    desk.dispatcher.push_at(u64::MAX / 2, Call::log("late"));
    assert!(!desk.turn_at(None));
    desk.push("now");
    assert!(!desk.turn_at(None));
    assert_eq!(desk.said(), "");
    assert_eq!(desk.blocked.get(), 0);
    assert!(desk.turn_at(Some(0)));
    assert_eq!(desk.said(), "now");
}
