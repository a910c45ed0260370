//! `Channel`: what is run when something happens to a descriptor, or soon, on behalf of a native object.
//!
//! It is to a native object what a `Handle` is to a Python callable: made for each time that somebody begins to watch,
//! with a context to be run in, and cancelled when the watching ends. No Python callable is made or called for it.

use std::cell::Cell;
use std::os::fd::RawFd;

use crate::event_loop::EventLoop;
use crate::handle::{leaves_loop, report};
use crate::hot::{
    Class, Entered, HotType, Obj, Object, Raised, Result, Slot, TypeCell, Visit, copy_context,
};
use crate::job::Job;

/// What a kind of channel is for.
pub(crate) struct Reaction {
    /// What messages call it, as asyncio's own method is called.
    pub(crate) name: &'static str,
    /// What is done, with the channel's owner and the channel.
    pub(crate) run: fn(&Object, &Obj<Channel>) -> Result<()>,
}

/// A reaction on its way.
pub(crate) struct Channel {
    reaction: Cell<&'static Reaction>,
    owner: Slot,
    context: Slot,
    cancelled: Cell<bool>,
}

impl Channel {
    /// A channel for `owner`, in a copy of the current context.
    pub(crate) fn create<T: HotType>(
        reaction: &'static Reaction,
        owner: &Obj<T>,
    ) -> Result<Obj<Self>> {
        Ok(Self::within(copy_context()?, reaction, owner))
    }

    /// A channel for `owner`, in a context.
    pub(crate) fn within<T: HotType>(
        context: Object,
        reaction: &'static Reaction,
        owner: &Obj<T>,
    ) -> Obj<Self> {
        Obj::create(Self {
            reaction: Cell::new(reaction),
            owner: Slot::new(Some(owner.as_any().clone())),
            context: Slot::new(Some(context)),
            cancelled: Cell::new(false),
        })
    }

    /// Keeps it from being run, even if it is in the ready queue already.
    pub(crate) fn cancel(&self) {
        self.cancelled.set(true);
        self.owner.set(None);
        self.context.set(None);
    }

    /// Does something else from now on.
    pub(crate) fn go_on_with(&self, reaction: &'static Reaction) {
        self.reaction.set(reaction);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Does what it is for, in its context.
    ///
    /// An exception goes to the loop's exception handler, but for `KeyboardInterrupt` and `SystemExit`.
    #[inline]
    pub(crate) fn run(this: &Obj<Self>, event_loop: &Obj<EventLoop>) -> Result<()> {
        let (Some(owner), Some(context)) = (this.owner.get(), this.context.get()) else {
            return Ok(());
        };
        let ran =
            Entered::new(&context).and_then(|_entered| (this.reaction.get().run)(&owner, this));
        ran.or_else(|raised| this.failed(event_loop, raised))
    }

    #[cold]
    fn failed(&self, event_loop: &Obj<EventLoop>, raised: Raised) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        let exception = raised.fetch();
        let message = format!("Exception in callback {}()", self.reaction.get().name);
        report(event_loop.as_any(), &message, &exception, None)
    }
}

impl EventLoop {
    /// Has a channel run in the next turn.
    pub(crate) fn run_soon(&self, channel: Obj<Channel>) -> Result<()> {
        self.schedule(Job::Channel(channel))
    }

    /// Has a channel run whenever a descriptor can be read.
    pub(crate) fn when_readable(&self, fd: RawFd, channel: Obj<Channel>) -> Result<()> {
        self.add_reader(fd, Job::Channel(channel))
    }

    /// Has a channel run whenever a socket can be read that may soon be closed or paused.
    pub(crate) fn when_socket_readable(&self, fd: RawFd, channel: Obj<Channel>) -> Result<()> {
        self.add_reader_lazily(fd, Job::Channel(channel))
    }

    /// Has a channel run whenever a descriptor can be written.
    pub(crate) fn when_writable(&self, fd: RawFd, channel: Obj<Channel>) -> Result<()> {
        self.add_writer(fd, Job::Channel(channel))
    }
}

impl HotType for Channel {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Channel";
    const FREELIST: usize = 256;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class.repr(|this: &Obj<Self>| format!("<Handle {}()>", this.reaction.get().name));
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.owner);
        visit.slot(&self.context);
    }

    fn clear(&self) {
        self.owner.set(None);
        self.context.set(None);
    }
}
