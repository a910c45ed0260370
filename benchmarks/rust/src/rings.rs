//! roundel beside runtimes that let the kernel complete operations, by io_uring, and without that
//! itself. What a runtime has no primitive for is left out.

mod compio;
mod glommio;
mod monoio;

use std::sync::LazyLock;
use std::time::Duration;

use roundel::{Clock, FileAccess, Order, Runner};

use self::compio::Compio;
use self::glommio::Glommio;
use self::monoio::{Monoio, MonoioEpoll};
use crate::rows::rows;
use crate::runtimes::{Roundel, RoundelPolled};
use crate::table::Table;

/// Adds a row: one program on every runtime. The targets are not about these.
macro_rules! row {
    ($table:expr, $name:expr, $target:expr, $count:expr, $measure:expr, $program:path) => {
        $table.row(
            $name,
            None,
            $count,
            &mut [
                &mut |count| measure::<Roundel, _>($measure, count, $program),
                &mut |count| measure::<RoundelPolled, _>($measure, count, $program),
                &mut |count| by_ring(|| measure::<Monoio, _>($measure, count, $program)),
                &mut |count| measure::<MonoioEpoll, _>($measure, count, $program),
                &mut |count| by_ring(|| measure::<Compio, _>($measure, count, $program)),
                &mut |count| by_ring(|| measure::<Glommio, _>($measure, count, $program)),
            ],
        )
    };
}

/// The same where of the others only glommio has what the program needs.
macro_rules! locks_row {
    ($table:expr, $name:expr, $target:expr, $count:expr, $measure:expr, $program:path) => {
        $table.row(
            $name,
            None,
            $count,
            &mut [
                &mut |count| measure::<Roundel, _>($measure, count, $program),
                &mut |count| measure::<RoundelPolled, _>($measure, count, $program),
                &mut absent,
                &mut absent,
                &mut absent,
                &mut |count| by_ring(|| measure::<Glommio, _>($measure, count, $program)),
            ],
        )
    };
}

fn absent(_: u32) -> Duration {
    Duration::MAX
}

/// Whether there is io_uring to be had: roundel would use it for files.
static HAS_RING: LazyLock<bool> = LazyLock::new(|| {
    let mut runner = Runner::new(Clock::monotonic(), Order::Fifo).unwrap();
    let refusal = runner.set_file_access(FileAccess::Ring).err();
    if let Some(error) = &refusal {
        println!("\nNo io_uring here, so that the runtimes which need it are left out: {error}.");
    }
    refusal.is_none()
});

fn by_ring(measure: impl FnOnce() -> Duration) -> Duration {
    if *HAS_RING { measure() } else { Duration::MAX }
}

pub fn rows() {
    LazyLock::force(&HAS_RING);
    let table = Table::new(&[
        "roundel",
        "roundel, epoll",
        "monoio",
        "monoio, epoll",
        "compio",
        "glommio",
    ]);
    rows!(row, locks_row, table);
}
