//! Sleeping, and waiting no longer than so long.

#[path = "support/program.rs"]
mod support;

use std::future::{pending, ready};
use std::time::Duration;

use roundel::{Error, Event, Order, gather, now, run, sleep, sleep_until, timeout, yield_now};
use support::{Log, runner, simulate, simulate_in};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_sleep_lasts_as_long_as_it_says_from_when_it_is_awaited() {
    simulate(async {
        let began = now();
        let later = sleep(SECOND);
        sleep(SECOND * 5).await;
        later.await;
        assert_eq!(now() - began, SECOND * 6);
        sleep_until(began + SECOND * 10).await;
        assert_eq!(now(), began + SECOND * 10);
        sleep_until(began).await;
        assert_eq!(now(), began + SECOND * 10);
    });
}

#[test]
fn a_real_sleep_is_never_short() {
    run(async {
        for _ in 0..5 {
            let began = now();
            sleep(Duration::from_micros(300)).await;
            assert!(now() - began >= Duration::from_micros(300));
        }
    });
}

#[test]
fn who_sleeps_shortest_wakes_first_under_any_order() {
    for seed in 0..20 {
        let log = Log::default();
        let said = log.clone();
        simulate_in(Order::Seeded(seed), async move {
            gather([3, 1, 2].map(|seconds| {
                let log = log.clone();
                async move {
                    sleep(SECOND * seconds).await;
                    log.add(seconds.to_string());
                }
            }))
            .await;
        });
        assert_eq!(said.said(), "1 2 3");
    }
}

#[test]
fn a_sleep_without_end_does_not_overflow() {
    let mut runner = runner(Order::Fifo);
    let outcome = runner.run(async {
        sleep(SECOND).await;
        sleep(Duration::MAX).await;
        now()
    });
    assert_eq!(
        outcome.unwrap() - runner.run(async { now() }).unwrap(),
        Duration::ZERO
    );
}

#[test]
fn what_is_ready_at_once_is_never_too_late() {
    simulate(async {
        assert_eq!(timeout(Duration::ZERO, ready(1)).await.unwrap(), 1);
        assert!(matches!(
            timeout(Duration::ZERO, pending::<()>()).await,
            Err(Error::Timeout)
        ));
    });
}

#[test]
fn what_is_ready_in_time_cancels_the_timer() {
    simulate(async {
        let began = now();
        assert!(timeout(SECOND * 9, sleep(SECOND)).await.is_ok());
        assert_eq!(now() - began, SECOND);
        sleep(SECOND).await;
        assert_eq!(now() - began, SECOND * 2);
    });
}

#[test]
fn what_is_not_ready_in_time_is_left() {
    simulate(async {
        let began = now();
        let event = Event::new();
        assert!(matches!(
            timeout(SECOND, event.wait()).await,
            Err(Error::Timeout)
        ));
        assert_eq!(now() - began, SECOND);
        let nested = timeout(SECOND, timeout(SECOND * 9, event.wait())).await;
        assert!(nested.is_err());
    });
}

#[test]
fn what_comes_at_the_last_moment_comes_in_time() {
    for seed in 0..20 {
        simulate_in(Order::Seeded(seed), async {
            let outcome = timeout(SECOND, async {
                sleep(SECOND).await;
                yield_now().await;
            });
            // The sleep is over at the same time as the timeout, but the yield is not.
            assert!(outcome.await.is_err());
            assert!(timeout(SECOND, sleep(SECOND)).await.is_ok());
        });
    }
}

#[test]
fn moments_can_be_compared_and_reckoned_with() {
    simulate(async {
        let mut moment = now();
        let earlier = moment;
        moment += SECOND;
        assert!(moment > earlier);
        assert_eq!(
            (moment - earlier, earlier - moment),
            (SECOND, Duration::ZERO)
        );
        assert_eq!(moment + Duration::MAX, earlier + Duration::MAX);
    });
}
