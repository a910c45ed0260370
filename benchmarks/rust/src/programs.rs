//! The programs that every runtime runs. Each gets the runtime as a value, by which it is inferred.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use crate::clock::Measure;
use crate::runtimes::{Locks, Runtime};

/// Runs `program`, which does `count` operations, and returns how long that took.
pub fn measure<R: Runtime, F>(
    measure: Measure,
    count: u32,
    program: impl Fn(R, u32) -> F,
) -> Duration
where
    F: Future<Output = ()> + 'static,
{
    R::run(measure.of(program(R::default(), count)))
}

pub async fn yields<R: Runtime>(_: R, count: u32) {
    for _ in 0..count {
        R::yield_now().await;
    }
}

pub async fn yields_of<R: Runtime, const TASKS: u32>(_: R, count: u32) {
    R::gather((0..TASKS).map(|_| yields(R::default(), count / TASKS))).await;
}

pub async fn spawns<R: Runtime, const BATCH: u32>(_: R, count: u32) {
    for _ in 0..count / BATCH {
        let tasks: Vec<_> = (0..BATCH)
            .map(|number| R::spawn(async move { number }))
            .collect();
        for task in tasks {
            task.await;
        }
    }
}

pub async fn gathers<R: Runtime>(_: R, count: u32) {
    R::gather((0..count).map(|number| async move { number })).await;
}

async fn passes_through<R: Runtime>(queue: R::Queue<u32>, count: u32) {
    let other = queue.clone();
    let producer = R::spawn(async move {
        for number in 0..count {
            R::put(&other, number).await;
        }
    });
    let consumer = R::spawn(async move {
        for number in 0..count {
            assert_eq!(R::get(&queue).await, number);
        }
    });
    producer.await;
    consumer.await;
}

pub async fn bounded<R: Runtime, const LIMIT: usize>(_: R, count: u32) {
    passes_through::<R>(R::queue(LIMIT), count).await;
}

pub async fn unbounded<R: Runtime>(_: R, count: u32) {
    passes_through::<R>(R::queue(0), count).await;
}

pub async fn ping_pong<R: Locks>(_: R, count: u32) {
    let [ping, pong] = [Rc::new(R::Event::default()), Rc::new(R::Event::default())];
    let player = |mine: Rc<R::Event>, theirs: Rc<R::Event>| async move {
        for _ in 0..count / 2 {
            R::wait(&mine).await;
            R::set(&theirs);
        }
    };
    R::set(&ping);
    let first = R::spawn(player(Rc::clone(&ping), Rc::clone(&pong)));
    let second = R::spawn(player(pong, ping));
    first.await;
    second.await;
}

pub async fn contends<R: Locks>(_: R, count: u32) {
    let lock = Rc::new(R::Lock::default());
    R::gather((0..10).map(|_| {
        let lock = Rc::clone(&lock);
        async move {
            for _ in 0..count / 10 {
                R::add_one(&lock).await;
            }
        }
    }))
    .await;
}

pub async fn timeouts_ready<R: Runtime>(_: R, count: u32) {
    for number in 0..count {
        assert!(R::timeout(Duration::from_secs(9), async { number }).await);
    }
}

pub async fn timeouts_pending<R: Runtime>(_: R, count: u32) {
    for _ in 0..count {
        assert!(R::timeout(Duration::from_secs(9), R::yield_now()).await);
    }
}

pub async fn sleeps<R: Runtime>(_: R, count: u32) {
    R::gather((0..count).map(|number| {
        // Different times, in no particular order.
        let nanoseconds = u64::from(number.wrapping_mul(2_654_435_769) >> 8);
        async move { R::sleep(Duration::from_nanos(nanoseconds)).await }
    }))
    .await;
}

/// Each client waits for its echo before it sends again; an echo is an operation.
pub async fn echoes<R: Runtime, const CONNECTIONS: u32>(_: R, count: u32) {
    let each = count / CONNECTIONS;
    let (mut servers, mut clients) = (Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        let (mut client, mut server) = R::connection().await;
        servers.push(R::spawn(async move {
            let mut buffer = vec![0; 64];
            for _ in 0..each {
                buffer = R::read(&mut server, buffer).await;
                buffer = R::write(&mut server, buffer).await;
            }
        }));
        clients.push(R::spawn(async move {
            let mut buffer = vec![1; 64];
            for _ in 0..each {
                buffer = R::write(&mut client, buffer).await;
                buffer = R::read(&mut client, buffer).await;
            }
        }));
    }
    for task in clients {
        task.await;
    }
    for task in servers {
        task.await;
    }
}

/// How much of a file is read at a time.
const PAGE: usize = 4096;

/// How many pages the file has that is read: the operating system has all of them in memory.
const PAGES: u32 = 4096;

static PAGED: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join("roundel-benchmark-pages");
    fs::write(&path, vec![1; PAGE * PAGES as usize]).unwrap();
    path
});

/// Reads a file from its start to its end, again and again; a page is an operation.
pub async fn reads<R: Runtime>(_: R, count: u32) {
    let mut buffer = vec![0; PAGE];
    for _ in 0..count / PAGES {
        let mut file = R::open(&PAGED).await;
        for _ in 0..PAGES {
            buffer = R::read_file(&mut file, buffer).await;
        }
    }
}

/// Removes what was made.
pub fn clean_up() {
    fs::remove_file(std::env::temp_dir().join("roundel-benchmark-pages")).ok();
}
