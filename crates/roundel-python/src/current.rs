//! Which task runs: `asyncio.current_task()`, and the tasks that are pending.
//!
//! asyncio keeps the current task of a loop in a dictionary, from CPython 3.14 on in the thread's state. Both
//! cost more than the rest of a short step, so a loop of ours writes it when another task has its turn, not
//! when a step ends; and takes it back before anything else than one of our tasks runs.

use crate::event_loop::EventLoop;
use crate::hot::{Obj, Object, Raised, Result};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::task::Task;

/// Makes `task` the current one of its loop.
#[expect(clippy::inline_always, reason = "on the way of every step")]
#[inline(always)]
pub(crate) fn enter(event_loop: &LoopRef, task: &Obj<Task>) -> Result<()> {
    match event_loop {
        LoopRef::Native(native) => native.set_current(task),
        LoopRef::Foreign(foreign) => names().enter_task.call([foreign, task.as_any()]).map(drop),
    }
}

/// Ends the turn of `task`, whose step came to `stepped`.
#[expect(clippy::inline_always, reason = "on the way of every step")]
#[inline(always)]
pub(crate) fn leave(event_loop: &LoopRef, task: &Obj<Task>, stepped: Result<()>) -> Result<()> {
    match event_loop {
        LoopRef::Native(_) => stepped,
        LoopRef::Foreign(foreign) => leave_foreign(foreign, task, stepped),
    }
}

#[cold]
fn leave_foreign(foreign: &Object, task: &Obj<Task>, stepped: Result<()>) -> Result<()> {
    let stepped = stepped.map_err(Raised::fetch);
    names().leave_task.call([foreign, task.as_any()])?;
    stepped.map_err(Raised::restore)
}

/// Runs `step` with `task` as the current one instead of that which is.
pub(crate) fn instead(
    event_loop: &LoopRef,
    task: &Obj<Task>,
    step: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let previous = swap(event_loop.object(), Some(task.as_any()))?;
    let outer = event_loop.exchange_current(Some(task.clone()));
    let stepped = step().map_err(Raised::fetch);
    drop(event_loop.exchange_current(outer));
    swap(event_loop.object(), previous.as_ref())?;
    stepped.map_err(Raised::restore)
}

/// The task that runs in this thread, if one does on a loop of ours.
#[inline]
pub(crate) fn running() -> Result<Option<Object>> {
    let Some(event_loop) = EventLoop::running() else {
        return Ok(None);
    };
    match event_loop.current.get() {
        Some(task) => Ok(Some(task.into_any())),
        None => task(&LoopRef::Foreign(event_loop.into_any())),
    }
}

/// Makes `task`, or none, the current one of a loop; gives the one that was.
#[cfg(not(Py_3_14))]
pub(crate) fn swap(event_loop: &Object, task: Option<&Object>) -> Result<Option<Object>> {
    let current_tasks = &names().current_tasks;
    let previous = current_tasks.dict_get(event_loop)?;
    match task {
        Some(task) => current_tasks.dict_set(event_loop, task)?,
        None if previous.is_some() => current_tasks.dict_remove(event_loop)?,
        None => {}
    }
    Ok(previous)
}

/// Makes `task`, or none, the current one of a loop; gives the one that was.
#[cfg(Py_3_14)]
pub(crate) fn swap(event_loop: &Object, task: Option<&Object>) -> Result<Option<Object>> {
    let none = crate::hot::none();
    let previous = names()
        .current_tasks
        .call([event_loop, task.unwrap_or(&none)])?;
    Ok(if previous.is_none() {
        None
    } else {
        Some(previous)
    })
}

/// `asyncio.current_task(loop)`.
///
/// Asks the interpreter: a loop of ours does not know of other people's tasks.
#[cfg(not(Py_3_14))]
pub(crate) fn task(event_loop: &LoopRef) -> Result<Option<Object>> {
    names().current_tasks.dict_get(event_loop.object())
}

/// `asyncio.current_task(loop)`.
///
/// Asks the interpreter: a loop of ours does not know of other people's tasks.
#[cfg(Py_3_14)]
pub(crate) fn task(event_loop: &LoopRef) -> Result<Option<Object>> {
    let task = names().current_task_of.call([event_loop.object()])?;
    if !task.is_none() {
        return Ok(Some(task));
    }
    // asyncio's tasks in pure Python keep a dictionary of their own; who uses them puts a function in the place.
    let other = names().tasks.attr(&names().current_task)?;
    let task = other.call([event_loop.object()])?;
    Ok(task.not_none().cloned())
}

impl LoopRef {
    /// Has a loop of ours know another task as the current one; gives the one that was.
    fn exchange_current(&self, task: Option<Obj<Task>>) -> Option<Obj<Task>> {
        match self {
            Self::Native(native) => native.current.replace(task),
            Self::Foreign(_) => None,
        }
    }
}

impl Obj<EventLoop> {
    /// Makes `task` the current one.
    #[expect(clippy::inline_always, reason = "on the way of every step")]
    #[inline(always)]
    pub(crate) fn set_current(&self, task: &Obj<Task>) -> Result<()> {
        if self.current.holds(task) {
            return Ok(());
        }
        self.change_current(task)
    }

    #[inline(never)]
    fn change_current(&self, task: &Obj<Task>) -> Result<()> {
        self.current.set(Some(task.clone()));
        write(self.as_any(), task.as_any())
    }

    /// Says that no task of ours runs.
    #[inline]
    pub(crate) fn clear_current(&self) -> Result<()> {
        if self.current.is_set() {
            self.current.set(None);
            erase(self.as_any())?;
        }
        Ok(())
    }
}

#[cfg(not(Py_3_14))]
#[inline]
fn write(event_loop: &Object, task: &Object) -> Result<()> {
    names().current_tasks.dict_set(event_loop, task)
}

#[cfg(not(Py_3_14))]
#[inline]
fn erase(event_loop: &Object) -> Result<()> {
    names().current_tasks.dict_remove(event_loop)
}

#[cfg(Py_3_14)]
fn erase(event_loop: &Object) -> Result<()> {
    swap(event_loop, None).map(drop)
}

#[cfg(Py_3_14)]
#[inline]
fn write(event_loop: &Object, task: &Object) -> Result<()> {
    names().current_tasks.call([event_loop, task]).map(drop)
}

/// Puts a task among those that `all_tasks()` shows.
#[inline]
pub(crate) fn register_pending(event_loop: &LoopRef, task: &Obj<Task>) -> Result<()> {
    match event_loop {
        LoopRef::Native(native) => {
            native.enter_task(task);
            Ok(())
        }
        LoopRef::Foreign(_) => names().register_task.call([task.as_any()]).map(drop),
    }
}

/// Takes a task that is done away from there.
#[inline]
pub(crate) fn unregister_pending(task: &Obj<Task>) -> Result<()> {
    if let LoopRef::Native(native) = task.base().event_loop()? {
        native.leave_task(task);
        return Ok(());
    }
    names().unregister_task.call([task.as_any()]).map(drop)
}

/// The loop of what behaves like a future.
pub(crate) fn loop_of(future: &Object) -> Result<Object> {
    match future.attr_opt(&names().get_loop)? {
        Some(get_loop) => get_loop.call([]),
        None => future.attr(&names()._loop),
    }
}
