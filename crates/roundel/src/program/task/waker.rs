//! The wakers of a task: one that is lent while it is polled, one that may travel, and one for what
//! waits within the thread.
//!
//! While a task is polled it lends out a waker that is nothing but the address of its cell. Only if
//! somebody clones that, to keep it, a waker is made that may travel: it leads home through the
//! inbox, and finds its cell there, if that still exists.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{Context, RawWaker, RawWakerVTable, Wake, Waker};

use super::cell::{CellRef, Header};
use super::lazy_arc::Lent;
use super::{QUEUED, RUNNING, Task};
use crate::dispatcher::Inbox;
use crate::program::runtime::{Core, Letter};

/// A task as other threads know it, who can have it woken.
#[derive(Debug)]
pub(crate) struct Travelling {
    inbox: Arc<Inbox<Letter>>,
    /// Where the task is: null once it is gone. Only the thread of its runtime looks here.
    cell: AtomicPtr<Header>,
}

impl Travelling {
    /// Returns the task if it still exists and belongs to `core`, in whose thread this is therefore
    /// called.
    pub(crate) fn task(&self, core: &Core) -> Option<Task> {
        if !Arc::ptr_eq(&core.inbox, &self.inbox) {
            return None;
        }
        // Relaxed: written by this thread, or before this was sent here.
        let cell = NonNull::new(self.cell.load(Ordering::Relaxed))?;
        // SAFETY: the cell takes its address back when its end has come, and that is in this
        // thread: so it is alive.
        Some(Task(unsafe { CellRef::of(cell) }))
    }

    /// Hears, in the thread of its runtime, that the task is gone.
    pub(super) fn forget_cell(&self) {
        // Relaxed: only this thread looks at it from now on.
        self.cell.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

impl Wake for Travelling {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        match Core::try_current().filter(|core| Arc::ptr_eq(&core.inbox, &self.inbox)) {
            // At home there is no need of a letter.
            Some(core) => self.task(&core).into_iter().for_each(Task::wake),
            // If the inbox is closed, the task has ended with its runtime.
            None => drop(self.inbox.push(Letter::Wake(Arc::clone(self)))),
        }
    }
}

impl Header {
    /// Returns the waker that may leave this thread, if there is one; in any thread.
    #[inline]
    pub(super) fn known_travelling(&self) -> Option<ManuallyDrop<Waker>> {
        self.travelling.get().map(|known| {
            // SAFETY: it is from an `Arc`, whose count is left as it is.
            ManuallyDrop::new(unsafe { Arc::from_raw(Arc::as_ptr(&known)) }.into())
        })
    }

    /// Returns whether `waker` wakes this task.
    #[inline]
    fn is_woken_by(&self, waker: &Waker) -> bool {
        self.known_travelling()
            .is_some_and(|own| own.will_wake(waker))
    }
}

/// Returns what may leave this thread, made if need be; in any thread.
///
/// # Safety
///
/// `cell` is alive, and remains so while this is used.
pub(super) unsafe fn travelling<'c>(cell: NonNull<Header>) -> Lent<'c, Travelling> {
    // SAFETY: the caller says so.
    let header = unsafe { cell.as_ref() };
    header.travelling.get_or_make(|| Travelling {
        inbox: Arc::clone(&header.core.inbox),
        cell: AtomicPtr::new(cell.as_ptr()),
    })
}

/// How to use the waker that a task lends out while it is polled: its data is the cell's address.
///
/// A lent waker may be shown to other threads, as long as the task is being polled. What these
/// touch of the header and the runtime is never changed, or is atomic.
pub(super) static LENT: RawWakerVTable = RawWakerVTable::new(keep, wake_lent, wake_lent, give_back);

/// Makes a waker that may be kept.
///
/// # Safety
///
/// `address` is that of a living cell.
unsafe fn keep(address: *const ()) -> RawWaker {
    // SAFETY: the caller says so.
    let cell = unsafe { address_of_cell(address) };
    // SAFETY: as above.
    let travelling = unsafe { travelling(cell) };
    let waker = ManuallyDrop::new(Waker::from(Arc::clone(&travelling)));
    RawWaker::new(waker.data(), waker.vtable())
}

/// Wakes the task; in any thread.
///
/// # Safety
///
/// `address` is that of a living cell.
unsafe fn wake_lent(address: *const ()) {
    // SAFETY: the caller says so.
    let cell = unsafe { address_of_cell(address) };
    // SAFETY: as above.
    let header = unsafe { cell.as_ref() };
    if Core::is_current(&header.core) && header.is(RUNNING) {
        // It is queued when it has been polled.
        header.set(QUEUED);
    } else {
        // SAFETY: as above.
        unsafe { wake_from_outside(cell) };
    }
}

/// Wakes a task from another thread, or not from within its poll.
///
/// # Safety
///
/// `cell` is alive.
#[cold]
unsafe fn wake_from_outside(cell: NonNull<Header>) {
    // SAFETY: the caller says so. In the thread of its runtime, the waker finds the cell.
    unsafe { travelling(cell) }.wake_by_ref();
}

/// # Safety
///
/// `address` is that of a living cell, which begins with its header.
#[inline]
unsafe fn address_of_cell(address: *const ()) -> NonNull<Header> {
    // SAFETY: nothing is at null.
    unsafe { NonNull::new_unchecked(address.cast_mut().cast()) }
}

/// Gives the waker back, which owns nothing.
fn give_back(_address: *const ()) {}

/// What a future leaves where it wants to be woken from, within the thread.
///
/// Nearly always that is the task itself, which costs neither an allocation nor an atomic
/// operation, as a clone of its [`Waker`] would. It is a waker where somebody polls with one of
/// their own making, to know which of several futures can go on. Both fit into one word.
pub(crate) struct TaskWaker {
    /// The address of a cell, of which this is a counted reference; or, if it is odd, one more
    /// than that of a waker in a box.
    address: NonNull<()>,
    _counted: PhantomData<Rc<Header>>,
}

impl TaskWaker {
    /// Returns who wakes what polls with `cx`.
    #[inline]
    pub(crate) fn of(cx: &Context<'_>) -> Self {
        let waker = cx.waker();
        if ptr::eq(waker.vtable(), &raw const LENT) {
            // SAFETY: a lent waker's data is the address of a living cell.
            let cell = unsafe { address_of_cell(waker.data()) };
            // SAFETY: as above.
            let header = unsafe { cell.as_ref() };
            if Core::is_current(&header.core) {
                header.count_reference();
                return Self::new(cell.cast());
            }
        }
        Self::travelled(waker)
    }

    /// As [`of`](Self::of), for a waker that has been cloned.
    #[cold]
    fn travelled(waker: &Waker) -> Self {
        let running = Core::try_current().and_then(|core| core.running_task());
        if let Some(task) = running.filter(|task| task.0.is_woken_by(waker)) {
            return task.into();
        }
        let waker = NonNull::from(Box::leak(Box::new(waker.clone())));
        Self::new(waker.cast::<()>().map_addr(|address| address | 1))
    }

    fn new(address: NonNull<()>) -> Self {
        Self {
            address,
            _counted: PhantomData,
        }
    }

    /// Wakes. If that is somebody else's waker, it may run anything.
    #[inline]
    pub(crate) fn wake(self) {
        match self.into_parts() {
            Ok(task) => task.wake(),
            Err(waker) => waker.wake(),
        }
    }

    /// Returns whether waking either wakes the same.
    pub(crate) fn will_wake(&self, other: &Self) -> bool {
        match (self.other(), other.other()) {
            (Some(one), Some(other)) => one.will_wake(other),
            _ => self.address == other.address,
        }
    }

    /// Returns the waker, if it is not the task itself.
    fn other(&self) -> Option<&Waker> {
        let address = boxed(self.address)?;
        // SAFETY: the address is that of a waker in a box, which this owns.
        Some(unsafe { address.as_ref() })
    }

    /// Returns the task, or else the waker.
    #[inline]
    fn into_parts(self) -> Result<Task, Box<Waker>> {
        let this = ManuallyDrop::new(self);
        match boxed(this.address) {
            None => Ok(Task(CellRef::counted(this.address.cast()))),
            // SAFETY: the address is that of a waker in a box, which nobody else will drop.
            Some(address) => Err(unsafe { Box::from_raw(address.as_ptr()) }),
        }
    }
}

impl From<Task> for TaskWaker {
    fn from(task: Task) -> Self {
        Self::new(task.0.into_address().cast())
    }
}

impl Drop for TaskWaker {
    #[inline]
    fn drop(&mut self) {
        drop(Self::new(self.address).into_parts());
    }
}

/// Returns the address of a waker in a box, if it is that of one.
#[inline]
fn boxed(address: NonNull<()>) -> Option<NonNull<Waker>> {
    let is_odd = address.addr().get() & 1 == 1;
    is_odd.then(|| {
        let even = address.as_ptr().map_addr(|address| address & !1);
        NonNull::new(even.cast()).expect("an odd address is not 1, where nothing can be")
    })
}
