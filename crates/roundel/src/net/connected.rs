//! A connection, made awaitable.

use std::cmp;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::watched::Watched;
use crate::program::{Flow, Ticket};

/// A connected socket of the standard library's, and what comes from it and goes to it.
pub(super) struct Connected<T: AsFd> {
    flow: Flow,
    /// Dropped after the flow has let go of the descriptor.
    socket: Watched<T>,
}

impl<T: AsFd> Connected<T> {
    pub(super) fn new(socket: Watched<T>) -> Self {
        Self {
            flow: Flow::new(Rc::clone(socket.source())),
            socket,
        }
    }

    pub(super) fn get_ref(&self) -> &T {
        self.socket.get_ref()
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        let mut before = None;
        poll_fn(|cx| self.flow.poll_readable(&mut before, cx)).await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }
}

impl<T: AsFd> Drop for Connected<T> {
    fn drop(&mut self) {
        self.flow.close();
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Connected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get_ref().fmt(f)
    }
}

impl<T: AsFd> Connected<T>
where
    for<'a> &'a T: Read + Write,
{
    #[inline]
    pub(super) fn poll_read(&self, cx: &Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let taken = self.flow.take(cx, |bytes| fill(buffer, bytes));
        taken.unwrap_or_else(|| {
            let room = buffer.len();
            self.flow.fetch(room, cx, || self.get_ref().read(buffer))
        })
    }

    pub(super) fn poll_read_vectored(
        &self,
        cx: &Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let room = buffers.iter().map(|buffer| buffer.len()).sum();
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        let taken = self.flow.take(cx, |mut bytes| {
            let before = bytes.len();
            for buffer in &mut *buffers {
                bytes = &bytes[fill(buffer, bytes)..];
            }
            before - bytes.len()
        });
        taken.unwrap_or_else(|| {
            self.flow
                .fetch(room, cx, || self.get_ref().read_vectored(buffers))
        })
    }

    pub(super) fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.flow.poll_write(cx, || self.get_ref().write(bytes))
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = || self.get_ref().write_vectored(pieces);
        self.flow.poll_write(cx, write)
    }

    /// Sends by the ring, or else by a call.
    pub(super) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut ticket = Ticket::None;
        poll_fn(|cx| {
            let write = || self.get_ref().write(bytes);
            self.flow.poll_send(bytes, &mut ticket, cx, write)
        })
        .await
    }
}

/// Copies as much as there is room for, and returns how much that is.
#[inline]
fn fill(buffer: &mut [u8], bytes: &[u8]) -> usize {
    let count = cmp::min(buffer.len(), bytes.len());
    buffer[..count].copy_from_slice(&bytes[..count]);
    count
}
