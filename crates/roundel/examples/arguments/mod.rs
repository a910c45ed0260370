//! What the example programs are told on the command line.

use std::env;
use std::process::ExitCode;

use roundel::{Clock, Error, Order, Runner};

/// Returns whether `--flag` has been given.
pub(crate) fn has(flag: &str) -> bool {
    env::args().any(|argument| argument == flag)
}

/// Runs a program as `--virtual-time` and `--order SEED` say, and prints what has gone wrong.
pub(crate) fn run(program: impl Future<Output = Result<(), Error>> + 'static) -> ExitCode {
    let clock = if has("--virtual-time") {
        Clock::virtual_time()
    } else {
        Clock::monotonic()
    };
    let order = match seed() {
        Ok(seed) => seed.map_or(Order::Fifo, Order::Seeded),
        Err(message) => return fail(message),
    };
    let outcome = Runner::new(clock, order).and_then(|mut runner| {
        runner.detect_deadlocks(true);
        runner.run(program)?
    });
    outcome.map_or_else(|error| fail(&error.to_string()), |()| ExitCode::SUCCESS)
}

fn seed() -> Result<Option<u64>, &'static str> {
    let mut arguments = env::args().skip_while(|argument| argument != "--order");
    if arguments.next().is_none() {
        return Ok(None);
    }
    let seed = arguments.next().and_then(|argument| argument.parse().ok());
    seed.map(Some).ok_or("--order takes a number")
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
