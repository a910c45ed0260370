//! How connections end, by a ring and without one: closed, reset, forked, and with the runtime.

#[path = "support/fork.rs"]
mod fork;
#[path = "support/ways.rs"]
mod ways;

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use fork::fork;
use futures_lite::future::zip;
use roundel::net::{TcpStream, UnixStream};
use roundel::{
    Clock, Error, Event, Order, Runner, StreamAccess, now, sleep, spawn, timeout, yield_now,
};
use ways::{begin, connected, each_way, runner, ways};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_peer_hears_at_once_of_a_connection_that_is_dropped_while_it_is_read() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut buffer = [0; 10];
        assert!(begin(&mut pin!(one.read(&mut buffer))).await.is_none());
        sleep(Duration::from_millis(1)).await;
        drop(one);
        let mut rest = Vec::new();
        let end = timeout(SECOND, other.read_to_end(&mut rest)).await;
        assert_eq!(end.unwrap().unwrap(), 0);
        // And of one that was never read, and of one whose read has only just begun.
        for has_begun in [false, true] {
            let (one, other) = connected().await;
            assert!(!has_begun || begin(&mut pin!(one.read(&mut buffer))).await.is_none());
            drop(one);
            let end = timeout(SECOND, other.read_to_end(&mut rest)).await;
            assert_eq!(end.unwrap().unwrap(), 0);
        }
    });
}

#[test]
fn what_finds_no_room_does_not_keep_a_dropped_connection_open() {
    each_way(|| async {
        let (one, other) = UnixStream::pair().unwrap();
        let mut sent = 0;
        while let Ok(count) = timeout(Duration::from_millis(5), one.write(&[1; 1000])).await {
            sent += count.unwrap();
        }
        drop(one);
        sleep(Duration::from_millis(1)).await;
        let refused = other.write(b"x").await.unwrap_err().kind();
        assert_eq!(refused, ErrorKind::BrokenPipe);
        let mut rest = Vec::new();
        assert_eq!(other.read_to_end(&mut rest).await.unwrap(), sent);
    });
}

#[test]
fn a_number_that_is_used_again_is_another_connection() {
    each_way(|| async {
        let mut numbers = Vec::new();
        for round in 0..20 {
            let (one, other) = UnixStream::pair().unwrap();
            numbers.push(one.get_ref().as_raw_fd());
            let mut buffer = [0; 10];
            assert!(begin(&mut pin!(one.read(&mut buffer))).await.is_none());
            if round % 3 == 0 {
                yield_now().await;
            }
            // What has begun to be sent may go or not, but to nobody else.
            assert!(
                round % 2 == 0
                    || begin(&mut pin!(other.write(b"old")))
                        .await
                        .is_none_or(|it| it.is_ok())
            );
            drop((one, other));
            let (one, other) = UnixStream::pair().unwrap();
            numbers.push(one.get_ref().as_raw_fd());
            other.get_ref().write_all(b"new").unwrap();
            yield_now().await;
            let count = timeout(SECOND, one.read(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(&buffer[..count], b"new");
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert!(numbers.len() < 20, "no number was used again: {numbers:?}");
    });
}

#[test]
fn the_end_comes_again_and_again() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut buffer = [0; 10];
        let (count, sent) = zip(other.read(&mut buffer), one.write(b"last")).await;
        assert_eq!((count.unwrap(), sent.unwrap()), (4, 4));
        let (count, end) = zip(other.read(&mut buffer), async { one.shutdown_write() }).await;
        end.unwrap();
        assert_eq!(count.unwrap(), 0);
        assert_eq!(other.read(&mut buffer).await.unwrap(), 0);
        other.readable().await.unwrap();
        // The other direction is open.
        other.write_all(b"thanks").await.unwrap();
        assert_eq!(one.read(&mut buffer).await.unwrap(), 6);
        assert_eq!(one.read(&mut []).await.unwrap(), 0);
        assert_eq!(other.write(&[]).await.unwrap(), 0);
    });
}

#[test]
fn a_reset_is_an_error_once_and_the_end_then() {
    each_way(|| async {
        for is_waiting in [false, true] {
            let (one, other) = connected().await;
            one.write_all(b"unread").await.unwrap();
            let mut buffer = [0; 10];
            let abort = async {
                if is_waiting {
                    sleep(Duration::from_millis(2)).await;
                }
                // What nobody has read makes a reset of the end.
                drop(other);
            };
            let (read, ()) = zip(one.read(&mut buffer), abort).await;
            assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(one.read(&mut buffer).await.unwrap(), 0);
            let refused = one.write(b"more").await.unwrap_err().kind();
            assert_eq!(refused, ErrorKind::BrokenPipe);
            assert_eq!(one.write_all(b"more").await.unwrap_err().kind(), refused);
        }
    });
}

#[test]
fn what_came_before_a_reset_is_read_before_the_error() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut buffer = [0; 3];
        let reading = async {
            // It is watched, or received from, when all that comes.
            one.read_exact(&mut buffer[..1]).await.unwrap();
            sleep(Duration::from_millis(5)).await;
            let mut rest = Vec::new();
            let error = one
                .read_to_end(&mut rest)
                .await
                .err()
                .map(|error| error.kind());
            (rest, error)
        };
        let writing = async {
            sleep(Duration::from_millis(2)).await;
            other.get_ref().write_all(b"abc").unwrap();
            sleep(Duration::from_millis(1)).await;
            reset(other);
        };
        let ((rest, error), ()) = zip(reading, writing).await;
        // The kernel drops what it has itself when a reset comes; what was received before is kept.
        assert!(rest == b"bc" || rest.is_empty(), "{rest:?}");
        assert_eq!(error, Some(ErrorKind::ConnectionReset));
    });
}

/// Has a connection reset.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream.get_ref(), Some(Duration::ZERO))
        .expect("a socket");
    drop(stream);
}

#[test]
fn what_comes_for_nobody_is_no_reason_to_wait_for_ever() {
    for access in ways() {
        let mut runner = runner(access);
        runner.detect_deadlocks(true);
        let kept = Rc::new(RefCell::new(None));
        let outcome = runner.run({
            let kept = Rc::clone(&kept);
            async move {
                let (one, other) = UnixStream::pair().unwrap();
                let mut byte = [0];
                let writing = async {
                    yield_now().await;
                    one.write_all(b"ab").await.unwrap();
                };
                let (read, ()) = zip(other.read_exact(&mut byte), writing).await;
                read.unwrap();
                assert!(begin(&mut pin!(one.read(&mut byte))).await.is_none());
                other.write_all(b"c").await.unwrap();
                *kept.borrow_mut() = Some((one, other));
                Event::new().wait().await;
            }
        });
        assert!(matches!(outcome, Err(Error::Deadlock(_))), "{access:?}");
    }
}

#[test]
fn a_runtime_may_end_in_the_midst_of_everything() {
    for access in ways() {
        let before = open_descriptors();
        for rounds in 0..6 {
            let kept = runner(access)
                .run(async move {
                    let (one, other) = connected().await;
                    let (third, fourth) = connected().await;
                    spawn(async move {
                        let mut buffer = [0; 10];
                        one.read(&mut buffer).await
                    });
                    spawn(async move { while other.write_all(&[1; 1000]).await.is_ok() {} });
                    for _ in 0..rounds {
                        yield_now().await;
                    }
                    assert!(
                        begin(&mut pin!(third.write(b"x")))
                            .await
                            .is_none_or(|it| it.is_ok())
                    );
                    (third, fourth)
                })
                .unwrap();
            // What outlives it can still send and receive what is there, but not wait.
            let outcome = runner(access).run(async move {
                let (third, fourth) = kept;
                third.write_all(b"y").await?;
                let mut buffer = [0; 10];
                loop {
                    let count = fourth.read(&mut buffer).await?;
                    if buffer[..count].ends_with(b"y") {
                        break;
                    }
                }
                fourth.read(&mut buffer).await.map(|_| ())
            });
            assert!(outcome.unwrap().is_err());
        }
        // Tests that run beside this one may have opened some.
        assert!(open_descriptors() <= before + 20);
    }
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}

#[test]
fn what_comes_while_a_runtime_ends_is_not_lost() {
    for access in ways() {
        let mut first = runner(access);
        let pair = first.run(async {
            let (one, other) = UnixStream::pair().unwrap();
            assert!(begin(&mut pin!(one.read(&mut [0]))).await.is_none());
            sleep(Duration::from_millis(1)).await;
            (one, other)
        });
        let (one, other) = pair.unwrap();
        other.get_ref().write_all(b"late").unwrap();
        drop(first);
        let text = runner(access).run(async move {
            let mut text = [0; 4];
            one.read_exact(&mut text).await.map(|()| text)
        });
        assert_eq!(&text.unwrap().unwrap(), b"late", "{access:?}");
    }
}

#[test]
fn a_forked_child_goes_on_with_the_connections_that_it_has() {
    for access in ways() {
        let mut runner = runner(access);
        let pair = runner.run(async {
            let (one, other) = UnixStream::pair().unwrap();
            let mut byte = [0];
            // The kernel receives, or the poller watches.
            assert!(begin(&mut pin!(one.read(&mut byte))).await.is_none());
            sleep(Duration::from_millis(1)).await;
            (Rc::new(one), Rc::new(other))
        });
        let pair = pair.unwrap();
        assert!(fork(|| talk(&mut runner, &pair)), "{access:?}");
        // What is under way is the parent's.
        let chosen = || runner.set_stream_access(access).is_ok() && talk(&mut runner, &pair);
        assert!(fork(chosen), "{access:?}");
        assert!(talk(&mut runner, &pair), "{access:?}");
    }
}

/// Sends from one end to the other one.
fn talk(runner: &mut Runner, (one, other): &(Rc<UnixStream>, Rc<UnixStream>)) -> bool {
    let (one, other) = (Rc::clone(one), Rc::clone(other));
    let outcome = runner.run(async move {
        for _ in 0..3 {
            let mut text = [0; 5];
            let (read, sent) = zip(one.read_exact(&mut text), other.write_all(b"hello")).await;
            assert!(read.is_ok() && sent.is_ok());
            assert_eq!(&text, b"hello");
        }
    });
    outcome.is_ok()
}

#[test]
fn where_no_ring_is_to_be_had_connections_go_without() {
    let is_content = fork(|| {
        let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).unwrap();
        let pair = runner.run(async { UnixStream::pair().unwrap() }).unwrap();
        let pair = (Rc::new(pair.0), Rc::new(pair.1));
        // No descriptor can be opened from now on.
        let limit = rustix::process::Rlimit {
            current: Some(0),
            ..rustix::process::getrlimit(rustix::process::Resource::Nofile)
        };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
        let is_content = talk(&mut runner, &pair);
        is_content && runner.set_stream_access(StreamAccess::Ring).is_err()
    });
    assert!(is_content);
}

#[test]
fn the_way_can_be_chosen_while_nothing_is_under_way() {
    let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).unwrap();
    if runner.set_stream_access(StreamAccess::Ring).is_err() {
        return;
    }
    let pair = runner
        .run(async {
            let (one, other) = UnixStream::pair().unwrap();
            let mut byte = [0];
            assert!(begin(&mut pin!(one.read(&mut byte))).await.is_none());
            sleep(Duration::from_millis(1)).await;
            (one, other)
        })
        .unwrap();
    let refused = runner.set_stream_access(StreamAccess::Poller).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
    let later = runner.run(async move {
        drop(pair);
        sleep(Duration::from_millis(1)).await;
        now()
    });
    assert!(later.is_ok());
    runner.set_stream_access(StreamAccess::Poller).unwrap();
}
