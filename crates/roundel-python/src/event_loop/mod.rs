//! `EventLoop`: the native base of `roundel.EventLoop`, one dispatcher and what Python wants to know of it.
//!
//! - here: the state, and what other hot objects ask of it;
//! - `callbacks`: `call_soon`, `call_later`, `call_at`, `call_soon_threadsafe`;
//! - `tasks`: `create_task`, `create_future`, the task factory;
//! - `readers`, `watched_files`: readers and writers;
//! - `receive_buffer`: what transports receive into;
//! - `sockets`: calls on sockets that the program keeps;
//! - `files`: what files ask of the dispatcher;
//! - `transports`: who uses which descriptor;
//! - `running`: the run loop. **Start there.**

mod callbacks;
mod files;
mod readers;
mod receive_buffer;
mod running;
mod sockets;
mod tasks;
mod transports;
mod watched_files;

use std::cell::{Cell, OnceCell};
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use roundel::{Clock, Dispatcher, Order};

use crate::channel::Channel;
use crate::handle::Handle;
use crate::hot::{
    Args, Class, Float, HotType, IntoObject, Linked, List, Module, Obj, Object, Raised, Registry,
    Result, Signature, Slot, Str, Table, TypeCell, Visit, exceptions, none, thread_ident,
};
use crate::job::Job;
use crate::names::names;
use crate::task::Task;
use crate::waiter::Waiter;

pub(crate) use callbacks::check_callback;
pub(crate) use files::Watched;
pub(crate) use readers::descriptor;
pub(crate) use receive_buffer::ReceiveBuffer;
use watched_files::WatchedFiles;

/// Adds to the module what belongs to loops.
pub(crate) fn register(module: &Module) -> Result<()> {
    module.hidden_class::<sockets::Call>()?;
    tasks::register(module)
}

/// The native half of an event loop.
pub(crate) struct EventLoop {
    /// Made by `__init__`.
    dispatcher: OnceCell<Dispatcher<Job>>,
    /// The task of ours that the interpreter takes for the current one.
    pub(crate) current: Slot<Task>,
    /// The tasks of ours that are not done, while the loop does not run.
    known: Registry<Task>,
    /// The same while it runs: none of them is lost because nobody else holds it.
    held: List<Task>,
    task_factory: Slot,
    /// The handle that runs, in debug mode.
    running_handle: Slot<Handle>,
    /// What transports receive into, while none of them does.
    receive_buffer: Cell<Option<Box<[u8]>>>,
    /// Sends what a transport has put off, at the end of the turn at the latest.
    put_off: Slot<Channel>,
    /// What the program has watched by file objects.
    watched_files: WatchedFiles,
    /// The descriptor that a transport has sent to the last in this turn, -1 for none.
    sent_to: Cell<RawFd>,
    /// The transports that use a descriptor, by its number.
    transports: Rc<Table>,
    /// In seconds; a callback that takes longer is reported in debug mode.
    slow_callback_duration: Cell<f64>,
    /// The thread that runs the loop, 0 if none does.
    thread: Cell<u64>,
    /// The loop is waiting, or about to, with the thread detached; nobody has woken it.
    blocked: Cell<bool>,
    closed: Cell<bool>,
    stopping: Cell<bool>,
    debug: Cell<bool>,
    virtual_time: Cell<bool>,
    /// Nobody has replaced the methods that we call directly.
    pristine: Cell<bool>,
}

impl Default for EventLoop {
    fn default() -> Self {
        Self {
            dispatcher: OnceCell::new(),
            current: Slot::empty(),
            known: Registry::new(),
            held: List::new(),
            task_factory: Slot::empty(),
            running_handle: Slot::empty(),
            receive_buffer: Cell::new(None),
            put_off: Slot::empty(),
            watched_files: WatchedFiles::default(),
            sent_to: Cell::new(-1),
            transports: Rc::default(),
            slow_callback_duration: Cell::new(0.1),
            thread: Cell::new(0),
            blocked: Cell::new(false),
            closed: Cell::new(false),
            stopping: Cell::new(false),
            debug: Cell::new(false),
            virtual_time: Cell::new(false),
            pristine: Cell::new(true),
        }
    }
}

/// For the hot objects.
impl EventLoop {
    #[inline]
    fn dispatcher(&self) -> Result<&Dispatcher<Job>> {
        match self.dispatcher.get() {
            Some(dispatcher) => Ok(dispatcher),
            None => Err(uninitialized()),
        }
    }

    /// Whether the methods are ours, so that they need not be looked up.
    #[inline]
    pub(crate) fn is_pristine(&self) -> bool {
        self.pristine.get()
    }

    #[inline]
    pub(crate) fn is_debug(&self) -> bool {
        self.debug.get()
    }

    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.thread.get() != 0
    }

    /// Whether it runs in this thread.
    pub(crate) fn runs_here(&self) -> bool {
        self.thread.get() == thread_ident()
    }

    /// The time of the loop's clock, in seconds.
    #[inline]
    pub(crate) fn time(&self) -> Result<f64> {
        Ok(seconds(self.dispatcher()?.now()))
    }

    /// Puts a job at the end of the ready queue.
    ///
    /// Raises `RuntimeError` if the loop is closed, and in debug mode if this is another thread.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(crate) fn schedule(&self, job: Job) -> Result<()> {
        if self.closed.get() || self.debug.get() {
            self.check_use()?;
        }
        self.dispatcher()?.push(job);
        Ok(())
    }

    /// Makes a job ready at a time of the loop's clock, in seconds.
    pub(crate) fn schedule_at(&self, when: f64, job: Job) -> Result<()> {
        self.check_use()?;
        self.dispatcher()?.push_at(nanoseconds(when), job);
        Ok(())
    }

    /// Hears that a timer that has not fired need not.
    pub(crate) fn timer_cancelled(&self) {
        if let Some(dispatcher) = self.dispatcher.get() {
            dispatcher.timer_cancelled();
        }
    }

    /// Puts a task among the pending ones.
    #[inline]
    pub(crate) fn enter_task(&self, task: &Obj<Task>) {
        if self.is_running() {
            self.held.push_back(task.clone());
        } else {
            self.known.enter(task);
        }
    }

    /// Takes a task away from there.
    #[inline]
    pub(crate) fn leave_task(&self, task: &Obj<Task>) {
        if self.held.remove(task).is_none() {
            Registry::<Task>::forget(task.link());
        }
    }

    /// Holds the pending tasks from now on.
    fn hold_tasks(&self) {
        for task in self.known.to_vec() {
            Registry::<Task>::forget(task.link());
            self.held.push_back(task);
        }
    }

    /// Holds them no longer: what nobody waits for then is the garbage collector's, as in asyncio.
    fn release_tasks(&self) {
        while let Some(task) = self.held.pop_front() {
            self.known.enter(&task);
        }
    }

    /// Shows the garbage collector what is scheduled: from now on the loop itself may be garbage.
    fn release_handles(&self) {
        Waiter::track_last();
        if let Some(dispatcher) = self.dispatcher.get() {
            dispatcher.visit_jobs(&mut |job| {
                if let Job::Handle(handle) = job {
                    Handle::track(handle);
                }
            });
        }
    }

    fn pending_tasks(&self) -> Vec<Object> {
        let tasks = self.known.to_vec().into_iter().chain(self.held.to_vec());
        tasks.map(Obj::into_any).collect()
    }

    /// Where Python is now, in debug mode.
    #[inline]
    pub(crate) fn source_traceback(&self) -> Result<Option<Object>> {
        if self.debug.get() {
            crate::future::source_traceback().map(Some)
        } else {
            Ok(None)
        }
    }

    #[inline]
    fn check_open(&self) -> Result<()> {
        if self.closed.get() {
            Err(closed())
        } else {
            Ok(())
        }
    }

    fn check_use(&self) -> Result<()> {
        self.check_open()?;
        if self.debug.get() {
            self.check_thread()?;
        }
        Ok(())
    }

    /// In debug mode: another thread than the loop's own must use `call_soon_threadsafe`.
    fn check_thread(&self) -> Result<()> {
        let owner = self.thread.get();
        if owner == 0 || owner == thread_ident() {
            return Ok(());
        }
        let text = "Non-thread-safe operation invoked on an event loop other than the current one";
        Err(Raised::new(&exceptions::runtime_error(), text))
    }
}

#[cold]
fn uninitialized() -> Raised {
    Raised::new(
        &exceptions::runtime_error(),
        "EventLoop.__init__() was not called",
    )
}

#[cold]
fn closed() -> Raised {
    Raised::new(&exceptions::runtime_error(), "Event loop is closed")
}

/// Raises `OSError` for what the operating system says.
pub(crate) fn os_error(error: &io::Error) -> Raised {
    let Some(number) = error.raw_os_error() else {
        return Raised::new(&exceptions::os_error(), error);
    };
    let text = names()
        .strerror
        .call([&match i64::from(number).into_object() {
            Ok(number) => number,
            Err(raised) => return raised,
        }]);
    let raised = text
        .and_then(|text| exceptions::os_error().call([&i64::from(number).into_object()?, &text]));
    match raised {
        Ok(error) => Raised::throw(&error),
        Err(raised) => raised,
    }
}

/// The methods that hot objects call directly.
fn hot_methods() -> [&'static Object; 6] {
    let names = names();
    [
        &names.call_soon,
        &names.call_at,
        &names.call_later,
        &names.time,
        &names.create_task,
        &names.create_future,
    ]
}

/// Nanoseconds of the clock as Python's seconds.
#[expect(clippy::cast_precision_loss, reason = "as time.monotonic() does")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// Python's seconds as nanoseconds of the clock, rounded up: nothing is early. NaN is at once.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float saturates"
)]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).ceil() as u64
}

/// Life.
impl EventLoop {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> =
            Signature::method("EventLoop.__init__", [c"clock", c"order"]).required(0);
        let [clock, order] = SIGNATURE.bind(args)?;
        let clock = clock.map_or(Ok(String::from("monotonic")), Str::of)?;
        this.virtual_time.set(clock == "virtual");
        let clock = match clock.as_str() {
            "monotonic" => Clock::monotonic(),
            "virtual" => Clock::virtual_time(),
            other => {
                let text = format!("clock must be 'monotonic' or 'virtual', not {other:?}");
                return Err(Raised::new(&exceptions::value_error(), text));
            }
        };
        let order = match order.and_then(Object::not_none) {
            None => Order::Fifo,
            Some(seed) => Order::Seeded(seed.to_u64()?),
        };
        let dispatcher = Dispatcher::new(clock, order).map_err(|error| os_error(&error))?;
        if this.dispatcher.set(dispatcher).is_err() {
            let text = "EventLoop.__init__() was called twice";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        this.pristine.set(Self::methods_are_ours(this)?);
        Ok(())
    }

    /// Whether a derived class has replaced none of the methods that we call directly.
    fn methods_are_ours(this: &Obj<Self>) -> Result<bool> {
        let (ours, theirs) = (Self::cell().object(), this.as_any().type_of());
        for name in hot_methods() {
            if !ours.attr(name)?.is(&theirs.attr(name)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// `setattr`: a hot method replaced on the instance is looked up from then on.
    pub(crate) fn set_attribute(this: &Obj<Self>, name: &Object) {
        if hot_methods().iter().any(|hot| hot.is(name)) {
            this.pristine.set(false);
        }
    }

    fn close(this: &Obj<Self>) -> Result<()> {
        this.closed.set(true);
        this.clear_current()?;
        if let Some(dispatcher) = this.dispatcher.get() {
            drop(dispatcher.close());
        }
        this.watched_files.clear();
        Ok(())
    }
}

impl HotType for EventLoop {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.EventLoop";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"EventLoop(clock='monotonic', order=None)\n--\n\nThe native half of roundel.EventLoop.")
            .init(Self::init)
            .on_set_attribute(Self::set_attribute);
        callbacks::declare(class);
        tasks::declare(class);
        readers::declare(class);
        sockets::declare(class);
        transports::declare(class);
        running::declare(class);
        files::declare(class);
        declare_state(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.current);
        self.held.traverse(visit);
        visit.slot(&self.task_factory);
        visit.slot(&self.running_handle);
        visit.slot(&self.put_off);
        self.watched_files.traverse(visit);
        if let Some(dispatcher) = self.dispatcher.get() {
            dispatcher.visit_jobs(&mut |job| job.traverse(visit));
        }
    }

    fn clear(&self) {
        self.current.set(None);
        self.held.clear();
        self.task_factory.set(None);
        self.running_handle.set(None);
        self.put_off.set(None);
        self.watched_files.clear();
        if let Some(dispatcher) = self.dispatcher.get() {
            drop(dispatcher.close());
        }
    }
}

fn declare_state(class: &mut Class<EventLoop>) {
    class
        .method0(
            c"time",
            c"time($self, /)\n--\n\nReturn the time of the loop's clock, in seconds.",
            |this: &Obj<EventLoop>| this.time(),
        )
        .method0(
            c"is_running",
            c"is_running($self, /)\n--\n\nReturn True if the loop runs.",
            |this: &Obj<EventLoop>| this.is_running(),
        )
        .method0(
            c"is_closed",
            c"is_closed($self, /)\n--\n\nReturn True if the loop was closed.",
            // One that could not be made has nothing to close, either.
            |this: &Obj<EventLoop>| this.closed.get() || this.dispatcher.get().is_none(),
        )
        .method0(
            c"get_debug",
            c"get_debug($self, /)\n--\n\nReturn True if the loop is in debug mode.",
            |this: &Obj<EventLoop>| this.debug.get(),
        )
        .method0(
            c"_close_native",
            c"_close_native($self, /)\n--\n\nDrop all that is scheduled and close what the operating system has lent.",
            EventLoop::close,
        )
        .method1(
            c"_mark_internal",
            c"_mark_internal($self, fd, /)\n--\n\nSay that a descriptor is the loop's own, so that watching it is not awaiting it.",
            |this: &Obj<EventLoop>, fd: &Object| {
                this.dispatcher()?.mark_internal(descriptor(fd)?);
                Ok(())
            },
        )
        .method0(
            c"_external_begin",
            c"_external_begin($self, /)\n--\n\nSay that work has begun in another thread that will wake the loop.",
            |this: &Obj<EventLoop>| this.dispatcher().map(Dispatcher::external_begin),
        )
        .method0(
            c"_external_end",
            c"_external_end($self, /)\n--\n\nSay that such work has ended.",
            |this: &Obj<EventLoop>| this.dispatcher().map(Dispatcher::external_end),
        )
        .method0(
            c"_tasks",
            c"_tasks($self, /)\n--\n\nReturn the native tasks of this loop that are not done.",
            |this: &Obj<EventLoop>| this.pending_tasks(),
        );
    declare_attributes(class);
}

/// The attributes that asyncio's own code reads and sets.
fn declare_attributes(class: &mut Class<EventLoop>) {
    class
        .property(
            c"_debug",
            |this: &Obj<EventLoop>| this.debug.get(),
            |this: &Obj<EventLoop>, value: &Object| {
                this.debug.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_closed",
            |this: &Obj<EventLoop>| this.closed.get(),
            |this: &Obj<EventLoop>, value: &Object| {
                this.closed.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_stopping",
            |this: &Obj<EventLoop>| this.stopping.get(),
            |this: &Obj<EventLoop>, value: &Object| {
                this.stopping.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"slow_callback_duration",
            |this: &Obj<EventLoop>| this.slow_callback_duration.get(),
            |this: &Obj<EventLoop>, value: &Object| {
                this.slow_callback_duration.set(Float::of(value)?);
                Ok(())
            },
        )
        .property(
            c"_task_factory",
            |this: &Obj<EventLoop>| this.task_factory.get(),
            |this: &Obj<EventLoop>, value: &Object| {
                this.task_factory.set(value.not_none().cloned());
                Ok(())
            },
        )
        .getter(c"_thread_id", |this: &Obj<EventLoop>| {
            match this.thread.get() {
                0 => Ok(none()),
                thread => usize::try_from(thread).unwrap_or(usize::MAX).into_object(),
            }
        })
        .getter(c"_virtual", |this: &Obj<EventLoop>| this.virtual_time.get())
        .getter(c"_clock_resolution", |_: &Obj<EventLoop>| 1e-9)
        .getter(c"_current_handle", |this: &Obj<EventLoop>| {
            this.running_handle.get()
        });
}
