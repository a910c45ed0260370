//! The network in memory: what arrives, when, and that it does so again.

#[path = "support/program.rs"]
mod support;

use std::io::ErrorKind;
use std::panic::catch_unwind;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use roundel::sim::{self, Network};
use roundel::{Error, Order, gather, now, sleep, spawn, task_group, timeout};
use support::{simulate, simulate_in};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A server that sends back what it gets, with clients that count on it, and an unsteady network.
async fn program(network: Network) {
    network.set_latency(MILLISECOND..=300 * MILLISECOND);
    network.set_loss(0.2);
    let mut listener = network
        .host("server")
        .listen(7)
        .expect("no accident is an error");
    let server = spawn(task_group(async move |group| {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await;
            group.spawn(async move {
                let mut buffer = [0; 16];
                loop {
                    match stream.read(&mut buffer).await? {
                        0 => return stream.close().await,
                        count => stream.write_all(&buffer[..count]).await?,
                    }
                }
            });
        }
        Ok::<_, std::io::Error>(())
    }));
    let weather = {
        let network = network.clone();
        async move {
            for _ in 0..3 {
                sleep(200 * MILLISECOND).await;
                network.partition("server", "client 1");
                sleep(500 * MILLISECOND).await;
                network.heal("client 1", "server");
            }
        }
    };
    let clients = gather((0..3).map(|number| {
        let host = network.host(format!("client {number}"));
        async move {
            let mut stream = host
                .connect("server", 7)
                .await
                .expect("no accident is an error");
            let text = format!("all of this is from number {number}");
            stream
                .write_all(text.as_bytes())
                .await
                .expect("no accident is an error");
            stream.close().await.expect("no accident is an error");
            let mut echo = String::new();
            stream
                .read_to_string(&mut echo)
                .await
                .expect("no accident is an error");
            assert_eq!(echo, text);
        }
    }));
    gather!(
        async {
            clients.await;
        },
        weather
    )
    .await;
    server
        .await
        .expect("no accident is an error")
        .expect("no accident is an error");
}

fn run_with(seed: u64) -> Vec<String> {
    let network = Network::new(seed);
    simulate_in(Order::Seeded(seed), program(network.clone()));
    network.log()
}

#[test]
fn a_seed_replays_to_the_byte_and_the_nanosecond() {
    let logs: Vec<_> = (0..50).map(run_with).collect();
    assert_eq!(logs, (0..50).map(run_with).collect::<Vec<_>>());
    assert!(
        logs.windows(2).all(|pair| pair[0] != pair[1]),
        "and others differ"
    );
}

#[test]
fn bytes_arrive_whole_and_in_order_however_unsteady_the_network_is() {
    sim::check(0..100, program);
}

#[test]
fn what_is_sent_takes_its_time() {
    simulate(async {
        let network = Network::new(1);
        network.set_latency(50 * MILLISECOND..=50 * MILLISECOND);
        let mut listener = network.host("b").listen(1).unwrap();
        let began = now();
        let mut client = network.host("a").connect("b", 1).await.unwrap();
        assert_eq!(now() - began, 100 * MILLISECOND);
        let (mut server, from) = listener.accept().await;
        assert_eq!((&*from, server.peer(), client.peer()), ("a", "a", "b"));
        let sent = now();
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
        assert_eq!(now() - sent, 50 * MILLISECOND);
    });
}

#[test]
fn a_partition_holds_streams_up_and_swallows_datagrams() {
    simulate(async {
        let network = Network::new(1);
        let (a, b) = (network.host("a"), network.host("b"));
        let mut listener = b.listen(1).unwrap();
        let mut client = a.connect("b", 1).await.unwrap();
        let (mut server, _) = listener.accept().await;
        let (sender, mut receiver) = (a.bind(9).unwrap(), b.bind(9).unwrap());
        network.partition("b", "a");
        client.write_all(b"x").await.unwrap();
        sender.send_to(b"lost", "b", 9);
        assert!(timeout(SECOND, server.read_exact(&mut [0])).await.is_err());
        assert!(timeout(SECOND, a.connect("b", 1)).await.is_err());
        network.heal("a", "b");
        sender.send_to(b"found", "b", 9);
        timeout(SECOND, server.read_exact(&mut [0]))
            .await
            .unwrap()
            .unwrap();
        let (bytes, from, port) = receiver.receive_from().await;
        assert_eq!((&*bytes, &*from, port), (&b"found"[..], "a", 9));
    });
}

#[test]
fn a_reset_is_found_at_both_ends() {
    simulate(async {
        let network = Network::new(1);
        let mut listener = network.host("b").listen(1).unwrap();
        let mut client = network.host("a").connect("b", 1).await.unwrap();
        let (mut server, _) = listener.accept().await;
        let reading = spawn(async move { server.read(&mut [0]).await });
        sleep(SECOND).await;
        network.reset("b", "a");
        let error = reading.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = client.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn who_is_not_there_refuses_and_who_is_gone_ends() {
    simulate(async {
        let network = Network::new(1);
        let (a, b) = (network.host("a"), network.host("b"));
        let error = a.connect("b", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let mut listener = b.listen(1).unwrap();
        assert_eq!(b.listen(1).unwrap_err().kind(), ErrorKind::AddrInUse);
        let mut client = a.connect("b", 1).await.unwrap();
        drop(listener.accept().await);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(
            client.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        drop(listener);
        assert!(a.connect("b", 1).await.is_err());
        assert!(b.listen(1).is_ok());
    });
}

#[test]
fn a_writer_waits_while_nobody_reads() {
    simulate(async {
        let network = Network::new(1);
        let mut listener = network.host("b").listen(1).unwrap();
        let mut client = network.host("a").connect("b", 1).await.unwrap();
        let (mut server, _) = listener.accept().await;
        let bytes = vec![7; 200_000];
        assert!(timeout(SECOND, client.write_all(&bytes)).await.is_err());
        drop(client);
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        assert_eq!(received.len(), 64 * 1024);
    });
}

#[test]
fn datagrams_overtake_each_other_and_get_lost() {
    let (mut overtaken, mut lost) = (0, 0);
    for seed in 0..50 {
        let received = simulate_in(Order::Seeded(seed), async move {
            let network = Network::new(seed);
            network.set_latency(MILLISECOND..=100 * MILLISECOND);
            network.set_loss(0.1);
            let (sender, mut receiver) = (
                network.host("a").bind(1).unwrap(),
                network.host("b").bind(2).unwrap(),
            );
            for number in 0..10 {
                sender.send_to(&[number], "b", 2);
            }
            let mut received = Vec::new();
            while let Ok((bytes, ..)) = timeout(SECOND, receiver.receive_from()).await {
                received.push(bytes[0]);
            }
            received
        });
        overtaken += usize::from(!received.is_sorted());
        lost += 10 - received.len();
    }
    assert!(
        overtaken > 40 && (20..80).contains(&lost),
        "{overtaken} {lost}"
    );
}

#[test]
fn who_waits_for_good_on_the_network_is_a_deadlock() {
    let outcome = support::runner(Order::Fifo).run(async {
        let network = Network::new(1);
        let mut socket = network.host("a").bind(1).unwrap();
        socket.receive_from().await.0
    });
    assert!(matches!(outcome, Err(Error::Deadlock(_))));
}

#[test]
fn a_check_ends_with_the_first_seed_that_fails() {
    let outcome = catch_unwind(|| {
        sim::check(0..1_000, |network| async move {
            network.set_latency(MILLISECOND..=100 * MILLISECOND);
            let began = now();
            drop(network.host("a").connect("b", 1).await);
            assert!(now() - began < 150 * MILLISECOND, "too slow");
        });
    });
    assert_eq!(
        outcome.unwrap_err().downcast_ref::<&str>(),
        Some(&"too slow")
    );
}
