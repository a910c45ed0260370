//! One buffer that all transports of a loop receive into, so that none has to keep one.

use std::ops::{Deref, DerefMut};

use super::EventLoop;
use crate::hot::Obj;

/// The buffer, lent by the loop until this is dropped.
///
/// A callback that is given what lies in it may run a turn of the loop, where others receive: they get another one.
pub(crate) struct ReceiveBuffer {
    event_loop: Obj<EventLoop>,
    bytes: Box<[u8]>,
}

impl ReceiveBuffer {
    /// Its size: the most that one call receives, as in asyncio.
    pub(crate) const SIZE: usize = 256 * 1024;

    /// Borrows the buffer of a loop.
    #[inline]
    pub(crate) fn of(event_loop: Obj<EventLoop>) -> Self {
        let kept = event_loop.receive_buffer.take();
        Self {
            bytes: kept.unwrap_or_else(|| vec![0; Self::SIZE].into_boxed_slice()),
            event_loop,
        }
    }
}

impl Deref for ReceiveBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for ReceiveBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for ReceiveBuffer {
    #[inline]
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.event_loop.receive_buffer.set(Some(bytes));
    }
}
