//! Signals from the operating system, as something to wait for.

pub use libc::{SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

use std::io;
use std::os::fd::AsFd;

use crate::net::Watched;
use crate::sys::{self, SignalPipe};

/// Returns the signals of one kind from now on; what they would have done otherwise is not done any
/// more, for the rest of the process' life.
///
/// `number` is one of those of this module, or of `libc`. Each of those who want to hear of a signal does.
///
/// # Errors
///
/// Gives the operating system's error for a signal that can't be caught, and
/// [`QuotaExceeded`](io::ErrorKind::QuotaExceeded) if a hundred are waited for already.
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use roundel::signal;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let mut hang_ups = signal::signals(signal::SIGHUP)?;
///     # std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status()?;
///     hang_ups.next().await
/// })
/// # }
/// ```
///
/// Source: `loop.add_signal_handler`.
#[track_caller]
pub fn signals(number: i32) -> io::Result<Signals> {
    let pipe = sys::watch_signal(number)?;
    Ok(Signals {
        pipe: Watched::new(pipe),
    })
}

/// Waits until the user interrupts the program, as by Ctrl-C.
///
/// What comes between two calls is not heard of: for a loop there is [`signals`].
///
/// # Errors
///
/// As [`signals`].
///
/// # Cancel safety
///
/// Once this has been polled, an interrupt does not end the process any more, whether anybody waits
/// or not.
///
/// # Examples
///
/// ```
/// use roundel::{first_completed, signal};
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let serve = async {
///         # let process = std::process::id().to_string();
///         # std::process::Command::new("kill").args(["-INT", &process]).status()?;
///         std::future::pending().await
///     };
///     first_completed! {
///         outcome = signal::interrupted() => outcome,
///         outcome = serve => outcome,
///     }
/// })
/// # }
/// ```
pub async fn interrupted() -> io::Result<()> {
    signals(SIGINT)?.next().await
}

/// Signals of one kind: see [`signals`].
///
/// # Examples
///
/// ```
/// use futures_lite::future::poll_once;
/// use roundel::signal;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let mut requests = signal::signals(signal::SIGUSR2)?;
///     assert!(poll_once(requests.next()).await.is_none());
///     # let process = std::process::id().to_string();
///     # std::process::Command::new("kill").args(["-USR2", &process]).status()?;
///     requests.next().await
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct Signals {
    pipe: Watched<SignalPipe>,
}

impl Signals {
    /// Waits for the next signal. Those that come together are one.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// No signal is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::signal;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let mut requests = signal::signals(signal::SIGUSR1)?;
    ///     for _ in 0..2 {
    ///         # let process = std::process::id().to_string();
    ///         # std::process::Command::new("kill").args(["-USR1", &process]).status()?;
    ///         requests.next().await?;
    ///     }
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn next(&mut self) -> io::Result<()> {
        self.pipe
            .read_with(|pipe| sys::take_signal(pipe.as_fd()))
            .await
    }
}
