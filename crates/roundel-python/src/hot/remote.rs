//! Handing references to the thread that runs the loop.

/// A value that owns references, on its way from one attached thread to another.
#[derive(Debug)]
pub(crate) struct Remote<T>(T);

// SAFETY: made, opened and dropped by threads attached to the interpreter; what it owns are Python objects, which
// any attached thread may use.
unsafe impl<T> Send for Remote<T> {}

impl<T> Remote<T> {
    /// Packs a value for another thread.
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, on the thread that it was sent to.
    pub(crate) fn open(self) -> T {
        self.0
    }
}

/// A value that owns references and never changes, for a static.
#[derive(Debug)]
pub(crate) struct Shared<T>(T);

// SAFETY: only threads attached to the interpreter get at it, and they may all use what it owns.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above; nobody can change it.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Makes a value fit for a static.
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for a thread that is attached.
    #[inline]
    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}
