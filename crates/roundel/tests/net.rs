//! Sockets: what goes through them, who waits for them, and what is left behind.

#[path = "support/ways.rs"]
mod ways;

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use roundel::net::{
    TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, Watched, copy, lines, resolve,
};
use roundel::{Error, Order, Runner, gather, run, spawn, task_group, timeout, yield_now};
use ways::{connected, each_way};

const SECOND: Duration = Duration::from_secs(1);

/// A listener and a way to connect to it.
async fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_address().expect("an address");
    (listener, address)
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}

#[test]
fn a_hundred_connections_are_served_side_by_side() {
    each_way(|| async {
        let (listener, address) = listen().await;
        let server = spawn(task_group(async move |group| {
            for _ in 0..100 {
                let (stream, _) = listener.accept().await?;
                group.spawn(async move {
                    copy(&stream, &stream).await?;
                    stream.shutdown_write()
                });
            }
            Ok::<_, io::Error>(())
        }));
        let clients = gather((0..100_u32).map(|number| async move {
            let mut stream = TcpStream::connect(address).await?;
            let sent = number.to_le_bytes().repeat(1_000);
            for piece in sent.chunks(999) {
                stream.write_all(piece).await?;
                yield_now().await;
            }
            stream.close().await?;
            let mut received = Vec::new();
            stream.read_to_end(&mut received).await?;
            assert!(received == sent);
            io::Result::Ok(())
        }));
        assert!(clients.await.into_iter().all(|outcome| outcome.is_ok()));
        server.await.unwrap().unwrap();
    });
}

#[test]
fn more_than_the_buffers_hold_goes_through_both_ways_at_once() {
    each_way(|| async {
        let (one, other) = connected().await;
        let sent = Rc::new(
            (0..1_000_000_u32)
                .map(|number| number.to_le_bytes()[0])
                .collect::<Vec<_>>(),
        );
        let exchange = |stream: TcpStream| {
            let sent = Rc::clone(&sent);
            let (mut reader, mut writer) = stream.into_split();
            async move {
                let bytes = Rc::clone(&sent);
                let write = async move {
                    writer.write_all(&bytes).await?;
                    writer.close().await
                };
                let read = async move {
                    let mut received = Vec::new();
                    reader.read_to_end(&mut received).await.map(|_| received)
                };
                let (written, received) = gather!(write, read).await;
                written.unwrap();
                assert!(received.unwrap() == *sent);
            }
        };
        gather!(exchange(one), exchange(other)).await;
    });
}

#[test]
fn a_connection_that_nobody_accepts_is_refused_with_the_systems_error() {
    each_way(|| async {
        let (listener, address) = listen().await;
        drop(listener);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let missing = UnixStream::connect("/nowhere/at/all").await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        for wrong in ["no port", "host:port", ":99999"] {
            let error = TcpStream::connect(wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
        }
        let none: &[std::net::SocketAddr] = &[];
        let error = TcpStream::connect(none).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no address to connect to");
    });
}

#[test]
fn names_are_looked_up_and_numbers_are_not() {
    each_way(|| async {
        assert_eq!(
            resolve("127.0.0.1", 7).await.unwrap(),
            ["127.0.0.1:7".parse().unwrap()]
        );
        assert_eq!(
            resolve("::1", 7).await.unwrap(),
            ["[::1]:7".parse().unwrap()]
        );
        assert!(
            resolve("localhost", 7)
                .await
                .unwrap()
                .iter()
                .all(|found| found.port() == 7)
        );
        assert!(resolve("no such name.invalid", 7).await.is_err());
    });
}

#[test]
fn a_reader_that_is_dropped_while_it_waits_takes_nothing() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut buffer = [0; 8];
        for _ in 0..3 {
            let reading = timeout(Duration::from_millis(5), one.read(&mut buffer));
            assert!(matches!(reading.await, Err(Error::Timeout)));
        }
        other.write_all(b"kept").await.unwrap();
        assert_eq!(one.read(&mut buffer).await.unwrap(), 4);
        drop(other);
        assert_eq!(one.read(&mut buffer).await.unwrap(), 0);
        let outcome = one.read_exact(&mut buffer).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn several_tasks_may_wait_for_the_same_descriptor() {
    each_way(|| async {
        let (one, other) = connected().await;
        let one = Rc::new(one);
        let read = || {
            let one = Rc::clone(&one);
            spawn(async move {
                let mut byte = [0];
                one.read_exact(&mut byte).await.map(|()| byte[0])
            })
        };
        let tasks = [read(), read(), read()];
        yield_now().await;
        tasks[1].cancel();
        other.write_all(b"ab").await.unwrap();
        let mut got = Vec::new();
        for task in tasks {
            if let Ok(byte) = task.await {
                got.push(byte.unwrap());
            }
        }
        assert_eq!(got, b"ab");
    });
}

#[test]
fn who_gives_up_reading_to_the_end_has_what_came_by_then_and_no_more() {
    each_way(|| async {
        let (one, other) = connected().await;
        let mut bytes = b"begun ".to_vec();
        for text in ["hello ", "and "] {
            one.write_all(text.as_bytes()).await.unwrap();
            let reading = timeout(Duration::from_millis(5), other.read_to_end(&mut bytes));
            assert!(matches!(reading.await, Err(Error::Timeout)));
        }
        one.write_all(b"goodbye").await.unwrap();
        drop(one);
        assert_eq!(other.read_to_end(&mut bytes).await.unwrap(), 7);
        assert_eq!(bytes, b"begun hello and goodbye");
    });
}

#[test]
fn a_flood_does_not_keep_the_others_from_their_turns() {
    each_way(|| async {
        let (one, other) = connected().await;
        let done = Rc::new(Cell::new(false));
        let flood = spawn(async move {
            let piece = vec![0; 1 << 16];
            while one.write_all(&piece).await.is_ok() {}
        });
        let drain = spawn(async move {
            let mut buffer = [0; 1 << 10];
            while other.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        });
        let ticks = spawn({
            let done = Rc::clone(&done);
            async move {
                for _ in 0..100 {
                    yield_now().await;
                }
                done.set(true);
            }
        });
        assert!(timeout(SECOND, ticks).await.is_ok());
        assert!(done.get());
        flood.cancel();
        drain.cancel();
    });
}

#[test]
fn nothing_is_left_of_connections_that_are_dropped() {
    let connections = || async {
        let (listener, address) = listen().await;
        let accept = spawn(async move {
            loop {
                drop(listener.accept().await);
            }
        });
        for round in 0..50_u64 {
            let attempt = timeout(
                Duration::from_micros(round * 10),
                TcpStream::connect(address),
            );
            drop(attempt.await);
        }
        accept.cancel();
        assert!(accept.await.is_err());
    };
    run(connections());
    let before = open_descriptors();
    run(connections());
    // Tests run side by side in one process: others may have opened some meanwhile.
    assert!(
        open_descriptors() <= before + 40,
        "{before} {}",
        open_descriptors()
    );
}

#[test]
fn unix_sockets_have_a_path() {
    let path = std::env::temp_dir().join(format!("roundel-{}.sock", std::process::id()));
    run({
        let path = path.clone();
        async move {
            let listener = UnixListener::bind(&path).unwrap();
            let (client, server) =
                gather!(
                    UnixStream::connect(path),
                    async move { listener.accept().await }
                )
                .await;
            let (client, server) = (client.unwrap(), server.unwrap());
            client.write_all(b"one\ntwo\n").await.unwrap();
            client.shutdown_write().unwrap();
            let mut lines = lines(server, 16);
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
            assert_eq!(lines.next_line().await.unwrap(), None);
        }
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn datagrams_come_whole_or_cut_off() {
    each_way(|| async {
        let [one, other] = [
            UdpSocket::bind("127.0.0.1:0"),
            UdpSocket::bind("127.0.0.1:0"),
        ];
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        one.connect(other.local_address().unwrap()).await.unwrap();
        one.send(b"a long one").await.unwrap();
        one.send(b"short").await.unwrap();
        let mut buffer = [0; 6];
        assert_eq!(other.receive_from(&mut buffer).await.unwrap().0, 6);
        assert_eq!(&buffer, b"a long");
        let (count, from) = other.receive_from(&mut buffer).await.unwrap();
        assert_eq!(
            (&buffer[..count], from),
            (&b"short"[..], one.local_address().unwrap())
        );
        other.send_to(b"back", from).await.unwrap();
        assert_eq!(one.receive(&mut buffer).await.unwrap(), 4);
    });
}

#[test]
fn lines_that_are_too_long_or_no_text_are_errors() {
    each_way(|| async {
        let mut long = lines(&b"fits\nthis does not\n"[..], 8);
        assert_eq!(long.next_line().await.unwrap().as_deref(), Some("fits"));
        assert_eq!(
            long.next_line().await.unwrap_err().to_string(),
            "a line is too long"
        );
        assert_eq!(long.next_line().await.unwrap(), None);
        let endless = vec![b'x'; 1 << 20];
        assert!(lines(&endless[..], 100).next_line().await.is_err());
        let mut wrong = lines(&b"\xff\xfe\n"[..], 8);
        assert_eq!(
            wrong.next_line().await.unwrap_err().kind(),
            ErrorKind::InvalidData
        );
        let mut crossing = lines(&b"a\r\n\r\nlast"[..], 8);
        for expected in [Some("a"), Some(""), Some("last"), None] {
            assert_eq!(crossing.next_line().await.unwrap().as_deref(), expected);
        }
    });
}

#[test]
fn whatever_has_a_descriptor_can_be_watched() {
    each_way(|| async {
        let (reader, mut writer) = io::pipe().unwrap();
        let reader = Watched::new(reader);
        assert!(
            timeout(Duration::from_millis(5), reader.readable())
                .await
                .is_err()
        );
        writer.write_all(b"x").unwrap();
        for _ in 0..3 {
            timeout(SECOND, reader.readable()).await.unwrap().unwrap();
        }
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let refused = Watched::new(file).readable().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    });
}

/// A pipe that counts how often it is read.
struct Counting {
    pipe: io::PipeReader,
    reads: Rc<Cell<usize>>,
}

impl AsFd for Counting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl Read for &Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        (&self.pipe).read(buffer)
    }
}

#[test]
fn who_has_read_all_there_was_waits_without_reading_in_vain() {
    each_way(|| async {
        let (pipe, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&pipe, true).unwrap();
        let reads = Rc::new(Cell::new(0));
        let mut reader = Watched::new(Counting {
            pipe,
            reads: Rc::clone(&reads),
        });
        let mut buffer = [0; 4];
        let waits = timeout(Duration::from_millis(1), reader.read(&mut buffer));
        assert!(waits.await.is_err(), "there is nothing");
        assert_eq!(reads.get(), 1, "who does not know tries");

        for text in ["abcd", "ef", "g", "hi"] {
            writer.write_all(text.as_bytes()).unwrap();
            reads.set(0);
            let count = reader.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..count], text.as_bytes());
            let waits = timeout(Duration::from_millis(1), reader.read(&mut buffer));
            assert!(waits.await.is_err(), "there is no more");
            let tried = if count < buffer.len() { 1 } else { 2 };
            assert_eq!(
                reads.get(),
                tried,
                "{text} fills the buffer, or leaves room"
            );
        }
        drop(writer);
        for _ in 0..2 {
            assert_eq!(
                reader.read(&mut buffer).await.unwrap(),
                0,
                "the end comes again"
            );
        }
    });
}

#[test]
fn a_socket_may_outlive_its_runtime_and_is_of_no_use_then() {
    let (one, other) = run(connected());
    let outcome = run(async move {
        let mut buffer = [0; 1];
        assert!(other.write(b"x").await.is_ok());
        one.read_exact(&mut buffer).await.unwrap();
        one.read(&mut buffer).await
    });
    assert!(outcome.is_err(), "who would wait is told");
}

#[test]
fn a_virtual_clock_lets_sockets_have_their_say_before_it_jumps() {
    let mut runner = Runner::new(roundel::Clock::virtual_time(), Order::Seeded(3)).unwrap();
    runner
        .run(async {
            let (one, other) = connected().await;
            let echo = spawn(async move {
                let mut byte = [0];
                other.read_exact(&mut byte).await.unwrap();
                other.write_all(&byte).await.unwrap();
            });
            let mut byte = [0];
            let exchange = async {
                one.write_all(b"x").await.unwrap();
                one.read_exact(&mut byte).await.unwrap();
            };
            timeout(60 * SECOND, exchange).await.unwrap();
            echo.await.unwrap();
        })
        .unwrap();
}

#[test]
fn a_socket_outside_a_runtime_is_refused() {
    let outcome = std::panic::catch_unwind(|| UnixStream::pair().is_ok());
    let text = outcome.unwrap_err().downcast::<String>();
    assert!(text.is_ok_and(|text| text.contains("no runtime in this thread")));
}

#[test]
fn a_descriptor_is_watched_only_while_somebody_waits() {
    each_way(|| async {
        let (one, other) = connected().await;
        other.write_all(b"unread").await.unwrap();
        one.readable().await.unwrap();
        // The next events find nobody: no turn may go by with them for ever.
        let began = roundel::now();
        roundel::sleep(Duration::from_millis(20)).await;
        assert!(roundel::now() - began >= Duration::from_millis(20));
        assert!(one.get_ref().as_raw_fd() >= 0);
        let mut buffer = [0; 6];
        one.read_exact(&mut buffer).await.unwrap();
    });
}
