//! What a task takes that waits for good, over the size of its future.

use std::alloc::{GlobalAlloc, Layout, System};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::runtimes::{LocalSet, Roundel, Runtime, Smol, Tokio};
use crate::table::Table;

const TASKS: usize = 100_000;
/// So many become ready at a time: the queue for that is not what is measured.
const BATCH: usize = 100;
const FUTURE: usize = 128;

/// The system's allocator, which counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all requests are handed to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns how many bytes a task takes on the heap, of which [`FUTURE`] and one are the future's.
fn bytes<R: Runtime>() -> usize {
    R::run(async {
        let idle = || async {
            let data = [1_u8; FUTURE];
            pending::<()>().await;
            std::hint::black_box(data);
        };
        let mut tasks = Vec::with_capacity(TASKS);
        let before = IN_USE.load(Relaxed);
        for _ in 0..TASKS / BATCH {
            tasks.extend((0..BATCH).map(|_| Box::pin(R::spawn(idle()))));
            R::yield_now().await;
        }
        let after = IN_USE.load(Relaxed);
        let handle = tasks.first().map_or(0, |task| size_of_val(&**task));
        (after - before) / TASKS - handle
    })
}

pub fn rows(table: &Table) {
    if !table.is_chosen("memory") {
        return;
    }
    println!("\nbytes of an idle task over its future of {FUTURE} + 1 (target: 80)");
    let figures = [
        ("roundel", bytes::<Roundel>()),
        ("tokio", bytes::<Tokio>()),
        ("LocalSet", bytes::<LocalSet>()),
        ("smol", bytes::<Smol>()),
    ];
    for (name, bytes) in figures {
        println!("  {name:10} {}", bytes.saturating_sub(FUTURE + 1));
    }
}
