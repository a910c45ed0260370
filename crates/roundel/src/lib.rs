//! A single-threaded dispatcher with asyncio's vocabulary, a virtual clock and a seeded order.
//!
//! Many functions are under way at a time, and one of them is running: it goes on until it awaits
//! something that is not ready, and then the dispatcher runs whoever can go on. All of this happens
//! in one thread of control, so nothing needs to be [`Send`], and what no `.await` interrupts is
//! done as if nobody else were there.
//!
//! ```
//! use std::rc::Rc;
//! use std::time::Duration;
//! use roundel::{Clock, Order, Queue, Runner, gather, sleep};
//!
//! async fn produce(queue: Rc<Queue<u32>>) {
//!     for number in 1..=3 {
//!         queue.put(number).await.expect("nobody shuts it down");
//!         sleep(Duration::from_secs(2)).await;
//!     }
//!     queue.shutdown();
//! }
//!
//! async fn consume(queue: Rc<Queue<u32>>) -> u32 {
//!     let mut sum = 0;
//!     while let Ok(number) = queue.get().await {
//!         sum += number;
//!     }
//!     sum
//! }
//!
//! // `roundel::run(…)` would do the same and take six seconds.
//! let mut runner = Runner::new(Clock::virtual_time(), Order::Fifo)?;
//! let ((), sum) = runner.run(async {
//!     let queue = Rc::new(Queue::bounded(1));
//!     gather!(produce(Rc::clone(&queue)), consume(queue)).await
//! })?;
//! assert_eq!(sum, 6);
//! # Ok::<(), roundel::Error>(())
//! ```
//!
//! # The model
//!
//! The dispatcher goes round in turns. A turn waits, if nothing is ready, for the next timer, for a
//! descriptor or for another thread; then it runs, once each, those who are ready. Who becomes
//! ready meanwhile is run in the next turn, at the back.
//!
//! | to | there is |
//! |---|---|
//! | run a program | [`run`]; [`Runner`] with a [`Clock`] and an [`Order`] of choice |
//! | start tasks | [`spawn`], [`spawn_named`]: dropping the [`JoinHandle`] lets them go on; [`shield`] |
//! | do several things at once | [`gather!`], [`task_group`], [`first_completed!`] |
//! | wait for a time | [`sleep`], [`timeout`], [`interval`]: never less than they say |
//! | pass things on | [`Queue`], [`PriorityQueue`], [`LifoQueue`], [`oneshot`], [`watch`] |
//! | wait for each other | [`Event`], [`Lock`], [`Condition`], [`Semaphore`], [`Barrier`] |
//! | work with threads | [`to_thread`], [`Handle`], [`ThreadQueue`] |
//! | reach the world | [`net`], [`fs`], [`process`], [`signal`] |
//!
//! - Who waits is served first come, first served. To drop a future at any `.await` loses no item, no
//!   lock and no permit; each method's *Cancel safety* says what it does lose.
//! - To [cancel](JoinHandle::cancel) a task is to drop its future. A panic ends only its task.
//! - The virtual clock jumps from timer to timer, so that hours take no time. A seeded order is random,
//!   but the same for the same seed, and so finds out programs that rely on an order which nobody has
//!   promised them. If nothing can happen any more, [`Error::Deadlock`] says who waits for what.
//! - Wakers may go to other threads, and wake the dispatcher from there: see [`external_work`].
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | gives |
//! |---|---|
//! | `sim` | `roundel::sim`: a network in memory, with all its accidents drawn from a seed |
//! | `hyper` | `roundel::hyper`: what hyper 1.x wants of a runtime |
//! | `tls` | `roundel::tls`: TLS by rustls |
//!
//! # Rust
//!
//! roundel needs Rust 1.88, and Linux, macOS or a BSD.
//!
//! # Layers
//!
//! All this is one face of the [`dispatcher`], which knows neither futures nor tasks, but jobs of a
//! type of the face's choosing. Another face has Python's coroutines run by it.

#![deny(unsafe_code, missing_docs)]

#[cfg(not(unix))]
compile_error!("roundel needs epoll or kqueue");

pub mod dispatcher;
mod files;
pub mod fs;
#[cfg(feature = "hyper")]
pub mod hyper;
pub mod net;
pub mod process;
mod program;
mod reactor;
pub mod signal;
#[cfg(feature = "sim")]
pub mod sim;
mod stream_buffer;
mod sync;
#[expect(
    unsafe_code,
    reason = "system calls take descriptors by number and buffers by address"
)]
mod sys;
#[cfg(feature = "tls")]
pub mod tls;

pub use dispatcher::{Clock, Dispatcher, Host, Inbox, Job, Order, Tracer};
pub use files::{Attempt, FileAccess, Started};
pub use program::{
    Barrier, Blocked, Condition, Deadlock, Error, Event, ExternalWork, FirstCompleted, Gather,
    Handle, Instant, Interval, JoinHandle, LifoQueue, Lock, LockGuard, Panic, Permit,
    PriorityQueue, Queue, Refused, RemoteTask, Runner, Semaphore, Shield, Sleep, Task, TaskGroup,
    ThreadEnd, ThreadQueue, Timeout, YieldNow, current_task, external_work, first_completed,
    gather, interval, now, run, shield, sleep, sleep_until, spawn, spawn_named, task_group,
    timeout, timeout_at, to_thread, yield_now,
};
pub use program::{oneshot, queue, watch};
pub use reactor::StreamAccess;

pub use stream_buffer::{Sought, StreamBuffer};
pub use sys::socket;

pub use sys::Transfer;

#[doc(hidden)]
pub use program::{Child, Race, Winner};
