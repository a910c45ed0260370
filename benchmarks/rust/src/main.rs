//! What roundel costs, side by side with other runtimes for one thread, in one run.
//!
//! `make bench-rust` prints nanoseconds of CPU time per operation and, for each runtime, how many
//! times as fast roundel is; `make bench-rust ROWS=queue` measures only the rows that have this in
//! their name. The runtimes of a round follow each other, and the best of the rounds counts: what
//! else happens on the machine only ever adds to it. Differences below a sixth mean nothing on a
//! shared machine.

mod clock;
mod memory;
mod programs;
mod queues;
mod runtimes;
mod table;

use clock::Measure;
use runtimes::{LocalSet, Roundel, Smol, Tokio};
use table::Table;

/// Adds a row: one program on every runtime.
macro_rules! row {
    ($table:expr, $name:expr, $target:expr, $count:expr, $program:path) => {
        row!($table, $name, $target, $count, $program, Measure::Cpu)
    };
    ($table:expr, $name:expr, $target:expr, $count:expr, $program:path, $measure:expr) => {
        $table.row(
            $name,
            $target,
            $count,
            &mut [
                &mut |count| programs::measure::<Roundel, _>($measure, count, $program),
                &mut |count| programs::measure::<Tokio, _>($measure, count, $program),
                &mut |count| programs::measure::<LocalSet, _>($measure, count, $program),
                &mut |count| programs::measure::<Smol, _>($measure, count, $program),
            ],
        )
    };
}

fn main() {
    let table = Table::new(&["roundel", "tokio", "LocalSet", "smol"]);
    tasks(&table);
    waits(&table);
    echoes(&table);
    row!(
        table,
        "page-cached file, 4 KiB",
        5.0,
        8_192,
        programs::reads,
        Measure::Passed
    );
    programs::clean_up();
    queues::rows();
    memory::rows(&table);
}

/// Tasks by themselves.
fn tasks(table: &Table) {
    row!(table, "yield, 1 task", 15.0, 1_000_000, programs::yields);
    row!(
        table,
        "yield, 100 tasks",
        3.0,
        1_000_000,
        programs::yields_of::<_, 100>
    );
    row!(
        table,
        "yield, 10k tasks",
        3.0,
        1_000_000,
        programs::yields_of::<_, 10_000>
    );
    row!(
        table,
        "spawn and join, 1k at once",
        5.0,
        300_000,
        programs::spawns::<_, 1_000>
    );
    row!(
        table,
        "spawn and join, 1M at once",
        4.0,
        1_000_000,
        programs::spawns::<_, 1_000_000>
    );
    row!(table, "gather 10k", 1.7, 10_000, programs::gathers);
}

/// What tasks wait for.
fn waits(table: &Table) {
    row!(table, "queue of 1", 3.0, 200_000, programs::bounded::<_, 1>);
    row!(
        table,
        "queue of 100",
        3.0,
        500_000,
        programs::bounded::<_, 100>
    );
    row!(
        table,
        "queue without limit",
        2.0,
        500_000,
        programs::unbounded
    );
    row!(table, "event ping-pong", 4.0, 200_000, programs::ping_pong);
    row!(table, "lock of ten", 4.0, 200_000, programs::contends);
    row!(
        table,
        "timeout, ready",
        8.0,
        500_000,
        programs::timeouts_ready
    );
    row!(
        table,
        "timeout, pending",
        6.0,
        200_000,
        programs::timeouts_pending
    );
    row!(table, "sleep, 100k at once", 1.1, 100_000, programs::sleeps);
}

/// A server and its clients.
fn echoes(table: &Table) {
    row!(
        table,
        "TCP echo, 1 connection",
        1.0,
        10_000,
        programs::echoes::<_, 1>
    );
    row!(
        table,
        "TCP echo, 100 connections",
        0.95,
        20_000,
        programs::echoes::<_, 100>
    );
}
