//! The event and the lock.

#[path = "support/program.rs"]
mod support;

use std::rc::Rc;
use std::time::Duration;

use roundel::{Error, Event, Lock, gather, sleep, spawn, timeout, yield_now};
use support::{Log, simulate};

#[test]
fn an_event_wakes_everybody_who_waits_in_order() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let event = Rc::new(Event::default());
        for name in ["a", "b", "c"] {
            let (event, log) = (Rc::clone(&event), log.clone());
            drop(spawn(async move {
                event.wait().await;
                log.add(name);
            }));
        }
        yield_now().await;
        assert!(!event.is_set());
        event.set();
        // Who has been woken is so, even if the event is taken back at once.
        event.clear();
        assert!(!event.is_set());
        yield_now().await;
    });
    assert_eq!(said.said(), "a b c");
}

#[test]
fn an_event_that_is_set_is_not_waited_for() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let event = Event::new();
        event.set();
        drop(spawn({
            let log = log.clone();
            async move { log.add("other") }
        }));
        event.wait().await;
        log.add("main");
    });
    assert_eq!(said.said(), "main");
}

#[test]
fn who_comes_while_others_are_being_woken_waits_for_the_next_time() {
    simulate(async {
        let event = Rc::new(Event::new());
        let waiter = spawn({
            let event = Rc::clone(&event);
            async move {
                event.wait().await;
                event.clear();
                event.wait().await;
            }
        });
        yield_now().await;
        event.set();
        yield_now().await;
        yield_now().await;
        assert!(!waiter.is_finished());
        event.set();
        waiter.await.unwrap();
    });
}

#[test]
fn a_lock_lets_one_in_at_a_time_first_come_first_served() {
    let log = Log::default();
    let said = log.clone();
    simulate(async move {
        let lock = Rc::new(Lock::new(log));
        let enter = |name: &'static str| {
            let lock = Rc::clone(&lock);
            async move {
                for _ in 0..2 {
                    let log = lock.acquire().await;
                    log.add(format!("{name}+"));
                    sleep(Duration::from_secs(1)).await;
                    log.add(format!("{name}-"));
                }
            }
        };
        gather!(enter("a"), enter("b"), enter("c")).await;
        assert!(!lock.is_held());
    });
    assert_eq!(said.said(), "a+ a- b+ b- c+ c- a+ a- b+ b- c+ c-");
}

#[test]
fn a_lock_protects_its_value() {
    simulate(async {
        let lock = Lock::new(1);
        {
            let mut guard = lock.acquire().await;
            *guard += 1;
            assert_eq!(*guard, 2);
            assert_eq!(
                format!("{guard:?} {lock:?}"),
                "2 Lock { is_held: true, .. }"
            );
            assert!(lock.try_acquire().is_none());
        }
        assert_eq!(format!("{lock:?}"), "Lock { value: 2, is_held: false, .. }");
        *lock.try_acquire().unwrap() += 1;
        assert_eq!(lock.into_inner(), 3);
        assert!(!Lock::<()>::default().is_held());
    });
}

#[test]
fn a_lock_on_its_way_to_the_next_can_not_be_snatched() {
    simulate(async {
        let lock = Rc::new(Lock::new(()));
        let guard = lock.acquire().await;
        let next = spawn({
            let lock = Rc::clone(&lock);
            async move { drop(lock.acquire().await) }
        });
        yield_now().await;
        drop(guard);
        assert!(lock.is_held() && lock.try_acquire().is_none());
        next.await.unwrap();
        assert!(!lock.is_held());
    });
}

#[test]
fn who_is_cancelled_with_the_lock_on_its_way_passes_it_on() {
    simulate(async {
        let lock = Rc::new(Lock::new(()));
        let acquire = || {
            let lock = Rc::clone(&lock);
            spawn(async move { drop(lock.acquire().await) })
        };
        let guard = lock.acquire().await;
        let (first, second) = (acquire(), acquire());
        yield_now().await;
        drop(guard);
        first.cancel();
        second.await.unwrap();
        assert!(matches!(first.await, Err(Error::Cancelled)));
        assert!(!lock.is_held());
    });
}

#[test]
fn who_gives_up_waiting_for_a_lock_leaves_the_line() {
    simulate(async {
        let lock = Rc::new(Lock::new(()));
        let guard = lock.acquire().await;
        assert!(
            timeout(Duration::from_secs(1), lock.acquire())
                .await
                .is_err()
        );
        drop(guard);
        assert!(!lock.is_held());
        drop(lock.acquire().await);
    });
}

#[test]
fn a_lock_is_given_back_by_who_panics_with_it() {
    simulate(async {
        let lock = Rc::new(Lock::new(1));
        let panicking = spawn({
            let lock = Rc::clone(&lock);
            async move {
                let _guard = lock.acquire().await;
                panic!("with the lock");
            }
        });
        assert!(panicking.await.is_err());
        assert_eq!(*lock.acquire().await, 1);
    });
}
