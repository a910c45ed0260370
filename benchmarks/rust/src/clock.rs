//! How long something has taken.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What a row is measured by.
#[derive(Clone, Copy)]
pub enum Measure {
    /// The CPU time of this process, whichever of its threads has used it: what other programs do
    /// meanwhile counts for nothing.
    Cpu,
    /// The time that has passed, where waiting for another thread is what a row is about.
    Passed,
}

impl Measure {
    /// Awaits `program`, and returns how long that took.
    #[allow(clippy::disallowed_methods, reason = "no virtual time is measured")]
    pub async fn of(self, program: impl Future) -> Duration {
        let (began, cpu_began) = (Instant::now(), cpu());
        program.await;
        match self {
            Self::Cpu => cpu().saturating_sub(cpu_began),
            Self::Passed => began.elapsed(),
        }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("CPU time is not negative")
}
