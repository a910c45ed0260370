//! Linux' `io_uring` for connections: the kernel receives and sends while this thread goes on.
//!
//! A [`receive`](StreamRing::receive) is told to the kernel once and goes on until it ends, each piece in
//! memory that the kernel takes from the [`Provided`]; a [`send`](StreamRing::send) has its bytes in memory
//! of the ring's. All that is new, of however many connections, is handed over by the very call that
//! waits for what is done: a server with many connections makes one system call per turn.
//!
//! That call is the only one in which the kernel works for this ring (`DEFER_TASKRUN`), so one waits here
//! instead of in the poller. The poller is watched meanwhile as any descriptor may be.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use super::fork::Generation;
use super::provided::Provided;
use super::uring::outcome;
use super::{Poller, Report};

pub(crate) use super::provided::PIECE;

/// How many can be handed over by one call.
const ENTRIES: u32 = 256;

/// How much news there is room for before the kernel has to keep some for later.
const NEWS: u32 = 4096;

/// How many sends wait for the end of the turn, which may be long, before they are handed over. The call
/// is paid by sixteen then, and no answer waits for more than fifteen others to be worked out.
const SENDS_AT_MOST: u32 = 16;

/// What an operation is, in the lowest bits of what the kernel gives back with its news.
const RECEIVE: u64 = 0;
const SEND: u64 = 1;
const POLLER: u64 = 2;
const CANCELLATION: u64 = 3;

/// A ring, and what is under way in it.
pub(crate) struct StreamRing {
    queues: ManuallyDrop<IoUring>,
    provided: ManuallyDrop<Provided>,
    generation: Generation,
    /// What is being sent, by keys.
    sends: Vec<Option<Vec<u8>>>,
    /// Memory of sends that are done.
    spare: Vec<Vec<u8>>,
    /// How many receives and sends are under way.
    under_way: usize,
    is_poller_watched: bool,
    has_poller_news: bool,
    sends_queued: u32,
}

impl StreamRing {
    /// Makes a ring, which is for this thread only.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error where there is no ring to be had, or none that can do what
    /// is wanted of it: Linux before 6.1, or a sandbox.
    pub(crate) fn new() -> io::Result<Self> {
        let queues = IoUring::builder()
            .dontfork()
            .setup_cqsize(NEWS)
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .build(ENTRIES)?;
        let provided = Provided::register(&queues)?;
        Ok(Self {
            queues: ManuallyDrop::new(queues),
            provided: ManuallyDrop::new(provided),
            generation: Generation::present(),
            sends: Vec::new(),
            spare: Vec::new(),
            under_way: 0,
            is_poller_watched: false,
            has_poller_news: false,
            sends_queued: 0,
        })
    }

    /// Returns whether this process is a fork of the one that made the ring, and must not touch it.
    pub(crate) fn is_past(&self) -> bool {
        self.generation.is_past()
    }

    /// Returns how many operations have not ended.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Receives whatever comes, piece by piece, until that is cancelled, fails or comes to its end.
    ///
    /// The descriptor must be open until this has been [handed over](Self::hand_over).
    pub(crate) fn receive(&mut self, key: usize, fd: RawFd) {
        let entry = opcode::RecvMulti::new(Fd(fd), Provided::GROUP).build();
        self.start(&entry, key, RECEIVE);
    }

    /// Sends `bytes`, or as many of them as there is room for, once there is room: as
    /// [`receive`](Self::receive) otherwise.
    pub(crate) fn send(&mut self, key: usize, fd: RawFd, bytes: &[u8]) {
        let mut memory = self.spare.pop().unwrap_or_default();
        memory.extend_from_slice(bytes);
        let length = u32::try_from(memory.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(Fd(fd), memory.as_ptr(), length)
            .flags(libc::MSG_NOSIGNAL)
            .build();
        if self.sends.len() <= key {
            self.sends.resize_with(key + 1, || None);
        }
        self.sends[key] = Some(memory);
        self.start(&entry, key, SEND);
        self.sends_queued += 1;
        if self.sends_queued == SENDS_AT_MOST {
            self.submit();
        }
    }

    /// Has more memory to receive into from now on, as there has been too little.
    pub(crate) fn provide_more(&mut self) {
        self.provided.grow();
    }

    /// Asks for the end of a receive, which is reported soon after, perhaps after more has come.
    pub(crate) fn cancel_receive(&mut self, key: usize) {
        self.cancel(key, RECEIVE);
    }

    /// Asks for the end of a send for which there is no room: what can go at once has gone before.
    pub(crate) fn cancel_send(&mut self, key: usize) {
        self.cancel(key, SEND);
    }

    fn cancel(&mut self, key: usize, kind: u64) {
        let whose = CancelBuilder::user_data((key as u64) << 2 | kind);
        let entry = opcode::AsyncCancel2::new(whose).build();
        self.push(&entry.user_data(CANCELLATION));
    }

    fn start(&mut self, entry: &squeue::Entry, key: usize, kind: u64) {
        self.under_way += 1;
        self.push(&entry.clone().user_data((key as u64) << 2 | kind));
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: the memory that the entry names is in `sends` or `provided`, which are freed only when
        // the kernel has said that it is done with it.
        while unsafe { self.queues.submission().push(entry) }.is_err() {
            // It is full. The kernel takes what is in it; if it can't now, it can soon.
            self.submit();
        }
    }

    /// Hands over what is to be done.
    fn submit(&mut self) {
        // What it can't take for want of memory, or because of a signal, it is told of again.
        self.queues.submit().ok();
        self.sends_queued = 0;
    }

    /// Hands over what is to be done, and has it done as far as it can be at once.
    pub(crate) fn hand_over(&mut self) {
        // The kernel does a few things at a time. That ends: what it receives takes memory which it is not given here.
        while self.look().is_ok() && self.queues.submission().taskrun() {}
        self.sends_queued = 0;
    }

    /// Hands over what is to be done, and waits until something is, `poller` has events, or `timeout` has
    /// passed.
    pub(crate) fn wait(&mut self, poller: &Poller, timeout: Option<Duration>) -> io::Result<()> {
        self.watch(poller);
        let outcome = match timeout {
            None => self.queues.submit_and_wait(1),
            Some(Duration::ZERO) => self.look(),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                let limit = SubmitArgs::new().timespec(&timeout);
                self.queues.submitter().submit_with_args(1, &limit)
            }
        };
        self.sends_queued = 0;
        match outcome {
            // The time has passed, or there is so much news that more has to wait.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EBUSY)) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Hands over what is to be done, and has the kernel do what it has put off until this.
    fn look(&mut self) -> io::Result<usize> {
        let queued = self.queues.submission().len();
        let queued = u32::try_from(queued).unwrap_or(ENTRIES);
        let flags = EnterFlags::GETEVENTS.bits();
        let submitter = self.queues.submitter();
        // SAFETY: so many entries are queued, and there is no further argument.
        unsafe { submitter.enter::<libc::sigset_t>(queued, 0, flags, None) }
    }

    /// Has the next event of the poller end a wait: those that it has already, too.
    fn watch(&mut self, poller: &Poller) {
        if !self.is_poller_watched {
            self.is_poller_watched = true;
            let flags = u32::from(libc::POLLIN.unsigned_abs());
            let entry = opcode::PollAdd::new(Fd(poller.as_raw_fd()), flags).build();
            self.push(&entry.user_data(POLLER));
        }
    }

    /// Returns whether the poller has events, or has had some, and forgets it.
    pub(crate) fn take_poller_news(&mut self) -> bool {
        std::mem::take(&mut self.has_poller_news)
    }

    /// Hands `hear` what is done.
    pub(crate) fn reap(&mut self, mut hear: impl FnMut(Report<'_>)) {
        while let Some(news) = self.next_news() {
            let kind = news.user_data() & 3;
            let Ok(key) = usize::try_from(news.user_data() >> 2) else {
                continue;
            };
            match kind {
                RECEIVE => self.received(key, &news, &mut hear),
                SEND => self.sent(key, &news, &mut hear),
                POLLER => {
                    self.is_poller_watched = false;
                    self.has_poller_news = true;
                }
                _ => {}
            }
        }
        self.provided.publish();
    }

    fn received(&mut self, key: usize, news: &cqueue::Entry, hear: &mut impl FnMut(Report<'_>)) {
        let is_last = !cqueue::more(news.flags());
        if is_last {
            self.under_way -= 1;
        }
        let piece = cqueue::buffer_select(news.flags());
        let outcome = outcome(news.result())
            .map(|length| piece.map_or(&[][..], |piece| self.provided.piece(piece, length)));
        hear(Report::Received {
            key,
            outcome,
            is_last,
        });
        if let Some(piece) = piece {
            self.provided.give_back(piece);
        }
    }

    fn sent(&mut self, key: usize, news: &cqueue::Entry, hear: &mut impl FnMut(Report<'_>)) {
        self.under_way -= 1;
        if let Some(mut memory) = self.sends.get_mut(key).and_then(Option::take)
            && self.spare.len() < ENTRIES as usize
        {
            memory.clear();
            self.spare.push(memory);
        }
        let outcome = outcome(news.result());
        hear(Report::Sent { key, outcome });
    }

    fn next_news(&mut self) -> Option<cqueue::Entry> {
        let news = self.queues.completion().next();
        if news.is_none() && self.queues.submission().cq_overflow() {
            // The kernel keeps what there was no room for until it is entered.
            self.look().ok();
            return self.queues.completion().next();
        }
        news
    }

    /// Has everything cancelled, waits until the kernel is done with it, and hands `hear` what was done by then.
    pub(crate) fn settle(&mut self, mut hear: impl FnMut(Report<'_>)) -> io::Result<()> {
        // What has not been handed over yet can't be cancelled.
        self.submit();
        while self.under_way > 0 || self.is_poller_watched {
            // Once may not be enough: what is being worked on just then is not found.
            let everything = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
            self.push(&everything.user_data(CANCELLATION));
            match self.queues.submit_and_wait(1) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => self.reap(&mut hear),
            }
        }
        Ok(())
    }
}

impl Drop for StreamRing {
    /// Waits for the kernel, in whose hands our memory is. In a forked child nothing of it is mapped,
    /// and the kernel works for the parent.
    fn drop(&mut self) {
        if self.is_past() {
            return;
        }
        if self.settle(|_| {}).is_err() {
            // Better lose some memory than have the kernel write to what is somebody else's.
            self.sends.drain(..).flatten().for_each(|send| {
                send.leak();
            });
            return;
        }
        // SAFETY: nobody uses it after this.
        unsafe { ManuallyDrop::drop(&mut self.queues) };
        // SAFETY: as above. The ring is closed, and nothing is under way in it.
        unsafe { ManuallyDrop::drop(&mut self.provided) };
    }
}
