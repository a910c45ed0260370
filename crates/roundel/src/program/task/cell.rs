//! A task in one allocation: with its wakers the only unsafe code above the system calls.
//!
//! A cell is a header, which every task has, followed by a future, which stays where it is until
//! it is dropped. A [`CellRef`] is a counted reference that knows nothing of the future's type;
//! the header has the functions that do. An [`OutcomeRef`] knows what the future will come to.
//! Neither ever leaves the cell's thread, so counting takes no atomic operations. What does leave is
//! in `waker.rs`.

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
use std::task::{Context, Poll, Waker};

use super::blocks::Blocks;
use super::lazy_arc::LazyArc;
use super::waker::{self, LENT, TaskWaker, Travelling};
use super::{NAMED, QUEUED, RUNNING, Task, TaskId};
use crate::program::error::Error;
use crate::program::runtime::{Core, Entry};

/// What every task has.
pub(super) struct Header {
    pub(super) id: TaskId,
    /// Where the task is in the list of those that have not ended.
    pub(super) place: Cell<u32>,
    /// Taken out when the cell is freed.
    pub(super) core: ManuallyDrop<Rc<Core>>,
    pub(super) origin: &'static Location<'static>,
    /// Who awaits the end of the task.
    pub(super) joiner: Cell<Option<TaskWaker>>,
    references: Cell<u32>,
    /// A byte of their own: to read more than has just been written would have to wait for it.
    flags: Cell<u8>,
    /// The waker that may leave this thread, once somebody has asked for it.
    pub(super) travelling: LazyArc<Travelling>,
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
/// Each function's precondition is that it is given a living cell of that type; `poll`'s, too, that
/// its caller has set [`RUNNING`], which nobody else had.
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
        core: Rc<Core>,
        origin: &'static Location<'static>,
        future: F,
    ) -> (Self, OutcomeRef<F::Output>) {
        let block = TaskCell::<F>::block(&core);
        let header = Header {
            id: core.tasks.next_id(),
            place: Cell::new(0),
            core: ManuallyDrop::new(core),
            origin,
            joiner: Cell::new(None),
            references: Cell::new(2),
            flags: Cell::new(0),
            travelling: LazyArc::new(),
            methods: const { &TaskCell::<F>::METHODS },
        };
        let stage = UnsafeCell::new(Stage::Pending(future));
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
    #[inline]
    pub(super) fn counted(cell: NonNull<Header>) -> Self {
        Self {
            cell,
            _counted: PhantomData,
        }
    }

    /// Makes a reference to a cell.
    ///
    /// # Safety
    ///
    /// The cell is alive, and this is the thread of its runtime.
    pub(super) unsafe fn of(cell: NonNull<Header>) -> Self {
        // SAFETY: the caller says so.
        unsafe { cell.as_ref() }.count_reference();
        Self::counted(cell)
    }

    /// Returns the address of the cell, of which this remains a counted reference.
    pub(super) fn into_address(self) -> NonNull<Header> {
        ManuallyDrop::new(self).cell
    }

    /// Returns what other threads know the task by.
    pub(super) fn travelling(&self) -> Arc<Travelling> {
        // SAFETY: this reference is counted, so the cell is alive.
        let known = unsafe { waker::travelling(self.cell) };
        Arc::clone(&known)
    }

    /// Puts the task at the back of the ready queue.
    #[inline]
    pub(super) fn queue(self) {
        let cell = self.into_address();
        // SAFETY: the reference is still counted, and the queue will have it.
        let core = unsafe { &cell.as_ref().core };
        let task = Task(Self::counted(cell));
        core.dispatcher.push(Entry::Step(task));
    }

    /// Polls the future, and returns whether that was the last time.
    ///
    /// A panic ends the task and goes no further.
    #[inline]
    pub(super) fn poll(&self, core: &Core) -> bool {
        let flags = self.flags.get();
        assert!(
            flags & RUNNING == 0,
            "a task is not polled within its own poll"
        );
        self.flags.set((flags | RUNNING) & !QUEUED);
        core.running.0.set(Some(self.cell));
        let travelling = self.known_travelling();
        let waker = travelling.unwrap_or_else(|| {
            let address = self.cell.as_ptr().cast_const().cast();
            // SAFETY: what the table's functions want is a living cell. The waker does not outlive
            // this call, as it is lent only, and that keeps the cell alive.
            ManuallyDrop::new(unsafe { Waker::new(address, &LENT) })
        });
        let poll = self.methods.poll;
        // SAFETY: the cell is alive and of its methods' type, and the flag has just been set.
        let has_ended = unsafe { poll(self.cell, &mut Context::from_waker(&waker)) };
        core.running.0.set(None);
        has_ended
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
        let references = self.references.get() - 1;
        self.references.set(references);
        if references == 0 {
            let free = self.methods.free;
            // SAFETY: the cell is alive and of its methods' type, and this was the last reference.
            unsafe { free(self.cell) }
        }
    }
}

/// The task whose future is being polled, if any.
#[derive(Default)]
pub(crate) struct Running(Cell<Option<NonNull<Header>>>);

impl Running {
    /// Returns the task.
    pub(crate) fn task(&self) -> Option<Task> {
        // SAFETY: `CellRef::poll` keeps it alive, in this thread, until it takes it out again.
        self.0.get().map(|cell| Task(unsafe { CellRef::of(cell) }))
    }

    /// Returns the number of the task.
    #[inline]
    pub(crate) fn id(&self) -> Option<TaskId> {
        // SAFETY: `CellRef::poll` keeps it alive until it takes it out again.
        self.0.get().map(|cell| unsafe { cell.as_ref() }.id)
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
    /// `cell` is a living `TaskCell<F>`, and the caller has set its flag [`RUNNING`].
    unsafe fn poll(cell: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller says so.
        let this = unsafe { cell.cast::<Self>().as_ref() };
        // The caller has seen to it that nobody else has the stage.
        let mut stage = StageMut { cell: this };
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
        if let Stage::Finished(output) = &mut *stage {
            // Not the whole stage is moved, which may have been a large future.
            // SAFETY: the output is overwritten at once, without being dropped.
            let output = unsafe { ptr::read(output) };
            // SAFETY: this is a stage, of which nothing is left that has to be dropped.
            unsafe { ptr::write(&raw mut *stage, Stage::Taken) };
            return Ok(output);
        }
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Panicked(payload) => Err(Error::Panicked(this.header.panic(payload))),
            Stage::Cancelled => Err(Error::Cancelled),
            _ => panic!("a JoinHandle was polled after its end"),
        }
    }

    /// # Safety
    ///
    /// `cell` is a living `TaskCell<F>` that nobody refers to any more.
    unsafe fn free(cell: NonNull<Header>) {
        let mut cell = cell.cast::<Self>();
        // SAFETY: the caller says so.
        let Self { header, stage } = unsafe { cell.as_mut() };
        let panic = match stage.get_mut() {
            Stage::Panicked(payload) => Some(header.panic(mem::replace(payload, Box::new(())))),
            _ => None,
        };
        // SAFETY: nobody will use or drop it in its place any more, except for the header's own
        // `drop`, which this outlives.
        let core = unsafe { ptr::read(&raw const *header.core) };
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
    #[expect(clippy::inline_always, reason = "the stage is built where it will be")]
    #[inline(always)]
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
    pub(super) fn is(&self, flag: u8) -> bool {
        self.flags.get() & flag != 0
    }

    #[inline]
    pub(super) fn set(&self, flag: u8) {
        self.flags.set(self.flags.get() | flag);
    }

    #[inline]
    pub(super) fn clear(&self, flag: u8) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// Counts a reference that is about to be made.
    #[inline]
    pub(super) fn count_reference(&self) {
        let references = self.references.get().checked_add(1);
        self.references
            .set(references.expect("fewer than 2³² references to a task"));
    }
}

impl Drop for Header {
    #[inline]
    fn drop(&mut self) {
        if self.is(NAMED) || self.travelling.get().is_some() {
            self.clean_up();
        }
    }
}

impl Header {
    /// Takes back what few tasks have.
    #[cold]
    fn clean_up(&mut self) {
        if let Some(known) = self.travelling.get() {
            known.forget_cell();
        }
        if self.is(NAMED) {
            self.core.tasks.forget_name(self.id);
        }
    }
}
