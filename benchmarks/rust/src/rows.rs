//! The rows that tables of runtimes have in common.

/// Adds them to a table by macros that take a row's name, its target, the count of operations,
/// what it is measured by and the program: `$locks` where that needs an event or a lock, otherwise
/// `$row`.
macro_rules! rows {
    ($row:ident, $locks:ident, $table:expr) => {
        use $crate::clock::Measure::{Cpu, Passed};
        use $crate::programs::*;

        // Tasks by themselves.
        $row!($table, "yield, 1 task", 15.0, 1_000_000, Cpu, yields);
        $row!(
            $table,
            "yield, 2 tasks",
            3.0,
            1_000_000,
            Cpu,
            yields_of::<_, 2>
        );
        $row!(
            $table,
            "yield, 100 tasks",
            3.0,
            1_000_000,
            Cpu,
            yields_of::<_, 100>
        );
        $row!(
            $table,
            "yield, 10k tasks",
            3.0,
            1_000_000,
            Cpu,
            yields_of::<_, 10_000>
        );
        $row!(
            $table,
            "spawn and join, 1k at once",
            5.0,
            300_000,
            Cpu,
            spawns::<_, 1_000>
        );
        $row!(
            $table,
            "spawn and join, 1M at once",
            4.0,
            1_000_000,
            Cpu,
            spawns::<_, 1_000_000>
        );
        $row!($table, "gather 10k", 1.7, 10_000, Cpu, gathers);

        // What tasks wait for.
        $row!($table, "queue of 1", 3.0, 200_000, Cpu, bounded::<_, 1>);
        $row!($table, "queue of 100", 3.0, 500_000, Cpu, bounded::<_, 100>);
        $row!($table, "queue without limit", 2.0, 500_000, Cpu, unbounded);
        $locks!($table, "event ping-pong", 4.0, 200_000, Cpu, ping_pong);
        $locks!($table, "lock of ten", 4.0, 200_000, Cpu, contends);
        $row!($table, "timeout, ready", 8.0, 500_000, Cpu, timeouts_ready);
        $row!(
            $table,
            "timeout, pending",
            6.0,
            200_000,
            Cpu,
            timeouts_pending
        );
        $row!($table, "sleep, 100k at once", 1.1, 100_000, Cpu, sleeps);

        // What passes through the kernel.
        $row!(
            $table,
            "TCP echo, 1 connection",
            1.0,
            10_000,
            Cpu,
            echoes::<_, 1>
        );
        $row!(
            $table,
            "TCP echo, 100 connections",
            0.95,
            20_000,
            Cpu,
            echoes::<_, 100>
        );
        $row!($table, "page-cached file, 4 KiB", 5.0, 8_192, Passed, reads);
    };
}

pub(crate) use rows;
