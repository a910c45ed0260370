//! A task in one allocation, and its waker: the only unsafe code above the system calls.
//!
//! A cell is a header, which every task has, followed by a future, which stays where it is until
//! it is dropped. A [`CellRef`] is a counted reference that knows nothing of the future's type;
//! the header has the functions that do. An [`OutcomeRef`] knows what the future will come to.
//! Neither ever leaves the cell's thread, so counting takes no atomic operations.
//!
//! Wakers do leave. While a task is polled it lends out a waker that is nothing but the address of
//! its cell. Only if somebody clones that, to keep it, a waker is made that may travel: it knows
//! the task by its [`TaskId`] and sends that home through the inbox.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::OnceLock;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::label::Label;
use super::waker::{TaskWaker, travelling};
use super::{Task, TaskId};
use crate::program::error::Error;
use crate::program::runtime::Core;

/// What every task has.
pub(super) struct Header {
    pub(super) id: TaskId,
    pub(super) core: Rc<Core>,
    pub(super) label: Label,
    /// Who awaits the end of the task.
    pub(super) joiner: Cell<Option<TaskWaker>>,
    /// The task is in the ready queue, or will be as soon as it is no longer being polled.
    pub(super) is_queued: Cell<bool>,
    pub(super) is_running: Cell<bool>,
    pub(super) is_cancelled: Cell<bool>,
    pub(super) has_ended: Cell<bool>,
    /// The waker that may leave this thread, once somebody has asked for it.
    travelling: OnceLock<Waker>,
    references: Cell<usize>,
    methods: &'static Methods,
}

/// A header and its future. The header comes first, so that their addresses are the same.
#[repr(C)]
struct TaskCell<F: Future> {
    header: Header,
    stage: RefCell<Stage<F>>,
}

/// How far a task has come.
enum Stage<F: Future> {
    Pending(F),
    Finished(F::Output),
    Panicked(Box<dyn Any + Send>),
    Cancelled,
    Taken,
}

/// What to do with a cell whose future is of a certain type.
///
/// Each function's precondition is that it is given a living cell of that type.
struct Methods {
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    abandon: unsafe fn(NonNull<Header>),
    free: unsafe fn(NonNull<Header>),
}

/// A counted reference to a cell with whatever future.
pub(super) struct CellRef {
    /// Obtained from a `Box<TaskCell<F>>`, and good for all of it.
    cell: NonNull<Header>,
    _counted: PhantomData<Rc<Header>>,
}

impl CellRef {
    /// Puts `future` into a cell, and returns two references to it.
    pub(super) fn allocate<F: Future + 'static>(
        id: TaskId,
        core: &Rc<Core>,
        label: Label,
        future: F,
    ) -> (Self, OutcomeRef<F::Output>) {
        let header = Header {
            id,
            core: Rc::clone(core),
            label,
            joiner: Cell::new(None),
            is_queued: Cell::new(false),
            is_running: Cell::new(false),
            is_cancelled: Cell::new(false),
            has_ended: Cell::new(false),
            travelling: OnceLock::new(),
            references: Cell::new(1),
            methods: const { &TaskCell::<F>::METHODS },
        };
        let stage = RefCell::new(Stage::Pending(future));
        let cell = NonNull::from(Box::leak(Box::new(TaskCell { header, stage }))).cast();
        let cell = Self {
            cell,
            _counted: PhantomData,
        };
        let outcome = OutcomeRef {
            cell: cell.clone(),
            take: TaskCell::<F>::take,
        };
        (cell, outcome)
    }

    /// Polls the future, and returns whether that was the last time.
    ///
    /// A panic ends the task and goes no further.
    #[inline]
    pub(super) fn poll(&self) -> bool {
        let poll = self.methods.poll;
        if let Some(waker) = self.travelling.get() {
            // SAFETY: the cell is alive and of its methods' type.
            return unsafe { poll(self.cell, &mut Context::from_waker(waker)) };
        }
        let address = self.cell.as_ptr().cast_const().cast();
        // SAFETY: what the table's functions want is a living cell. The waker does not outlive
        // this call, as it is lent only, and that keeps the cell alive.
        let waker = ManuallyDrop::new(unsafe { Waker::new(address, &LENT) });
        // SAFETY: the cell is alive and of its methods' type.
        unsafe { poll(self.cell, &mut Context::from_waker(&waker)) }
    }

    /// Drops the future if it is still there; the task counts as cancelled then.
    pub(super) fn abandon(&self) {
        let abandon = self.methods.abandon;
        // SAFETY: the cell is alive and of its methods' type.
        unsafe { abandon(self.cell) }
    }
}

impl Deref for CellRef {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: this reference is counted, so the cell is alive; nobody has it mutably.
        unsafe { self.cell.as_ref() }
    }
}

impl Clone for CellRef {
    #[inline]
    fn clone(&self) -> Self {
        // Each reference takes up memory, so that they can't be more than there are numbers.
        self.references.set(self.references.get().wrapping_add(1));
        Self {
            cell: self.cell,
            _counted: PhantomData,
        }
    }
}

impl Drop for CellRef {
    #[inline]
    fn drop(&mut self) {
        let others = self.references.get() - 1;
        self.references.set(others);
        if others == 0 {
            let free = self.methods.free;
            // SAFETY: the cell is alive and of its methods' type, and this was the last reference.
            unsafe { free(self.cell) }
        }
    }
}

/// A counted reference to a cell whose future comes to a `T`.
pub(super) struct OutcomeRef<T> {
    cell: CellRef,
    /// As in [`Methods`], for the type of this cell.
    take: unsafe fn(NonNull<Header>) -> Result<T, Error>,
}

impl<T> OutcomeRef<T> {
    /// Takes what the task has come to, which can be done once, when the task has ended.
    pub(super) fn take(&self) -> Result<T, Error> {
        // SAFETY: the cell is alive and of the type that `take` was made for.
        unsafe { (self.take)(self.cell.cell) }
    }
}

impl<T> Deref for OutcomeRef<T> {
    type Target = CellRef;

    fn deref(&self) -> &CellRef {
        &self.cell
    }
}

impl<F: Future> TaskCell<F> {
    const METHODS: Methods = Methods {
        poll: Self::poll,
        abandon: Self::abandon,
        free: Self::free,
    };

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>`.
    unsafe fn poll(cell: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller says so.
        let this = unsafe { cell.cast::<Self>().as_ref() };
        let mut stage = this.stage.borrow_mut();
        let Stage::Pending(future) = &mut *stage else {
            return true;
        };
        // SAFETY: a cell is never moved, and nothing moves a future out of one: `settle` drops it
        // in its place.
        let future = unsafe { Pin::new_unchecked(future) };
        let next = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(output)) => Stage::Finished(output),
            Err(payload) => Stage::Panicked(payload),
        };
        stage.settle(next);
        true
    }

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>`.
    unsafe fn abandon(cell: NonNull<Header>) {
        // SAFETY: the caller says so.
        let this = unsafe { cell.cast::<Self>().as_ref() };
        let mut stage = this.stage.borrow_mut();
        if matches!(*stage, Stage::Pending(_)) {
            stage.settle(Stage::Cancelled);
        }
    }

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>`.
    unsafe fn take(cell: NonNull<Header>) -> Result<F::Output, Error> {
        // SAFETY: the caller says so.
        let this = unsafe { cell.cast::<Self>().as_ref() };
        let mut stage = this.stage.borrow_mut();
        assert!(
            !matches!(*stage, Stage::Pending(_)),
            "only a task that has ended has an outcome"
        );
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Finished(output) => Ok(output),
            Stage::Panicked(payload) => Err(Error::Panicked(payload)),
            Stage::Cancelled => Err(Error::Cancelled),
            Stage::Pending(_) | Stage::Taken => panic!("a JoinHandle was polled after its end"),
        }
    }

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>` that nobody refers to any more.
    unsafe fn free(cell: NonNull<Header>) {
        // SAFETY: the caller says so, and `allocate` has got it from a box.
        drop(unsafe { Box::from_raw(cell.cast::<Self>().as_ptr()) });
    }
}

impl<F: Future> Stage<F> {
    /// Goes on to a later stage, which drops the future or the result of this one.
    #[inline]
    fn settle(&mut self, next: Self) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| *self = next)) {
            *self = Self::Panicked(payload);
        }
    }
}

impl Header {
    /// Returns whether `waker` wakes this task.
    #[inline]
    pub(super) fn is_woken_by(&self, waker: &Waker) -> bool {
        let is_lent = ptr::eq(waker.vtable(), &raw const LENT);
        (is_lent && ptr::eq(waker.data(), ptr::from_ref(self).cast()))
            || self
                .travelling
                .get()
                .is_some_and(|own| own.will_wake(waker))
    }

    /// Returns the waker that may leave this thread; in any thread.
    fn travelling(&self) -> &Waker {
        self.travelling
            .get_or_init(|| travelling(&self.core.inbox, self.id))
    }

    /// Wakes the task; in any thread.
    #[inline]
    fn wake_from_anywhere(&self) {
        if !Core::is_current(&self.core) {
            self.travelling().wake_by_ref();
        } else if self.is_running.get() {
            // It is queued when it has been polled; no need to look it up.
            self.is_queued.set(true);
        } else {
            self.core
                .tasks
                .get(self.id)
                .into_iter()
                .for_each(Task::wake);
        }
    }
}

/// How to use the waker that a task lends out while it is polled: its data is the cell's address.
///
/// A lent waker may be shown to other threads, as long as the task is being polled. What these
/// touch of the header and the runtime is never changed, or is a `OnceLock`.
static LENT: RawWakerVTable = RawWakerVTable::new(keep, wake_lent, wake_lent, give_back);

/// Makes a waker that may be kept.
///
/// # Safety
///
/// `address` is that of a living cell.
unsafe fn keep(address: *const ()) -> RawWaker {
    // SAFETY: the caller says so, and a cell begins with its header.
    let header = unsafe { &*address.cast::<Header>() };
    let waker = ManuallyDrop::new(header.travelling().clone());
    RawWaker::new(waker.data(), waker.vtable())
}

/// Wakes the task.
///
/// # Safety
///
/// `address` is that of a living cell.
unsafe fn wake_lent(address: *const ()) {
    // SAFETY: the caller says so, and a cell begins with its header.
    let header = unsafe { &*address.cast::<Header>() };
    header.wake_from_anywhere();
}

/// Gives the waker back, which owns nothing.
fn give_back(_address: *const ()) {}
