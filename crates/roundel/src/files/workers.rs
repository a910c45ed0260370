//! Threads that read and write files where the kernel has no ring.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::sys::{Generation, Notifier, Transfer};

/// How many threads there are at most. A disk does not get faster by more.
const THREADS_AT_MOST: usize = 16;

/// A transfer, under the key that it was given.
type Keyed = (usize, Transfer);
/// A transfer that is done, and what it came to.
type Done = (usize, Transfer, io::Result<usize>);

/// Threads that are started when there is something to do for them, and what they have to do.
pub(super) struct Workers {
    desk: Arc<Desk>,
    threads: Vec<JoinHandle<()>>,
    generation: Generation,
}

/// What the threads share with the dispatcher.
struct Desk {
    inner: Mutex<Trays>,
    work: Condvar,
    has_news: AtomicBool,
    notifier: Arc<Notifier>,
}

#[derive(Default)]
struct Trays {
    to_do: VecDeque<Keyed>,
    done: Vec<Done>,
    idle: usize,
    is_closed: bool,
}

impl Workers {
    pub(super) fn new(notifier: Arc<Notifier>) -> Self {
        let desk = Desk {
            inner: Mutex::default(),
            work: Condvar::new(),
            has_news: AtomicBool::new(false),
            notifier,
        };
        Self {
            desk: Arc::new(desk),
            threads: Vec::new(),
            generation: Generation::present(),
        }
    }

    /// Returns whether this process is a fork of the one that had the threads.
    pub(super) fn is_past(&self) -> bool {
        self.generation.is_past()
    }

    /// Has a thread do it, with `key` as its name until it is done.
    pub(super) fn start(&mut self, key: usize, transfer: Transfer) {
        let mut trays = self.desk.lock();
        trays.to_do.push_back((key, transfer));
        let is_short_of_hands = trays.to_do.len() > trays.idle;
        drop(trays);
        if is_short_of_hands && self.threads.len() < THREADS_AT_MOST {
            self.hire();
        }
        self.desk.work.notify_one();
    }

    fn hire(&mut self) {
        let desk = Arc::clone(&self.desk);
        let hired = thread::Builder::new()
            .name("roundel-files".to_owned())
            .spawn(move || desk.serve());
        match hired {
            Ok(thread) => self.threads.push(thread),
            // Those that there are will do it; without any, this thread does.
            Err(_) if !self.threads.is_empty() => {}
            Err(_) => self.desk.serve_one(),
        }
    }

    /// Gives up what no thread has begun.
    pub(super) fn cancel(&mut self, key: usize) {
        let mut trays = self.desk.lock();
        let place = trays.to_do.iter().position(|&(other, _)| other == key);
        if let Some((key, transfer)) = place.and_then(|place| trays.to_do.remove(place)) {
            let error = io::Error::from_raw_os_error(libc::ECANCELED);
            trays.done.push((key, transfer, Err(error)));
            drop(trays);
            self.desk.announce();
        }
    }

    /// Returns whether something is done.
    pub(super) fn has_news(&self) -> bool {
        // Relaxed: a hint. Who misses it is notified.
        self.desk.has_news.load(Ordering::Relaxed)
    }

    /// Hands `done` what is done.
    pub(super) fn reap(&mut self, mut done: impl FnMut(usize, Transfer, io::Result<usize>)) {
        let mut trays = self.desk.lock();
        // Relaxed: as above.
        self.desk.has_news.store(false, Ordering::Relaxed);
        let news = mem::take(&mut trays.done);
        drop(trays);
        for (key, transfer, result) in news {
            done(key, transfer, result);
        }
    }
}

impl Drop for Workers {
    /// Waits until the threads have done what they have begun. A forked child has none of them.
    fn drop(&mut self) {
        if self.is_past() {
            // One of them may have held the lock just then.
            mem::take(&mut self.threads).leak();
            return;
        }
        let mut trays = self.desk.lock();
        trays.is_closed = true;
        trays.to_do.clear();
        drop(trays);
        self.desk.work.notify_all();
        for thread in self.threads.drain(..) {
            // A panic is impossible there, and nobody's concern here.
            thread.join().ok();
        }
    }
}

impl Desk {
    /// Works until the desk is closed.
    fn serve(&self) {
        let mut trays = self.lock();
        while !trays.is_closed {
            if let Some(work) = trays.to_do.pop_front() {
                drop(trays);
                self.finish(work);
                trays = self.lock();
                continue;
            }
            trays.idle += 1;
            trays = self
                .work
                .wait(trays)
                .unwrap_or_else(PoisonError::into_inner);
            trays.idle -= 1;
        }
    }

    fn serve_one(&self) {
        let work = self.lock().to_do.pop_front();
        if let Some(work) = work {
            self.finish(work);
        }
    }

    fn finish(&self, (key, mut transfer): Keyed) {
        let result = transfer.run();
        self.lock().done.push((key, transfer, result));
        self.announce();
    }

    /// Has the dispatcher look, also if it is about to fall asleep.
    fn announce(&self) {
        // Relaxed: a hint. The lock orders what it is about, and the notification ends any wait.
        self.has_news.store(true, Ordering::Relaxed);
        self.notifier.notify();
    }

    /// Locks the trays, which no panic can leave half-changed.
    fn lock(&self) -> MutexGuard<'_, Trays> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
