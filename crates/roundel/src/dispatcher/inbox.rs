//! How other threads have a job run by the dispatcher.
//!
//! A letter is put into a list under a lock. Whoever puts it there also sees, under the same lock,
//! whether the dispatcher sleeps or is about to: `asleep` is set under the lock, and only while
//! there are no letters. So either the dispatcher finds the letter and does not go to sleep, or
//! the sender finds it asleep and wakes it; and only the first sender does, as it resets the flag.
//! The notification itself happens after the lock is released, so that the dispatcher, once awake,
//! does not run into it. Checked by loom in `tests/loom.rs`.
//!
//! While it has other things to do the dispatcher does not take the lock, but looks at `has_mail`.
//! That is a mere hint, and no access to it orders anything: a letter that it misses is found in
//! the next turn or, under the lock, before it falls asleep.

use std::fmt;
use std::mem;

use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};
use crate::sys::Notifier;

/// The way into a dispatcher from any thread.
///
/// # Examples
///
/// ```
/// # use std::ops::ControlFlow::{self, Continue};
/// # use roundel::{Clock, Dispatcher, Host, Job, Order};
/// # #[derive(Clone, Debug)] struct Note(u32);
/// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
/// # impl Host<Note> for Vec<u32> {
/// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
/// # }
/// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
/// # let mut notes = Vec::new();
/// let inbox = dispatcher.inbox();
/// std::thread::spawn(move || inbox.push(7));
/// while notes.is_empty() {
///     dispatcher.run_once(&mut notes, true)?;
/// }
/// assert_eq!(notes, [7]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Inbox<R> {
    has_mail: AtomicBool,
    mailbox: Mutex<Mailbox<R>>,
}

struct Mailbox<R> {
    letters: Vec<R>,
    asleep: bool,
    /// Gone once the inbox is closed. Shared, since a sender may still be notifying then.
    notifier: Option<Arc<Notifier>>,
}

impl<R> Inbox<R> {
    pub(crate) fn new(notifier: Arc<Notifier>) -> Self {
        let mailbox = Mailbox {
            letters: Vec::new(),
            asleep: false,
            notifier: Some(notifier),
        };
        Self {
            has_mail: AtomicBool::new(false),
            mailbox: Mutex::new(mailbox),
        }
    }

    /// Has the dispatcher run what `remote` stands for, and wakes it if it sleeps.
    ///
    /// # Errors
    ///
    /// Returns `remote` if the dispatcher has been closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use roundel::{Clock, Dispatcher, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// let inbox = dispatcher.inbox();
    /// assert_eq!(inbox.push(1), Ok(()));
    /// assert_eq!(dispatcher.close().len(), 1);
    /// assert_eq!(inbox.push(2), Err(2));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn push(&self, remote: R) -> Result<(), R> {
        let mut mailbox = self.lock();
        let Some(notifier) = &mailbox.notifier else {
            return Err(remote);
        };
        let notifier = mailbox.asleep.then(|| Arc::clone(notifier));
        mailbox.asleep = false;
        mailbox.letters.push(remote);
        // Relaxed: a hint, see the module's documentation.
        self.has_mail.store(true, Ordering::Relaxed);
        drop(mailbox);
        if let Some(notifier) = notifier {
            notifier.notify();
        }
        Ok(())
    }

    /// Wakes the dispatcher if it sleeps, though there is no mail.
    ///
    /// For a face that has a lock of its own under which other threads may call the dispatcher
    /// itself, as Python's has.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering};
    /// # use std::ops::ControlFlow::{self, Continue};
    /// # use roundel::{Clock, Dispatcher, Host, Job, Order};
    /// # #[derive(Clone, Debug)] struct Note(u32);
    /// # impl Job for Note { type Remote = u32; fn from_remote(note: u32) -> Self { Self(note) } }
    /// # impl Host<Note> for Vec<u32> {
    /// #     fn run(&mut self, job: Note) -> ControlFlow<()> { self.push(job.0); Continue(()) }
    /// # }
    /// # let dispatcher = Dispatcher::<Note>::new(Clock::virtual_time(), Order::Fifo)?;
    /// # let mut notes = Vec::new();
    /// let (inbox, is_over) = (dispatcher.inbox(), AtomicBool::new(false));
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         while !is_over.load(Ordering::Relaxed) {
    ///             inbox.nudge();
    ///         }
    ///     });
    ///     // This one would wait for ever else.
    ///     let outcome = dispatcher.run_once(&mut notes, true);
    ///     is_over.store(true, Ordering::Relaxed);
    ///     outcome
    /// })?;
    /// assert!(notes.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn nudge(&self) {
        let mut mailbox = self.lock();
        let notifier = mailbox.asleep.then(|| mailbox.notifier.clone()).flatten();
        mailbox.asleep = false;
        drop(mailbox);
        if let Some(notifier) = notifier {
            notifier.notify();
        }
    }

    /// Returns whether it is worth while to [`collect`](Self::collect).
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        // Relaxed: a hint, see the module's documentation.
        self.has_mail.load(Ordering::Relaxed)
    }

    /// Swaps the letters that have arrived for the empty list `letters`.
    pub(crate) fn collect(&self, letters: &mut Vec<R>) {
        let mut mailbox = self.lock();
        mem::swap(&mut mailbox.letters, letters);
        // Relaxed: a hint, see the module's documentation.
        self.has_mail.store(false, Ordering::Relaxed);
    }

    /// Has the next sender notify the dispatcher, unless there is mail: then it may not sleep.
    #[must_use]
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut mailbox = self.lock();
        mailbox.asleep = mailbox.letters.is_empty();
        mailbox.asleep
    }

    /// Spares the senders the notification of a dispatcher that something else has woken.
    pub(crate) fn wake_up(&self) {
        self.lock().asleep = false;
    }

    /// Takes no more letters, and returns those that nobody has collected.
    pub(crate) fn close(&self) -> Vec<R> {
        let mut mailbox = self.lock();
        let notifier = mailbox.notifier.take();
        let letters = mem::take(&mut mailbox.letters);
        drop(mailbox);
        drop(notifier);
        letters
    }

    /// Locks the mailbox, which no panic can leave half-changed.
    fn lock(&self) -> MutexGuard<'_, Mailbox<R>> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> fmt::Debug for Inbox<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("has_mail", &self.has_mail())
            .finish_non_exhaustive()
    }
}
