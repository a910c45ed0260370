//! The face for Rust programs: tasks, and what they await.
//!
//! ```text
//!   spawn ──▶ Task ──step──▶ its future ──poll──▶ Sleep, Queue::get, JoinHandle, …
//!              ▲                                     │ Pending: leaves a TaskWaker with a timer,
//!              │                                     ▼ a list of waiters or another task
//!         ready queue ◀──────────── wake ──────────────
//! ```
//!
//! Tasks, timers and letters from other threads are the jobs that this face has a
//! [`Dispatcher`](crate::Dispatcher) run (`runtime.rs`). A task's cell (`task/cell.rs`) is one
//! allocation; everything else is built of it in safe Rust, and never leaves its thread.

mod barrier;
mod condition;
mod deadlock;
mod error;
mod event;
mod external;
mod first_completed;
mod flow;
mod gather;
mod handle;
mod instant;
mod interval;
mod lock;
pub mod oneshot;
mod operation;
mod panic;
mod pool;
mod promise;
pub mod queue;
mod runner;
mod runtime;
mod semaphore;
mod shield;
mod sleep;
mod source;
mod task;
mod task_group;
mod thread_queue;
mod threads;
mod timeout;
mod waiters;
pub mod watch;
mod yield_now;

pub use barrier::Barrier;
pub use condition::Condition;
pub use deadlock::{Blocked, Deadlock};
pub use error::Error;
pub use event::Event;
pub use external::{ExternalWork, external_work};
pub use first_completed::{FirstCompleted, first_completed};
pub use gather::{Gather, gather};
pub use handle::{Handle, RemoteTask};
pub use instant::{Instant, now};
pub use interval::{Interval, interval};
pub use lock::{Lock, LockGuard};
pub use panic::Panic;
pub use queue::{LifoQueue, PriorityQueue, Queue, Refused};
pub use runner::{Runner, run};
pub use runtime::{current_task, spawn, spawn_named};
pub use semaphore::{Permit, Semaphore};
pub use shield::{Shield, shield};
pub use sleep::{Sleep, sleep, sleep_until};
pub use task::{JoinHandle, Task};
pub use task_group::{TaskGroup, task_group};
pub use thread_queue::{ThreadEnd, ThreadQueue};
pub use threads::to_thread;
pub use timeout::{Timeout, timeout, timeout_at};
pub use yield_now::{YieldNow, yield_now};

pub(crate) use flow::{Flow, Ticket};
#[cfg(feature = "sim")]
pub(crate) use instant::try_now;
pub(crate) use operation::Operation;
pub(crate) use runtime::Core;
pub(crate) use source::{Readiness, Source};
#[cfg(feature = "sim")]
pub(crate) use task::TaskWaker;
pub(crate) use threads::io_in_thread;

#[doc(hidden)]
pub use first_completed::{Race, Winner};
#[doc(hidden)]
pub use gather::Child;
