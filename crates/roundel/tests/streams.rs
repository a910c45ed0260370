//! Connections, received from and sent to by a ring and without one: nothing tells them apart but the time it takes.

#[path = "support/fork.rs"]
mod fork;
#[path = "support/ways.rs"]
mod ways;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use fork::fork;
use futures_lite::future::zip;
use futures_util::AsyncWriteExt;
use roundel::net::{TcpListener, TcpStream, UnixStream};
use roundel::{
    Clock, Error, Event, Order, Runner, StreamAccess, now, sleep, spawn, timeout, yield_now,
};
use ways::{each_way, runner, ways};

const SECOND: Duration = Duration::from_secs(1);

async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_address().expect("an address");
    let accept = async move { listener.accept().await.expect("a server").0 };
    let (client, server) = zip(TcpStream::connect(address), accept).await;
    (client.expect("a client"), server)
}

/// Polls a future once.
async fn begin<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match pin!(&mut *future).poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// Numbers that look random, and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn size(&mut self, limit: u64) -> usize {
        usize::try_from(self.below(limit)).expect("a small number")
    }
}

/// The bytes of a stream from a position on.
fn bytes(from: usize, count: usize) -> Vec<u8> {
    let byte = |position: usize| (position % 251).to_le_bytes()[0];
    (from..from + count).map(byte).collect()
}

#[test]
fn what_is_sent_in_pieces_of_all_sizes_comes_in_order() {
    each_way(|| async {
        for seed in 0..8 {
            let (one, other) = connected().await;
            let total = 600_000;
            let send = async move {
                let (mut dice, mut sent) = (Dice(seed), 0);
                while sent < total {
                    // Many small ones, then some large ones, and so on.
                    let limit = if sent / 100_000 % 2 == 0 {
                        3_000
                    } else {
                        60_000
                    };
                    let size = (1 + dice.size(limit)).min(total - sent);
                    one.write_all(&bytes(sent, size)).await.unwrap();
                    sent += size;
                    if dice.below(4) == 0 {
                        yield_now().await;
                    }
                }
            };
            let receive = async move {
                let (mut dice, mut received) = (Dice(seed + 100), 0);
                let mut buffer = vec![0; 20_000];
                loop {
                    let room = 1 + dice.size(20_000);
                    // Who gives up has taken nothing.
                    let gives_up = dice.below(3) == 0;
                    let count = {
                        let mut reading = pin!(other.read(&mut buffer[..room]));
                        match begin(&mut reading).await {
                            Some(count) => count.unwrap(),
                            None if gives_up => continue,
                            None => reading.await.unwrap(),
                        }
                    };
                    if count == 0 {
                        break received;
                    }
                    assert!(buffer[..count] == bytes(received, count));
                    received += count;
                }
            };
            let ((), received) = zip(send, receive).await;
            assert_eq!(received, total);
        }
    });
}

#[test]
fn more_connections_than_there_is_memory_for_have_something_at_once() {
    each_way(|| async {
        let mut readers = Vec::new();
        let mut writers = Vec::new();
        for _ in 0..200 {
            let (one, other) = UnixStream::pair().unwrap();
            writers.push(one);
            readers.push(spawn(async move {
                let mut texts = String::new();
                let mut buffer = [0; 100];
                loop {
                    match other.read(&mut buffer).await.unwrap() {
                        0 => return texts,
                        count => texts.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
                    }
                }
            }));
        }
        for text in ["once ", "and ", "again"] {
            // Everybody waits by then.
            sleep(Duration::from_millis(2)).await;
            for writer in &writers {
                writer.get_ref().write_all(text.as_bytes()).unwrap();
            }
        }
        drop(writers);
        for reader in readers {
            assert_eq!(reader.await.unwrap(), "once and again");
        }
    });
}

#[test]
fn a_peer_of_who_does_not_read_has_to_wait() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut first = [0];
        let (read, written) = zip(other.read(&mut first), one.write(&[7])).await;
        assert_eq!((read.unwrap(), written.unwrap()), (1, 1));
        let sent = Rc::new(Cell::new(0));
        let flood = spawn({
            let sent = Rc::clone(&sent);
            async move {
                // Small enough for a ring.
                while one.write_all(&bytes(sent.get(), 1000)).await.is_ok() {
                    sent.set(sent.get() + 1000);
                }
            }
        });
        let mut known = usize::MAX;
        while sent.get() != known {
            known = sent.get();
            sleep(Duration::from_millis(50)).await;
        }
        assert!(known < 32 << 20, "{known} bytes are kept for nobody");
        // Now somebody reads, and nothing is missing.
        let mut buffer = vec![0; 5000];
        let mut received = 0;
        while received <= known {
            let count = other.read(&mut buffer).await.unwrap();
            assert!(buffer[..count] == bytes(received, count));
            received += count;
        }
        flood.cancel();
    });
}

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
fn a_write_that_is_dropped_leaves_the_stream_in_order() {
    each_way(|| async {
        let (one, other) = connected().await;
        for round in 0..50_u8 {
            if round % 5 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            let began = begin(&mut pin!(one.write(&[b'?', round]))).await;
            assert!(began.is_none_or(|outcome| outcome.is_ok()));
            if round % 3 == 0 {
                yield_now().await;
            }
            if round % 2 == 0 {
                one.write_all(&[round]).await.unwrap();
            } else {
                // What does not go by a ring does not overtake what does.
                AsyncWriteExt::write_all(&mut &one, &[round]).await.unwrap();
            }
        }
        one.shutdown_write().unwrap();
        let mut received = Vec::new();
        other.read_to_end(&mut received).await.unwrap();
        // Each of them has gone as a whole, or not at all.
        let mut rest = &received[..];
        for round in 0..50_u8 {
            rest = rest.strip_prefix(&[b'?', round]).unwrap_or(rest);
            assert_eq!(rest.first(), Some(&round));
            rest = &rest[1..];
        }
        assert!(rest.is_empty());
    });
}

#[test]
fn several_tasks_may_write_and_each_hears_of_its_own() {
    let writers = || async {
        let (one, other) = connected().await;
        let one = Rc::new(one);
        let tasks: Vec<_> = (1..=20_usize)
            .map(|size| {
                let one = Rc::clone(&one);
                spawn(async move {
                    for _ in 0..10 {
                        assert_eq!(one.write(&vec![0; size]).await.unwrap(), size);
                        // Others send in a different way in between.
                        let count = AsyncWriteExt::write(&mut &*one, &vec![0; size]).await;
                        assert_eq!(count.unwrap(), size);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        one.shutdown_write().unwrap();
        let mut received = Vec::new();
        let count = other.read_to_end(&mut received).await.unwrap();
        assert_eq!(count, (1..=20).sum::<usize>() * 20);
    };
    each_way(writers);
    for access in ways() {
        for seed in 0..10 {
            let mut runner = Runner::new(Clock::monotonic(), Order::Seeded(seed)).unwrap();
            runner.set_stream_access(access).unwrap();
            runner.run(writers()).unwrap();
        }
    }
}

#[test]
fn who_waits_for_more_to_read_hears_of_what_is_here_already() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut buffer = [0; 2];
        let writing = async {
            sleep(Duration::from_millis(1)).await;
            one.write_all(b"abcd").await.unwrap();
        };
        let (count, ()) = zip(other.read(&mut buffer), writing).await;
        assert_eq!(count.unwrap(), 2);
        timeout(SECOND, other.readable()).await.unwrap().unwrap();
        assert_eq!(other.read(&mut buffer).await.unwrap(), 2);
        assert_eq!(&buffer, b"cd");
        let waits = timeout(Duration::from_millis(2), other.readable()).await;
        assert!(matches!(waits, Err(Error::Timeout)));
        timeout(SECOND, other.writable()).await.unwrap().unwrap();
    });
}

#[test]
fn scattered_reads_take_what_has_come_piece_by_piece() {
    each_way(|| async {
        let (one, other) = connected().await;
        let (mut first, mut second) = ([0; 3], [0; 4]);
        let mut other = &other;
        let reading = poll_fn(|cx| {
            let buffers = &mut [
                io::IoSliceMut::new(&mut first),
                io::IoSliceMut::new(&mut second),
            ];
            futures_util::AsyncRead::poll_read_vectored(pin!(&mut other), cx, buffers)
        });
        let writing = async {
            sleep(Duration::from_millis(1)).await;
            one.write_all(b"abcdefghi").await.unwrap();
        };
        let (count, ()) = zip(reading, writing).await;
        assert_eq!(count.unwrap(), 7);
        assert_eq!((&first, &second), (b"abc", b"defg"));
        let mut rest = [0; 5];
        assert_eq!(other.read(&mut rest).await.unwrap(), 2);
    });
}

#[test]
fn connections_are_served_while_others_are_busy() {
    each_way(|| async {
        let (one, other) = connected().await;
        let is_over = Rc::new(Cell::new(false));
        let turns = Rc::new(Cell::new(0_u64));
        spawn({
            let (is_over, turns) = (Rc::clone(&is_over), Rc::clone(&turns));
            async move {
                while !is_over.get() {
                    turns.set(turns.get() + 1);
                    yield_now().await;
                }
            }
        });
        spawn(async move {
            let mut byte = [0];
            while other.read(&mut byte).await.is_ok_and(|count| count > 0) {
                other.write_all(&byte).await.unwrap();
            }
        });
        for _ in 0..100 {
            let mut byte = [0];
            one.write_all(b"x").await.unwrap();
            one.read_exact(&mut byte).await.unwrap();
        }
        is_over.set(true);
        // Each way takes 64 turns at most until the operating system is asked.
        assert!(turns.get() < 100 * 2 * 70, "{}", turns.get());
    });
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
