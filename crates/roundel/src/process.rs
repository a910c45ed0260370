//! Child processes: started by the standard library's [`Command`], awaited here.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{self, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::net::{Watched, copy};
use crate::program::{gather, sleep, spawn as spawn_task};
use crate::sys;

/// How long to wait before looking again, where the operating system does not tell of an end.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts a child process.
///
/// # Errors
///
/// Gives the operating system's error: if there is no such program, for instance.
///
/// # Panics
///
/// Panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::process::{Command, Stdio};
/// use roundel::net::lines;
/// use roundel::process;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let mut command = Command::new("echo");
///     let mut child = process::spawn(command.arg("hello").stdout(Stdio::piped()))?;
///     let mut said = lines(child.stdout.take().expect("it is piped"), 80);
///     assert_eq!(said.next_line().await?.as_deref(), Some("hello"));
///     assert!(child.wait().await?.success());
///     Ok(())
/// })
/// # }
/// ```
///
/// Source: `asyncio.create_subprocess_exec`.
#[track_caller]
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut child = command.spawn()?;
    let pipe = |fd: OwnedFd| {
        sys::set_nonblocking(&fd)?;
        io::Result::Ok(Watched::new(File::from(fd)))
    };
    let stdin = child.stdin.take().map(|end| pipe(end.into())).transpose();
    let stdout = child.stdout.take().map(|end| pipe(end.into())).transpose();
    let stderr = child.stderr.take().map(|end| pipe(end.into())).transpose();
    Ok(Child {
        end: Some(End::of(child)),
        stdin: stdin?,
        stdout: stdout?,
        stderr: stderr?,
        status: None,
    })
}

/// Runs a child process to its end, and gives what it has written and its status.
///
/// # Errors
///
/// Gives the operating system's error.
///
/// # Cancel safety
///
/// The process goes on by itself, and what it has written is lost.
///
/// # Panics
///
/// Polling it panics if this thread runs no runtime.
///
/// # Examples
///
/// ```
/// use std::process::Command;
/// use roundel::process;
///
/// # fn main() -> std::io::Result<()> {
/// let output = roundel::run(async { process::output(Command::new("echo").arg("hello")).await })?;
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok(())
/// # }
/// ```
pub async fn output(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null());
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let pipes = [child.stdout.take(), child.stderr.take()];
    let read = |pipe: Option<Watched<File>>| async {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            copy(pipe, &mut bytes).await?;
        }
        io::Result::Ok(bytes)
    };
    let mut outputs = gather(pipes.map(read)).await.into_iter();
    let mut next = || outputs.next().unwrap_or_else(|| Ok(Vec::new()));
    let (stdout, stderr) = (next()?, next()?);
    Ok(Output {
        status: child.wait().await?,
        stdout,
        stderr,
    })
}

/// A child process.
///
/// To drop it is to let it go on by itself; the runtime takes note of its end, so that it does not
/// stay as a zombie.
///
/// # Examples
///
/// ```
/// use std::process::{Command, Stdio};
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
/// use roundel::process;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let mut command = Command::new("cat");
///     let mut child = process::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
///     let mut stdin = child.stdin.take().expect("it is piped");
///     let mut stdout = child.stdout.take().expect("it is piped");
///     stdin.write_all(b"hello").await?;
///     drop(stdin);
///     let mut echo = String::new();
///     stdout.read_to_string(&mut echo).await?;
///     assert_eq!(echo, "hello");
///     assert!(child.wait().await?.success());
///     Ok(())
/// })
/// # }
/// ```
///
/// Source: `asyncio.subprocess.Process`.
pub struct Child {
    /// What the process reads, if that is piped.
    pub stdin: Option<Watched<File>>,
    /// What the process writes, if that is piped.
    pub stdout: Option<Watched<File>>,
    /// What the process complains, if that is piped.
    pub stderr: Option<Watched<File>>,
    /// Gone with this.
    end: Option<End>,
    status: Option<ExitStatus>,
}

impl Child {
    /// Waits until the process has ended, whose input is closed before.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Cancel safety
    ///
    /// The status is not lost: it can be waited for again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::process::Command;
    /// use roundel::process;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let mut child = process::spawn(Command::new("sh").args(["-c", "exit 7"]))?;
    ///     assert_eq!(child.wait().await?.code(), Some(7));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.stdin = None;
        if self.status.is_none()
            && let Some(end) = &mut self.end
        {
            self.status = Some(end.wait().await?);
        }
        self.status.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Returns the status, if the process has ended.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::process::{Command, Stdio};
    /// use roundel::process;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     // It goes on until its input ends.
    ///     let mut child = process::spawn(Command::new("cat").stdin(Stdio::piped()))?;
    ///     assert_eq!(child.try_wait()?, None);
    ///     let status = child.wait().await?;
    ///     assert_eq!(child.try_wait()?, Some(status));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none()
            && let Some(end) = &mut self.end
        {
            self.status = end.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Kills the process, if it has not ended.
    ///
    /// # Errors
    ///
    /// Gives the operating system's error.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    /// use std::process::Command;
    /// use roundel::process;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let mut child = process::spawn(Command::new("sleep").arg("60"))?;
    ///     child.kill()?;
    ///     assert_eq!(child.wait().await?.signal(), Some(9));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn kill(&mut self) -> io::Result<()> {
        match self.try_wait()? {
            None => self.end.as_mut().map_or(Ok(()), |end| end.child.kill()),
            Some(_) => Ok(()),
        }
    }

    /// Returns the number of the process.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::process::{Command, Stdio};
    /// use roundel::net::lines;
    /// use roundel::process;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let mut command = Command::new("sh");
    ///     let mut child = process::spawn(command.args(["-c", "echo $$"]).stdout(Stdio::piped()))?;
    ///     let mut said = lines(child.stdout.take().expect("it is piped"), 80);
    ///     assert_eq!(said.next_line().await?, Some(child.id().to_string()));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn id(&self) -> u32 {
        self.end.as_ref().map_or(0, |end| end.child.id())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.try_wait().is_ok_and(|status| status.is_none())
            && let Some(mut end) = self.end.take()
            && crate::current_task().is_some()
        {
            drop(spawn_task(async move { end.wait().await.ok() }));
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A process, and what becomes readable with its end, where there is such a thing.
struct End {
    child: process::Child,
    descriptor: Option<Watched<OwnedFd>>,
}

impl End {
    fn of(child: process::Child) -> Self {
        let descriptor = sys::process_descriptor(child.id()).map(Watched::new);
        Self { child, descriptor }
    }

    async fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.descriptor = None;
                return Ok(status);
            }
            match &self.descriptor {
                Some(descriptor) => descriptor.readable().await?,
                None => sleep(PAUSE).await,
            }
        }
    }
}

/// Where there is no descriptor that tells of an end, as on older kernels and other systems.
#[cfg(test)]
mod tests {
    use rustix::process::{Pid, test_kill_process};

    use super::*;
    use crate::program::{run, timeout};

    /// A shell that nothing tells the end of.
    fn undescribed(script: &str) -> Child {
        let mut command = Command::new("sh");
        let mut child = spawn(command.args(["-c", script])).expect("a shell");
        child.end.as_mut().expect("not dropped").descriptor = None;
        child
    }

    #[test]
    fn an_end_is_looked_for_again_and_again() {
        run(async {
            let mut child = undescribed("sleep 0.03; exit 7");
            assert!(child.try_wait().is_ok_and(|status| status.is_none()));
            let patience = Duration::from_secs(20);
            let status = timeout(patience, child.wait()).await;
            let status = status.expect("it ends").expect("it is ours");
            assert_eq!(status.code(), Some(7));
        });
    }

    #[test]
    fn a_wait_that_is_dropped_loses_no_status() {
        run(async {
            let mut child = undescribed("exec sleep 60");
            let outcome = timeout(Duration::from_millis(15), child.wait()).await;
            assert!(outcome.is_err(), "it sleeps");
            child.kill().expect("it is ours");
            let status = timeout(Duration::from_secs(20), child.wait()).await;
            let status = status.expect("it ends").expect("it is ours");
            assert_eq!(status.code(), None, "a signal has ended it");
        });
    }

    #[test]
    fn a_child_that_is_dropped_is_taken_note_of() {
        run(async {
            let child = undescribed("sleep 0.03");
            let id = Pid::from_raw(child.id().cast_signed()).expect("not this process");
            drop(child);
            let gone = async {
                // A zombie could still be sent signals.
                while test_kill_process(id).is_ok() {
                    sleep(PAUSE).await;
                }
            };
            timeout(Duration::from_secs(20), gone)
                .await
                .expect("it is gone");
        });
    }
}
