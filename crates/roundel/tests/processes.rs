//! Child processes and signals.

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::AsyncWriteExt;
use roundel::net::lines;
use roundel::{gather, process, run, signal, spawn, timeout, yield_now};

const SECOND: Duration = Duration::from_secs(1);

/// Signals are the whole process', and so is the limit of those who wait for them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn raise(number: i32) {
    // SAFETY: it can always be called; whoever tests a signal has seen to it that it is caught.
    assert_eq!(unsafe { libc::raise(number) }, 0);
}

#[test]
fn a_child_is_written_to_read_from_and_awaited() {
    run(async {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process::spawn(&mut command).unwrap();
        assert!(child.id() > 0 && child.try_wait().unwrap().is_none());
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"one\ntwo\n").await.unwrap();
        drop(input);
        let mut said = lines(child.stdout.take().unwrap(), 80);
        assert_eq!(said.next_line().await.unwrap().as_deref(), Some("one"));
        assert_eq!(said.next_line().await.unwrap().as_deref(), Some("two"));
        assert_eq!(said.next_line().await.unwrap(), None);
        assert!(child.wait().await.unwrap().success());
        assert!(child.wait().await.unwrap().success(), "again");
    });
}

#[test]
fn children_run_side_by_side_and_a_killed_one_says_so() {
    run(async {
        let output = |text: &'static str| async move {
            process::output(Command::new("sh").args(["-c", text])).await
        };
        let (one, other) =
            gather!(output("echo out; echo err >&2; exit 3"), output("echo b")).await;
        let one = one.unwrap();
        assert_eq!(
            (one.status.code(), &*one.stdout, &*one.stderr),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
        assert_eq!(other.unwrap().stdout, b"b\n");

        let mut sleeper = process::spawn(Command::new("sleep").arg("60")).unwrap();
        assert!(
            timeout(Duration::from_millis(20), sleeper.wait())
                .await
                .is_err()
        );
        sleeper.kill().unwrap();
        assert!(
            !timeout(SECOND, sleeper.wait())
                .await
                .unwrap()
                .unwrap()
                .success()
        );
        sleeper.kill().unwrap();
    });
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    run(async {
        let error = process::output(&mut Command::new("/no/such/program")).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_child_that_is_dropped_leaves_no_zombie() {
    run(async {
        let child = process::spawn(&mut Command::new("true")).unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        drop(child);
        let gone = async {
            while std::fs::exists(&stat).unwrap_or(false) {
                roundel::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(5 * SECOND, gone).await.unwrap();
    });
}

#[test]
fn everybody_who_waits_for_a_signal_hears_of_it() {
    let _alone = alone();
    run(async {
        let mut one = signal::signals(libc::SIGUSR1).unwrap();
        let mut other = signal::signals(libc::SIGUSR1).unwrap();
        let mut none = signal::signals(libc::SIGUSR2).unwrap();
        raise(libc::SIGUSR1);
        timeout(SECOND, one.next()).await.unwrap().unwrap();
        timeout(SECOND, other.next()).await.unwrap().unwrap();
        assert!(
            timeout(Duration::from_millis(5), none.next())
                .await
                .is_err()
        );
        let waiting = spawn(async move { one.next().await });
        yield_now().await;
        raise(libc::SIGUSR1);
        timeout(SECOND, waiting).await.unwrap().unwrap().unwrap();
    });
}

#[test]
fn a_signal_of_before_is_not_for_the_next_one_who_waits() {
    let _alone = alone();
    run(async {
        drop(signal::signals(libc::SIGWINCH).unwrap());
        raise(libc::SIGWINCH);
        let mut late = signal::signals(libc::SIGWINCH).unwrap();
        assert!(
            timeout(Duration::from_millis(5), late.next())
                .await
                .is_err()
        );
    });
}

#[test]
fn signals_that_can_not_be_caught_are_refused() {
    let _alone = alone();
    run(async {
        for number in [libc::SIGKILL, 0, 10_000] {
            let error = signal::signals(number).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{number}");
        }
    });
}

#[test]
fn a_hundred_may_wait_and_no_more() {
    let _alone = alone();
    run(async {
        let mut many = Vec::new();
        let error = loop {
            match signal::signals(libc::SIGWINCH) {
                Ok(signals) => many.push(signals),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
        drop(many);
        assert!(signal::signals(libc::SIGWINCH).is_ok());
    });
}
