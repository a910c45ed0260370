//! A client and a server on a network in memory that is torn apart and healed again.
//!
//! `cargo run --features sim --example partition` tries a hundred seeds; `ROUNDEL_SEED=7` before it runs
//! one of them. The client asks again when it gets no answer in time: the server must not count
//! twice for that. With `--careless` it does, and the seeds that show it are found.

#![allow(clippy::print_stdout, reason = "a program that prints")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use roundel::sim::{self, Network, Socket};
use roundel::{gather, sleep, spawn, timeout};

/// How many orders the client has.
const ORDERS: u8 = 5;

/// Takes orders, each of which has a number, and answers with that.
async fn sell(mut socket: Socket, sold: Rc<RefCell<Vec<u8>>>, is_careful: bool) {
    let mut known = BTreeSet::new();
    loop {
        let (order, host, port) = socket.receive_from().await;
        if known.insert(order.clone()) || !is_careful {
            sold.borrow_mut().push(order[0]);
        }
        socket.send_to(&order, &host, port);
    }
}

/// Sends orders, and each again until it is answered.
async fn buy(mut socket: Socket) {
    for number in 0..ORDERS {
        loop {
            socket.send_to(&[number], "shop", 1);
            let answer = timeout(Duration::from_millis(500), async {
                while socket.receive_from().await.0 != [number] {}
            });
            if answer.await.is_ok() {
                break;
            }
        }
    }
}

async fn program(network: Network, is_careful: bool) {
    network.set_latency(Duration::from_millis(10)..=Duration::from_millis(200));
    network.set_loss(0.05);
    let sold = Rc::default();
    let shop = network.host("shop").bind(1).expect("a free port");
    let shop = spawn(sell(shop, Rc::clone(&sold), is_careful));
    let client = network.host("client").bind(1).expect("a free port");
    let weather = async move {
        sleep(Duration::from_millis(300)).await;
        network.partition("shop", "client");
        sleep(Duration::from_secs(2)).await;
        network.heal("shop", "client");
    };
    gather!(buy(client), weather).await;
    shop.cancel();
    assert_eq!(*sold.borrow(), (0..ORDERS).collect::<Vec<_>>());
}

fn main() {
    let is_careful = !std::env::args().any(|argument| argument == "--careless");
    sim::check(0..100, |network| program(network, is_careful));
    println!("every order was sold once");
}
