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
#[cfg(target_os = "linux")]
mod rings;
mod rows;
mod runtimes;
mod table;

use rows::rows;
use runtimes::{LocalSet, Roundel, Smol, Tokio};
use table::Table;

/// Adds a row: one program on every runtime.
macro_rules! row {
    ($table:expr, $name:expr, $target:expr, $count:expr, $measure:expr, $program:path) => {
        $table.row(
            $name,
            $target,
            $count,
            &mut [
                &mut |count| measure::<Roundel, _>($measure, count, $program),
                &mut |count| measure::<Tokio, _>($measure, count, $program),
                &mut |count| measure::<LocalSet, _>($measure, count, $program),
                &mut |count| measure::<Smol, _>($measure, count, $program),
            ],
        )
    };
}

fn main() {
    let table = Table::new(&["roundel", "tokio", "LocalSet", "smol"]);
    rows!(row, row, table);
    queues::rows();
    memory::rows(&table);
    #[cfg(target_os = "linux")]
    rings::rows();
    programs::clean_up();
}
