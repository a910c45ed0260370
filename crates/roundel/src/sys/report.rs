//! What a [`StreamRing`](super::StreamRing) says of what it was asked to do.

use std::io;

/// What has become of an operation.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "where there is no ring, nobody says anything")
)]
pub(crate) enum Report<'r> {
    /// A piece has come; nothing at the end of what will come.
    Received {
        key: usize,
        outcome: io::Result<&'r [u8]>,
        /// The operation has ended: nothing more is received unless that is asked for again.
        is_last: bool,
    },
    /// So many bytes have gone.
    Sent {
        key: usize,
        outcome: io::Result<usize>,
    },
}
