//! A child of this process.

/// Runs `child` in a fork of this process, and returns whether it was content.
pub(crate) fn fork(child: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child allocates, which glibc allows after a fork, and takes no lock of another
    // thread's; it leaves without running what this process would run at its end.
    match unsafe { libc::fork() } {
        0 => {
            let is_content = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            // SAFETY: it may be called at any time.
            unsafe { libc::_exit(i32::from(!is_content.unwrap_or(false))) }
        }
        process => {
            let mut status = 0;
            // SAFETY: the status outlives the call.
            let waited = unsafe { libc::waitpid(process, &raw mut status, 0) };
            waited == process && status == 0
        }
    }
}
