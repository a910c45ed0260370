//! `RawFile`: what of a file has to wait, read and write; the Python half buffers, decodes and keeps the order.
//!
//! What is in the page cache is read at once, without a turn of the loop. Otherwise a transfer is started, or, for
//! pipes, terminals and the like, the descriptor is watched. One operation is under way at a time.
//!
//! - A cancelled `read` ends at once. What it would have got is still there for the next one: the position has not moved,
//!   and what comes out of a pipe too late is kept.
//! - A cancelled `write` ends when the kernel is done with what it has begun, which on a disk is soon. `taken` says then
//!   how much of the data is in the file.

mod read;
mod write;

use std::cell::Cell;
use std::os::fd::RawFd;
use std::rc::Rc;

use roundel::{Started, Transfer};

use crate::event_loop::{EventLoop, Watched};
use crate::hot::{
    Args, Class, HotType, Obj, Object, Raised, Result, Room, Signature, Slot, TypeCell, Visit,
    exceptions, is_instance_of,
};
use crate::waiter::{Poll, Waiter};

/// How much one transfer moves at most.
const TRANSFER_AT_MOST: usize = 1 << 20;

/// What the operation that is under way waits for.
#[derive(Debug, Default)]
enum Pending {
    /// Nothing: it runs, or has let others go first.
    #[default]
    Nothing,
    Transfer(Rc<Started>),
    Descriptor(Watched),
}

/// A file descriptor, and the operation on it that is under way.
pub(crate) struct RawFile {
    fd: Cell<RawFd>,
    /// Who keeps the descriptor open.
    owner: Slot,
    /// It is a regular file or a disk: always ready, with places in it.
    is_storage: Cell<bool>,
    /// What is written goes to the end, wherever the position is.
    appends: Cell<bool>,
    position: Cell<u64>,
    /// Something was read from it at once, at some time.
    is_prompt: Cell<bool>,
    /// The loop in which an operation is under way.
    event_loop: Slot<EventLoop>,
    pending: Cell<Pending>,
    /// What is being filled.
    room: Cell<Option<Room>>,
    /// How many bytes the last operation has moved.
    taken: Cell<usize>,
    /// How many the transfer under way may move.
    at_stake: Cell<usize>,
    /// What came out of a pipe when nobody wanted it any more.
    late: Cell<Vec<u8>>,
}

impl Default for RawFile {
    fn default() -> Self {
        Self {
            fd: Cell::new(-1),
            owner: Slot::empty(),
            is_storage: Cell::new(false),
            appends: Cell::new(false),
            position: Cell::new(0),
            is_prompt: Cell::new(false),
            event_loop: Slot::empty(),
            pending: Cell::default(),
            room: Cell::default(),
            taken: Cell::new(0),
            at_stake: Cell::new(0),
            late: Cell::default(),
        }
    }
}

impl RawFile {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<4> = Signature::method(
            "RawFile.__init__",
            [c"owner", c"fd", c"is_storage", c"appends"],
        );
        let [Some(owner), Some(fd), Some(is_storage), Some(appends)] = SIGNATURE.bind(args)? else {
            unreachable!("required parameters are bound");
        };
        this.owner.set(Some(owner.clone()));
        this.fd.set(RawFd::try_from(fd.to_i64()?).unwrap_or(-1));
        this.is_storage.set(is_storage.truth()?);
        this.appends.set(appends.truth()?);
        Ok(())
    }

    /// Begins an operation.
    fn begin(&self) -> Result<Obj<EventLoop>> {
        if self.event_loop.is_set() {
            let text = "another operation on this file is under way";
            return Err(Raised::new(&exceptions::runtime_error(), text));
        }
        self.taken.set(0);
        let event_loop = EventLoop::running_for_files()?;
        self.event_loop.set(Some(event_loop.clone()));
        Ok(event_loop)
    }

    /// The loop of the operation that goes on.
    fn event_loop(&self) -> Result<Obj<EventLoop>> {
        match self.event_loop.get() {
            Some(event_loop) => Ok(event_loop),
            None => EventLoop::running_for_files(),
        }
    }

    /// Ends the operation, whose bytes have gone over at the position.
    fn end(&self) {
        if self.is_storage.get() {
            let position = self.position.get() + self.taken.get() as u64;
            self.position.set(position);
        }
        self.event_loop.set(None);
        drop(self.room.take());
    }

    /// Where the next byte goes over.
    fn offset(&self) -> Option<u64> {
        let offset = self.position.get() + self.taken.get() as u64;
        self.is_storage.get().then_some(offset)
    }

    fn count(&self, moved: usize) {
        self.taken.set(self.taken.get() + moved);
    }

    /// Waits until the descriptor is ready; false if it can't be waited for.
    fn watch(
        &self,
        event_loop: &Obj<EventLoop>,
        how: Watched,
        waiter: &Obj<Waiter>,
    ) -> Result<bool> {
        let watched =
            !self.is_storage.get() && event_loop.watch_file(self.fd.get(), how, waiter)?;
        if watched {
            self.pending.set(Pending::Descriptor(how));
        }
        Ok(watched)
    }

    /// Waits for a transfer of so many bytes at most.
    fn start(
        &self,
        event_loop: &Obj<EventLoop>,
        transfer: Transfer,
        length: usize,
        waiter: &Obj<Waiter>,
    ) -> Result<Poll> {
        let started = event_loop.start_transfer(transfer, waiter)?;
        self.at_stake.set(length);
        Ok(self.wait_for(started, waiter))
    }

    fn wait_for(&self, started: Rc<Started>, waiter: &Obj<Waiter>) -> Poll {
        self.pending.set(Pending::Transfer(started));
        Waiter::park(waiter)
    }

    /// Takes what was waited for; the descriptor is not watched any more.
    fn take_pending(&self) -> Pending {
        let pending = self.pending.take();
        if let (Pending::Descriptor(how), Some(event_loop)) = (&pending, self.event_loop.get()) {
            event_loop.unwatch_file(self.fd.get(), *how);
        }
        pending
    }

    fn cancel_transfer(&self, started: &Rc<Started>) {
        if let Some(event_loop) = self.event_loop.get() {
            event_loop.cancel_transfer(started);
        }
    }

    /// Has the exception raised when the kernel is done; it is asked to hurry.
    fn raise_later(&self, started: Rc<Started>, waiter: &Obj<Waiter>, exception: &Object) -> Poll {
        self.cancel_transfer(&started);
        waiter.set_error(exception.clone());
        self.wait_for(started, waiter)
    }

    fn set_position(this: &Obj<Self>, position: &Object) -> Result<()> {
        this.position.set(position.to_u64()?);
        Ok(())
    }
}

/// Whether the wait is closed, not cancelled: then there is no waiting any more.
fn is_exit(exception: &Object) -> bool {
    is_instance_of(exception, &exceptions::generator_exit())
}

impl HotType for RawFile {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._roundel.RawFile";
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"RawFile(owner, fd, is_storage, appends)\n--\n\nA file descriptor, kept open by its owner, whose reads and writes can be awaited.")
            .init(Self::init)
            .method1(
                c"read",
                c"read($self, size, /)\n--\n\nRead size bytes at the position, or less at the end of the file or from a pipe.",
                read::read,
            )
            .method1(
                c"write",
                c"write($self, data, /)\n--\n\nWrite all of the data at the position.",
                write::write,
            )
            .property(
                c"position",
                |this: &Obj<Self>| i64::try_from(this.position.get()).unwrap_or(i64::MAX),
                Self::set_position,
            )
            .getter(c"taken", |this: &Obj<Self>| this.taken.get())
            .getter(c"is_prompt", |this: &Obj<Self>| this.is_prompt.get())
            .getter(c"is_storage", |this: &Obj<Self>| this.is_storage.get())
            .getter(c"appends", |this: &Obj<Self>| this.appends.get());
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.owner);
        visit.slot(&self.event_loop);
    }

    fn clear(&self) {
        self.owner.set(None);
        self.event_loop.set(None);
    }
}
