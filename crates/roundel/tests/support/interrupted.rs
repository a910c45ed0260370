//! Dropping futures in the middle.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::pin::Pin;
use std::task::{Context, Poll};

/// How a task is interrupted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Interruption {
    /// It is dropped when it is to be polled for the so-manieth time: it may have been woken for
    /// something that it does not come to take.
    InsteadOfPoll(usize),
    /// It is dropped as soon as it has been polled so often: it may have got in line.
    AfterPoll(usize),
    /// It is cancelled from outside, after so many turns.
    AfterTurns(usize),
}

impl Interruption {
    pub(crate) const NEVER: Self = Self::InsteadOfPoll(usize::MAX);

    /// Returns one for a seed, at one of so many points.
    pub(crate) fn by_seed(seed: u64, points: usize) -> Self {
        let point = usize::try_from(seed / 3).unwrap_or(0) % points;
        match seed % 3 {
            0 => Self::InsteadOfPoll(point),
            1 => Self::AfterPoll(point),
            _ => Self::AfterTurns(point),
        }
    }
}

/// A future that is interrupted while it is polled.
pub(crate) struct Interrupted {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    interruption: Interruption,
    polls: usize,
}

impl Interrupted {
    pub(crate) fn new(
        future: impl Future<Output = ()> + 'static,
        interruption: Interruption,
    ) -> Self {
        Self {
            future: Some(Box::pin(future)),
            interruption,
            polls: 0,
        }
    }
}

impl Future for Interrupted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if matches!(this.interruption, Interruption::InsteadOfPoll(point) if point == this.polls) {
            this.future = None;
        }
        this.polls += 1;
        let Some(future) = &mut this.future else {
            return Poll::Ready(());
        };
        let poll = future.as_mut().poll(cx);
        if matches!(this.interruption, Interruption::AfterPoll(point) if point == this.polls) {
            this.future = None;
            return Poll::Ready(());
        }
        poll
    }
}
