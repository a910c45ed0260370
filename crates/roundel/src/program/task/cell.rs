//! A task in one allocation, and its wakers: the only unsafe code above the system calls.
//!
//! A cell is a header, which every task has, followed by a future, which stays where it is until
//! it is dropped. A [`CellRef`] is a counted reference that knows nothing of the future's type;
//! the header has the functions that do. An [`OutcomeRef`] knows what the future will come to.
//! Neither ever leaves the cell's thread, so counting takes no atomic operations.
//!
//! Wakers do leave. While a task is polled it lends out a waker that is nothing but the address of
//! its cell. Only if somebody clones that, to keep it, a waker is made that may travel: it knows
//! the task by its [`TaskId`] and sends that home through the inbox.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::blocks::Blocks;
use super::travelling::Travelling;
use super::{NAMED, QUEUED, RUNNING, Task, TaskId};
use crate::program::error::Error;
use crate::program::runtime::Core;

/// What a reference counts, above the flags. Each takes up memory: there is room for all of them.
const REFERENCE: usize = 32;

/// What every task has.
pub(super) struct Header {
    pub(super) id: TaskId,
    pub(super) core: Rc<Core>,
    pub(super) origin: &'static Location<'static>,
    /// Who awaits the end of the task.
    pub(super) joiner: Cell<Option<TaskWaker>>,
    /// The flags, and how many references there are.
    state: Cell<usize>,
    /// The waker that may leave this thread, once somebody has asked for it.
    travelling: AtomicPtr<Travelling>,
    methods: &'static Methods,
}

/// A header and its future. The header comes first, so that their addresses are the same.
#[repr(C)]
struct TaskCell<F: Future> {
    header: Header,
    /// Belongs to who has set [`RUNNING`].
    stage: UnsafeCell<Stage<F>>,
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
    /// Good for all of the `TaskCell<F>` that begins with it.
    cell: NonNull<Header>,
    _counted: PhantomData<Rc<Header>>,
}

impl CellRef {
    /// Puts `future` into a cell, and returns two references to it.
    pub(super) fn allocate<F: Future + 'static>(
        id: TaskId,
        core: &Rc<Core>,
        origin: &'static Location<'static>,
        future: F,
    ) -> (Self, OutcomeRef<F::Output>) {
        let header = Header {
            id,
            core: Rc::clone(core),
            origin,
            joiner: Cell::new(None),
            state: Cell::new(2 * REFERENCE),
            travelling: AtomicPtr::default(),
            methods: const { &TaskCell::<F>::METHODS },
        };
        let stage = UnsafeCell::new(Stage::Pending(future));
        let block = TaskCell::<F>::block(core);
        // SAFETY: the block is nobody else's, and large enough and aligned for this.
        unsafe { block.write(TaskCell { header, stage }) };
        let cell = block.cast();
        let outcome = OutcomeRef {
            cell: Self::counted(cell),
            take: TaskCell::<F>::take,
        };
        (Self::counted(cell), outcome)
    }

    /// Makes a reference that has been counted already.
    fn counted(cell: NonNull<Header>) -> Self {
        Self {
            cell,
            _counted: PhantomData,
        }
    }

    /// Polls the future, and returns whether that was the last time.
    ///
    /// A panic ends the task and goes no further.
    #[inline]
    pub(super) fn poll(&self) -> bool {
        let poll = self.methods.poll;
        if let Some(waker) = self.known_travelling() {
            // SAFETY: the cell is alive and of its methods' type.
            return unsafe { poll(self.cell, &mut Context::from_waker(&waker)) };
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
        self.count_reference();
        Self::counted(self.cell)
    }
}

impl Drop for CellRef {
    #[inline]
    fn drop(&mut self) {
        let state = self.state.get() - REFERENCE;
        self.state.set(state);
        if state < REFERENCE {
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
        let mut stage = StageMut::of(this).expect("a task is not polled within its own poll");
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
        if let Some(mut stage) = StageMut::of(this)
            && matches!(*stage, Stage::Pending(_))
        {
            stage.settle(Stage::Cancelled);
        }
    }

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>`.
    unsafe fn take(cell: NonNull<Header>) -> Result<F::Output, Error> {
        // SAFETY: the caller says so.
        let this = unsafe { cell.cast::<Self>().as_ref() };
        let stage = StageMut::of(this).filter(|stage| !matches!(**stage, Stage::Pending(_)));
        let mut stage = stage.expect("only a task that has ended has an outcome");
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Finished(output) => Ok(output),
            Stage::Panicked(payload) => Err(Error::Panicked(this.header.panic(payload))),
            Stage::Cancelled => Err(Error::Cancelled),
            Stage::Pending(_) | Stage::Taken => panic!("a JoinHandle was polled after its end"),
        }
    }

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>` that nobody refers to any more.
    unsafe fn free(cell: NonNull<Header>) {
        let mut cell = cell.cast::<Self>();
        // SAFETY: the caller says so.
        let Self { header, stage } = unsafe { cell.as_mut() };
        let core = Rc::clone(&header.core);
        let panic = match stage.get_mut() {
            Stage::Panicked(payload) => Some(header.panic(mem::replace(payload, Box::new(())))),
            _ => None,
        };
        // SAFETY: as above; from here on the block is only memory.
        unsafe { cell.drop_in_place() };
        Self::give_back(&core, cell.cast());
        if let Some(panic) = panic {
            core.panicked_unheard(panic);
        }
    }

    /// Returns memory for a cell: what another one has left, or new.
    fn block(core: &Core) -> NonNull<Self> {
        let layout = const { Layout::new::<Self>() };
        let kept = Blocks::layout(layout);
        if let Some(block) = kept.and_then(|layout| core.blocks.take(layout)) {
            return block.cast();
        }
        let layout = kept.unwrap_or(layout);
        // SAFETY: the layout's size is not 0, since there is a header.
        let block = unsafe { alloc(layout) };
        NonNull::new(block.cast()).unwrap_or_else(|| handle_alloc_error(layout))
    }

    /// Keeps the memory of a cell for another one, or frees it.
    fn give_back(core: &Core, block: NonNull<u8>) {
        let layout = const { Layout::new::<Self>() };
        let kept = Blocks::layout(layout);
        if kept.is_some_and(|layout| core.blocks.keep(layout, block).is_ok()) {
            return;
        }
        // SAFETY: `block` has allocated it with this layout, and nobody uses it any more.
        unsafe { dealloc(block.as_ptr(), kept.unwrap_or(layout)) };
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for (layout, block) in self.drain() {
            // SAFETY: it has been allocated with this layout, and nobody uses it any more.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

/// The stage of a cell, which nobody else has meanwhile.
struct StageMut<'c, F: Future> {
    cell: &'c TaskCell<F>,
}

impl<'c, F: Future> StageMut<'c, F> {
    /// Borrows the stage, unless somebody has it already.
    #[inline]
    fn of(cell: &'c TaskCell<F>) -> Option<Self> {
        let is_free = !cell.header.is(RUNNING);
        cell.header.set(RUNNING);
        is_free.then(|| Self { cell })
    }

    /// Goes on to a later stage, which drops the future or the result of this one.
    #[inline]
    fn settle(&mut self, next: Stage<F>) {
        if !mem::needs_drop::<F>() {
            // This one is pending, and its future nothing that has to be dropped.
            let _future = ManuallyDrop::new(mem::replace(&mut **self, next));
            return;
        }
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| **self = next)) {
            **self = Stage::Panicked(payload);
        }
    }
}

impl<F: Future> Deref for StageMut<'_, F> {
    type Target = Stage<F>;

    #[inline]
    fn deref(&self) -> &Stage<F> {
        // SAFETY: there is only one `StageMut` of a cell at a time, as the flag says.
        unsafe { &*self.cell.stage.get() }
    }
}

impl<F: Future> std::ops::DerefMut for StageMut<'_, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Stage<F> {
        // SAFETY: there is only one `StageMut` of a cell at a time, as the flag says.
        unsafe { &mut *self.cell.stage.get() }
    }
}

impl<F: Future> Drop for StageMut<'_, F> {
    #[inline]
    fn drop(&mut self) {
        self.cell.header.clear(RUNNING);
    }
}

impl Header {
    #[inline]
    pub(super) fn is(&self, flag: usize) -> bool {
        self.state.get() & flag != 0
    }

    #[inline]
    pub(super) fn set(&self, flag: usize) {
        self.state.set(self.state.get() | flag);
    }

    #[inline]
    pub(super) fn clear(&self, flag: usize) {
        self.state.set(self.state.get() & !flag);
    }

    /// Counts a reference that is about to be made.
    #[inline]
    fn count_reference(&self) {
        self.state.set(self.state.get().wrapping_add(REFERENCE));
    }

    /// Returns whether `waker` wakes this task.
    #[inline]
    pub(super) fn is_woken_by(&self, waker: &Waker) -> bool {
        self.known_travelling()
            .is_some_and(|own| own.will_wake(waker))
    }

    /// Returns the waker that may leave this thread, if there is one; in any thread.
    #[inline]
    fn known_travelling(&self) -> Option<ManuallyDrop<Waker>> {
        // Acquire: pairs with the exchange in `travelling`, whose thread has made it.
        let known = self.travelling.load(Ordering::Acquire);
        (!known.is_null()).then(|| {
            // SAFETY: it is from an `Arc`, whose count is left as it is.
            ManuallyDrop::new(unsafe { Arc::from_raw(known.cast_const()) }.into())
        })
    }

    /// Returns the waker that may leave this thread, made if need be; in any thread.
    fn travelling(&self) -> ManuallyDrop<Waker> {
        if let Some(known) = self.known_travelling() {
            return known;
        }
        let made = Arc::into_raw(Arc::new(Travelling::new(&self.core.inbox, self.id)));
        // AcqRel: hands on what has been made, or pairs with who has been quicker.
        let outcome = self.travelling.compare_exchange(
            ptr::null_mut(),
            made.cast_mut(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let waker = match outcome {
            Ok(_) => made,
            Err(quicker) => {
                // SAFETY: it has just been made, and nobody else has it.
                drop(unsafe { Arc::from_raw(made) });
                quicker.cast_const()
            }
        };
        // SAFETY: it is from an `Arc`, whose count is left as it is.
        ManuallyDrop::new(unsafe { Arc::from_raw(waker) }.into())
    }

    /// Wakes the task; in any thread.
    #[inline]
    fn wake_from_anywhere(&self) {
        if !Core::is_current(&self.core) {
            self.travelling().wake_by_ref();
        } else if self.is(RUNNING) {
            // It is queued when it has been polled; no need to look it up.
            self.set(QUEUED);
        } else {
            self.core
                .tasks
                .get(self.id)
                .into_iter()
                .for_each(Task::wake);
        }
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        let known = *self.travelling.get_mut();
        if !known.is_null() {
            // SAFETY: it is from an `Arc`, and this is the reference that the header has had.
            drop(unsafe { Arc::from_raw(known.cast_const()) });
        }
        if self.is(NAMED) {
            self.core.tasks.forget_name(self.id);
        }
    }
}

/// How to use the waker that a task lends out while it is polled: its data is the cell's address.
///
/// A lent waker may be shown to other threads, as long as the task is being polled. What these
/// touch of the header and the runtime is never changed, or is atomic.
static LENT: RawWakerVTable = RawWakerVTable::new(keep, wake_lent, wake_lent, give_back);

/// Makes a waker that may be kept.
///
/// # Safety
///
/// `address` is that of a living cell.
unsafe fn keep(address: *const ()) -> RawWaker {
    // SAFETY: the caller says so, and a cell begins with its header.
    let header = unsafe { &*address.cast::<Header>() };
    let waker = ManuallyDrop::new((*header.travelling()).clone());
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
            let header = unsafe { &*waker.data().cast::<Header>() };
            if Core::is_current(&header.core)
                && let Some(address) = NonNull::new(waker.data().cast_mut())
            {
                header.count_reference();
                return Self::new(address);
            }
        }
        Self::travelled(waker)
    }

    /// As [`of`](Self::of), for a waker that has been cloned.
    #[cold]
    fn travelled(waker: &Waker) -> Self {
        let running = Core::try_current().and_then(|core| core.running_task());
        if let Some(task) = running.filter(|task| task.is_woken_by(waker)) {
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
        Self::new(ManuallyDrop::new(task).0.cell.cast())
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
