//! One turn of the dispatcher.

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use super::Dispatcher;
use super::job::{Host, Job};
use super::tracer::Tracer;

/// How much may be run before the operating system is asked for events although there is more to
/// run. What is awaited must not starve, but each asking costs as much as several jobs.
pub(super) const JOBS_PER_POLL: usize = 256;

/// What a turn counts at least: no more than sixty-four turns pass without asking.
const LEAST_PER_TURN: usize = JOBS_PER_POLL / 64;

/// How long a virtual clock lets descriptors have their say before it jumps.
const GRACE: Duration = Duration::from_millis(10);

/// How long a turn may wait.
#[derive(Clone, Copy)]
enum Patience {
    /// Not at all, and there is no need to ask the operating system either.
    None,
    /// Not at all, but what has happened already is of interest.
    Glance,
    /// Until something happens, or so long.
    Limited(Duration),
    /// Until something happens.
    Unlimited,
    /// Until something happens, though nothing is awaited.
    Forlorn,
}

impl<J: Job> Dispatcher<J> {
    /// Runs one turn: waits until something is ready, if nothing is and if it may, and runs what
    /// is ready then. What becomes ready meanwhile has to wait for the next turn.
    ///
    /// Returns [`ControlFlow::Break`] if the host has ended the turn.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error if it can't be waited for events, as after
    /// [`close`](Self::close). Jobs that are ready stay so.
    ///
    /// # Cost
    ///
    /// While jobs are ready, the operating system is entered at every sixty-fourth turn at most, but for
    /// [impatient](Job::is_impatient) jobs, and only if descriptors are watched; the clock is read only if there are timers, and
    /// [as often](Host::READS_CLOCK_EACH_TURN) as the host wants.
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
    /// dispatcher.push_at(1_000, Note(2));
    /// dispatcher.push(Note(1));
    /// dispatcher.run_once(&mut notes, true)?;
    /// assert_eq!(notes, [1], "something has been ready, and so the clock has stood still");
    /// dispatcher.run_once(&mut notes, true)?;
    /// assert_eq!(notes, [1, 2]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline]
    pub fn run_once<H: Host<J>>(
        &self,
        host: &mut H,
        may_block: bool,
    ) -> io::Result<ControlFlow<()>> {
        if !self.has_only_jobs::<H>() && self.look_around(host, may_block)?.is_break() {
            return Ok(Break(()));
        }
        Ok(self.run_ready(host))
    }

    /// Whether jobs are ready and there is nothing else to see to, as mostly in a busy program.
    #[inline]
    fn has_only_jobs<H: Host<J>>(&self) -> bool {
        let may_overlook_timers = !H::READS_CLOCK_EACH_TURN && !self.clock.is_virtual();
        self.unpolled.get() < self.reactor.patience()
            && (self.timers.is_empty() || may_overlook_timers)
            && !self.ready.is_empty()
            && !self.inbox.has_mail()
            && !self.files.is_stirring()
            && !self.reactor.is_stirring()
    }

    /// Waits for as long as may be, and makes ready what has happened and what is due.
    #[inline(never)]
    fn look_around<H: Host<J>>(
        &self,
        host: &mut H,
        may_block: bool,
    ) -> io::Result<ControlFlow<()>> {
        self.files.begin_turn();
        let Continue(patience) = self.patience(host, may_block) else {
            return Ok(Break(()));
        };
        let flow = self.wait(host, patience)?;
        if flow.is_break() {
            return Ok(flow);
        }
        self.has_heard.set(self.reactor.has_events());
        self.collect_events();
        Ok(self.collect_timers(host, may_block))
    }

    /// Decides how long the turn may wait.
    fn patience<H: Host<J>>(&self, host: &mut H, may_block: bool) -> ControlFlow<(), Patience> {
        if may_block && !self.is_busy() {
            let deadline = self.timers.next_deadline();
            // Cancelled timers may have been dropped, and with them anything may have happened.
            if !self.is_busy() {
                return self.patience_until(host, deadline);
            }
        }
        Continue(self.impatience())
    }

    fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.inbox.has_mail() || self.files.has_news()
    }

    /// Whether a thread or the kernel is at work that will come back here.
    fn is_worked_for(&self) -> bool {
        self.external.get() > 0 || self.files.under_way() > 0
    }

    fn impatience(&self) -> Patience {
        // Impatient jobs can bear one turn after events: that in which a program answers.
        let patience = if self.has_heard.replace(false) {
            JOBS_PER_POLL
        } else {
            self.reactor.patience()
        };
        let due = self.unpolled.get() >= patience || !self.is_busy() || self.reactor.is_stirring();
        if due && self.reactor.watched() > 0 {
            return Patience::Glance;
        }
        if due {
            // There is nobody to ask.
            self.unpolled.set(0);
        }
        Patience::None
    }

    fn patience_until<H: Host<J>>(
        &self,
        host: &mut H,
        deadline: Option<u64>,
    ) -> ControlFlow<(), Patience> {
        let external = self.is_worked_for();
        let awaited = self.reactor.awaited() > 0;
        Continue(match deadline {
            None if external || awaited => Patience::Unlimited,
            None => Patience::Forlorn,
            Some(deadline) => match deadline.saturating_sub(self.time(host)?) {
                0 => self.impatience(),
                nanoseconds if !self.clock.is_virtual() => {
                    Patience::Limited(Duration::from_nanos(nanoseconds))
                }
                _ if external => Patience::Unlimited,
                _ if awaited => Patience::Limited(GRACE),
                _ => self.impatience(),
            },
        })
    }

    /// What time it is to whoever set the timers.
    fn time<H: Host<J>>(&self, host: &mut H) -> ControlFlow<(), u64> {
        let theirs = if self.clock.is_virtual() {
            None
        } else {
            host.now()?
        };
        Continue(theirs.unwrap_or_else(|| self.clock.now()))
    }

    /// Waits. The events are left with the reactor, and letters in the inbox.
    fn wait<H: Host<J>>(&self, host: &mut H, patience: Patience) -> io::Result<ControlFlow<()>> {
        let limit = match patience {
            Patience::None => return Ok(Continue(())),
            Patience::Glance => return self.glance(host),
            Patience::Limited(limit) => Some(limit),
            Patience::Forlorn if host.idle().is_break() => return Ok(Break(())),
            Patience::Unlimited | Patience::Forlorn => None,
        };
        if H::LOOKS_BEFORE_BLOCKING && self.reactor.watched() > 0 {
            let flow = self.glance(host)?;
            if flow.is_break() || self.reactor.has_events() {
                return Ok(flow);
            }
        }
        // The host has been asked this and that, and may have made something ready.
        if self.ready.is_empty() {
            self.block(host, limit)
        } else {
            Ok(Continue(()))
        }
    }

    /// Sees what has happened already, without leave from the host, as this can't block.
    fn glance<H: Host<J>>(&self, host: &mut H) -> io::Result<ControlFlow<()>> {
        self.unpolled.set(0);
        let outcome = self.reactor.wait(Some(Duration::ZERO))?.run();
        Self::heed(host, outcome)
    }

    /// Waits with leave from the host, and lets senders know that they have to notify.
    fn block<H: Host<J>>(
        &self,
        host: &mut H,
        limit: Option<Duration>,
    ) -> io::Result<ControlFlow<()>> {
        let wait = self.reactor.wait(limit)?;
        if !self.inbox.fall_asleep() {
            return Ok(Continue(()));
        }
        self.unpolled.set(0);
        self.trace(|tracer| tracer.wait_began(limit));
        let mut outcome = Ok(());
        host.block(&mut || outcome = wait.run());
        self.inbox.wake_up();
        self.trace(|tracer| tracer.wait_ended());
        Self::heed(host, outcome)
    }

    fn heed<H: Host<J>>(host: &mut H, outcome: io::Result<()>) -> io::Result<ControlFlow<()>> {
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(host.interrupted()),
            outcome => outcome.map(Continue),
        }
    }

    /// Makes ready what other threads have sent, and then what hears of descriptors and
    /// files: the letters were here before the wait was over.
    fn collect_events(&self) {
        if self.inbox.has_mail() {
            let mut letters = self.letters.take();
            self.inbox.collect(&mut letters);
            letters
                .drain(..)
                .for_each(|letter| self.ready.push(J::from_remote(letter)));
            self.letters.set(letters);
        }
        self.reactor.collect(|job| self.ready.push(job));
        self.files.collect(|job| self.ready.push(job));
    }

    /// Makes ready what is due; a virtual clock jumps to the next deadline before, if nothing else
    /// is ready and nobody is at work elsewhere.
    fn collect_timers<H: Host<J>>(&self, host: &mut H, may_block: bool) -> ControlFlow<()> {
        if self.timers.is_empty() {
            return Continue(());
        }
        let jumps = self.clock.is_virtual() && may_block && !self.is_worked_for();
        if jumps && !self.is_busy() {
            let deadline = self.timers.next_deadline();
            if let Some(deadline) = deadline.filter(|_| !self.is_busy()) {
                self.clock.jump_to(deadline);
            }
        }
        let now = self.time(host)?;
        self.timers.collect_due(now, |job| self.ready.push(job));
        Continue(())
    }

    /// Runs what is ready at this moment.
    #[inline]
    fn run_ready<H: Host<J>>(&self, host: &mut H) -> ControlFlow<()> {
        let batch = self.ready.len();
        self.unpolled
            .set(self.unpolled.get() + batch.max(LEAST_PER_TURN));
        self.ready.arrange();
        self.trace(|tracer| tracer.turn_began(batch));
        let mut flow = Continue(());
        for _ in 0..batch {
            // A job may have run another turn, and with it what was left of this one.
            let Some(job) = self.ready.pop() else { break };
            flow = host.run(job);
            if flow.is_break() {
                break;
            }
        }
        self.trace(|tracer| tracer.turn_ended());
        flow
    }

    /// Tells the tracer, if there is one, which may call this dispatcher or replace itself.
    #[inline]
    fn trace(&self, tell: impl FnOnce(&dyn Tracer)) {
        if self.is_traced.get() {
            self.trace_by(tell);
        }
    }

    #[cold]
    fn trace_by(&self, tell: impl FnOnce(&dyn Tracer)) {
        let tracer = self.tracer.borrow().clone();
        if let Some(tracer) = tracer {
            tell(&*tracer);
        }
    }
}
