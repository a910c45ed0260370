//! Objects that own one another in a long chain die one after another, not one inside the other: each takes a
//! piece of the stack, and a chain may be longer than that.

use std::cell::Cell;

use pyo3_ffi as ffi;
use pyo3_ffi::PyObject;

/// How many may die inside one another.
const DEEPEST: usize = 50;

thread_local! {
    /// How many die inside one another now.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Dead objects that nobody has buried yet.
    static WAITING: Cell<Vec<Dead>> = const { Cell::new(Vec::new()) };
}

/// An object without references, and what becomes of it.
struct Dead {
    object: *mut PyObject,
    bury: unsafe extern "C" fn(*mut PyObject),
}

/// Buries a dead object, at once or as soon as those are buried in which it was found.
///
/// # Safety
/// `object` is at the beginning of its `tp_dealloc`, is tracked by the garbage collector, and `bury` does the rest.
pub(super) unsafe fn bury(object: *mut PyObject, bury: unsafe extern "C" fn(*mut PyObject)) {
    let depth = DEPTH.get();
    if depth >= DEEPEST {
        // SAFETY: a GC object, which the collector must not come across without references.
        unsafe { ffi::PyObject_GC_UnTrack(object.cast()) };
        let mut waiting = WAITING.take();
        waiting.push(Dead { object, bury });
        WAITING.set(waiting);
        return;
    }
    DEPTH.set(depth + 1);
    // SAFETY: as the caller says.
    unsafe { bury(object) };
    if depth == 0 {
        bury_waiting();
    }
    DEPTH.set(depth);
}

#[inline]
fn bury_waiting() {
    while let Some(dead) = next() {
        // SAFETY: a GC object that was untracked when it was put there; its finalizer wants it tracked.
        unsafe { ffi::PyObject_GC_Track(dead.object.cast()) };
        // SAFETY: nobody has buried it yet.
        unsafe { (dead.bury)(dead.object) };
    }
}

#[inline]
fn next() -> Option<Dead> {
    let mut waiting = WAITING.take();
    let dead = waiting.pop();
    WAITING.set(waiting);
    dead
}
