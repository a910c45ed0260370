//! What tells of the end of a process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Returns a descriptor that becomes readable when a child process has ended, if there is such a
/// thing: Linux has it from 5.3 on.
#[cfg(target_os = "linux")]
pub(crate) fn process_descriptor(id: u32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    let pid = Pid::from_raw(i32::try_from(id).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn process_descriptor(_id: u32) -> Option<OwnedFd> {
    None
}

/// Has reading and writing answer that they would block instead of doing so.
pub(crate) fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}
