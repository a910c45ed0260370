//! Connections, received from and sent to by a ring and without one: nothing tells them apart but the time it takes.

#[path = "support/ways.rs"]
mod ways;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::pin;
use std::rc::Rc;
use std::thread::{self, park_timeout};
use std::time::Duration;

use futures_lite::future::zip;
use futures_util::AsyncWriteExt;
use roundel::net::{UnixStream, Watched};
use roundel::{Clock, Error, Handle, Order, Runner, ThreadQueue, sleep, spawn, timeout, yield_now};
use ways::{begin, connected, each_way, ways};

const SECOND: Duration = Duration::from_secs(1);

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
fn who_waits_for_more_to_read_is_told_though_another_task_has_little_to_read() {
    each_way(|| async {
        let (one, other) = connected().await;
        let other = Rc::new(other);
        let mut buffer = vec![0; 100_000];
        // Much at a time, and then what is little but no reason to forget who waits.
        for size in [20_000, 20_000, 100] {
            let reading = other.read_exact(&mut buffer[..size - 60]);
            let sent = bytes(0, size);
            let writing = async {
                sleep(Duration::from_millis(1)).await;
                one.write_all(&sent).await
            };
            let (read, written) = zip(reading, writing).await;
            read.and(written).unwrap();
            let waiting = spawn({
                let other = Rc::clone(&other);
                async move { other.readable().await }
            });
            yield_now().await;
            for _ in 0..40 {
                other.read_exact(&mut buffer[..1]).await.unwrap();
            }
            timeout(SECOND, waiting).await.unwrap().unwrap().unwrap();
            other.read_exact(&mut buffer[..20]).await.unwrap();
        }
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
fn whatever_else_is_watched_is_heard_of_beside_connections() {
    each_way(|| async {
        let (one, _other) = connected().await;
        // From now on the kernel receives.
        let idle = spawn(async move { one.read(&mut [0]).await });
        let (reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let reader = Watched::new(reader);
        let handle = Handle::current();
        let called = ThreadQueue::unbounded();
        let caller = called.thread_end();
        let thread = thread::spawn(move || {
            for _ in 0..3 {
                writer.write_all(b"x").unwrap();
                // It has been read by then, as a rule, and the dispatcher waits again.
                park_timeout(Duration::from_millis(5));
            }
            handle.call_soon(move || caller.put(()).unwrap()).unwrap();
        });
        for _ in 0..3 {
            let mut byte = [0];
            let reading = reader.read_with(|mut pipe| pipe.read(&mut byte));
            assert_eq!(timeout(SECOND, reading).await.unwrap().unwrap(), 1);
        }
        timeout(SECOND, called.get()).await.unwrap().unwrap();
        thread.join().unwrap();
        idle.cancel();
    });
}

#[test]
fn a_dropped_connection_is_closed_whenever_the_next_turn_may_be() {
    each_way(|| async {
        let mut buffer = [0; 10];
        let mut pairs: Vec<_> = (0..60).map(|_| UnixStream::pair().unwrap()).collect();
        for (one, _) in &pairs {
            assert!(begin(&mut pin!(one.read(&mut buffer))).await.is_none());
        }
        for turns in 0..3 {
            for _ in 0..turns {
                yield_now().await;
            }
            // The others have something to say at the same time.
            for (_, other) in &pairs {
                other.get_ref().write_all(b"x").unwrap();
            }
            let (one, other) = pairs.pop().unwrap();
            drop(one);
            // A thread that waits here for what another one reads must not wait for ever.
            let end = other.get_ref().read(&mut buffer).map_err(|it| it.kind());
            assert!(
                matches!(end, Ok(0) | Err(io::ErrorKind::ConnectionReset)),
                "{end:?}"
            );
        }
    });
}
