//! roundel beside runtimes that let the kernel complete operations, by io_uring. What a runtime has
//! no primitive for is left out.

mod compio;
mod glommio;
mod monoio;

use std::time::Duration;

use self::compio::Compio;
use self::glommio::Glommio;
use self::monoio::{Monoio, MonoioEpoll};
use crate::rows::rows;
use crate::runtimes::Roundel;
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
                &mut |count| measure::<Monoio, _>($measure, count, $program),
                &mut |count| measure::<MonoioEpoll, _>($measure, count, $program),
                &mut |count| measure::<Compio, _>($measure, count, $program),
                &mut |count| measure::<Glommio, _>($measure, count, $program),
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
                &mut absent,
                &mut absent,
                &mut absent,
                &mut |count| measure::<Glommio, _>($measure, count, $program),
            ],
        )
    };
}

fn absent(_: u32) -> Duration {
    Duration::MAX
}

pub fn rows() {
    let table = Table::new(&["roundel", "monoio", "monoio, epoll", "compio", "glommio"]);
    rows!(row, locks_row, table);
}
