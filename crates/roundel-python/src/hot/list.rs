//! Lists whose links are in the objects themselves, so that joining and leaving cost no memory and no search.
//!
//! [`List`] owns its members (a queue of waiters); [`Registry`] only knows them (all tasks), and a member leaves
//! it when it dies ([`HotType::retire`]). An object can be in one of them at a time.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use pyo3_ffi::PyObject;

use super::native::{HotType, Visit};
use super::object::Obj;

/// A hot type that can be a member of a list.
pub(crate) trait Linked: HotType {
    /// Where the object keeps its links.
    fn link(&self) -> &Link;
}

type Pointer = *mut PyObject;

/// The place of an object in a list.
#[derive(Debug)]
pub(crate) struct Link {
    previous: Cell<Pointer>,
    next: Cell<Pointer>,
    /// The ends of the list it is in; null when it is in none. Ends outlive membership, see `Ends`.
    ends: Cell<*const Ends>,
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    pub(crate) const fn new() -> Self {
        Self {
            previous: Cell::new(ptr::null_mut()),
            next: Cell::new(ptr::null_mut()),
            ends: Cell::new(ptr::null()),
        }
    }

    /// Whether the object is in a list.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        !self.ends.get().is_null()
    }
}

/// The first and the last of a list.
///
/// Lives in the value of a hot object, which never moves, and is emptied before it dies; so the pointer that
/// a member has to it is good for as long as it is a member.
#[derive(Debug)]
struct Ends {
    first: Cell<Pointer>,
    last: Cell<Pointer>,
}

impl Ends {
    const fn new() -> Self {
        Self {
            first: Cell::new(ptr::null_mut()),
            last: Cell::new(ptr::null_mut()),
        }
    }

    #[inline]
    fn append<T: Linked>(&self, member: &Obj<T>) {
        let link = member.link();
        assert!(!link.is_linked(), "an object can be in one list only");
        link.ends.set(self);
        let last = self.last.replace(member.as_ptr());
        link.previous.set(last);
        match lend::<T>(&last) {
            Some(last) => last.link().next.set(member.as_ptr()),
            None => self.first.set(member.as_ptr()),
        }
    }

    #[inline]
    fn unlink(&self, link: &Link, neighbour: impl Fn(Pointer) -> Option<NonNull<Link>>) {
        let previous = link.previous.replace(ptr::null_mut());
        let next = link.next.replace(ptr::null_mut());
        link.ends.set(ptr::null());
        match neighbour(previous) {
            // SAFETY: a neighbour is a member, and members live.
            Some(link) => unsafe { link.as_ref() }.next.set(next),
            None => self.first.set(next),
        }
        match neighbour(next) {
            // SAFETY: as above.
            Some(link) => unsafe { link.as_ref() }.previous.set(previous),
            None => self.last.set(previous),
        }
    }
}

/// The member behind a link, which lives as long as it is one.
#[inline]
fn lend<T: Linked>(pointer: &Pointer) -> Option<&Obj<T>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: links only lead to live members, all of kind `T`.
    Some(unsafe { Obj::lend(pointer) })
}

#[inline]
fn link_of<T: Linked>(pointer: Pointer) -> Option<NonNull<Link>> {
    lend::<T>(&pointer).map(|member| NonNull::from(member.link()))
}

/// A list that owns its members.
#[derive(Debug)]
pub(crate) struct List<T: Linked> {
    ends: Ends,
    kind: std::marker::PhantomData<Obj<T>>,
}

impl<T: Linked> List<T> {
    pub(crate) const fn new() -> Self {
        Self {
            ends: Ends::new(),
            kind: std::marker::PhantomData,
        }
    }

    /// Whether there is no member.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.first.get().is_null()
    }

    /// Adds a member at the end.
    #[inline]
    pub(crate) fn push_back(&self, member: Obj<T>) {
        self.ends.append(&member);
        // The list owns the reference until the member leaves.
        member.into_ptr();
    }

    /// Whether there is exactly one member.
    #[inline]
    pub(crate) fn has_one(&self) -> bool {
        !self.is_empty() && self.ends.first.get() == self.ends.last.get()
    }

    /// The first member that `test` accepts. It must not change the list.
    #[inline]
    pub(crate) fn find(&self, test: impl Fn(&T) -> bool) -> Option<Obj<T>> {
        let mut next = self.ends.first.get();
        while let Some(member) = lend::<T>(&next) {
            if test(member) {
                return Some(member.clone());
            }
            next = member.link().next.get();
        }
        None
    }

    /// Whether `test` accepts a member. It must not change the list.
    #[inline]
    pub(crate) fn any(&self, test: impl Fn(&T) -> bool) -> bool {
        self.find(test).is_some()
    }

    /// The first member.
    #[inline]
    pub(crate) fn front(&self) -> Option<Obj<T>> {
        lend::<T>(&self.ends.first.get()).cloned()
    }

    /// Takes the first member out.
    #[inline]
    pub(crate) fn pop_front(&self) -> Option<Obj<T>> {
        let first = self.ends.first.get();
        lend::<T>(&first).and_then(|member| self.remove(member))
    }

    /// Takes a member out; `None` if it is not in this list.
    #[inline]
    pub(crate) fn remove(&self, member: &Obj<T>) -> Option<Obj<T>> {
        let link = member.link();
        if !ptr::eq(link.ends.get(), &raw const self.ends) {
            return None;
        }
        self.ends.unlink(link, link_of::<T>);
        // SAFETY: the reference that `push_back` left with the list.
        unsafe { Obj::steal(member.as_ptr()) }
    }

    /// The members, in order.
    pub(crate) fn to_vec(&self) -> Vec<Obj<T>> {
        members(&self.ends)
    }

    /// Shows the members to the garbage collector.
    pub(crate) fn traverse(&self, visit: &mut Visit) {
        let mut next = self.ends.first.get();
        while let Some(member) = lend::<T>(&next) {
            visit.pointer(member.as_ptr());
            next = member.link().next.get();
        }
    }

    /// Lets all members go.
    pub(crate) fn clear(&self) {
        while let Some(member) = self.pop_front() {
            drop(member);
        }
    }
}

impl<T: Linked> Drop for List<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A list that knows its members without owning them.
#[derive(Debug)]
pub(crate) struct Registry<T: Linked> {
    ends: Ends,
    kind: std::marker::PhantomData<*const Obj<T>>,
}

impl<T: Linked> Registry<T> {
    pub(crate) const fn new() -> Self {
        Self {
            ends: Ends::new(),
            kind: std::marker::PhantomData,
        }
    }

    /// Adds a member, which must leave in its `retire` at the latest.
    #[inline]
    pub(crate) fn enter(&self, member: &Obj<T>) {
        self.ends.append(member);
    }

    /// Takes a member out of the registry it is in, and says whether others are left there; `None` if it was in none.
    #[inline]
    pub(crate) fn forget(link: &Link) -> Option<bool> {
        let ends = link.ends.get();
        if ends.is_null() {
            return None;
        }
        // SAFETY: the ends outlive membership (`Ends`).
        let ends = unsafe { &*ends };
        ends.unlink(link, link_of::<T>);
        Some(!ends.first.get().is_null())
    }

    /// The members, in order of entering.
    pub(crate) fn to_vec(&self) -> Vec<Obj<T>> {
        members(&self.ends)
    }
}

impl<T: Linked> Drop for Registry<T> {
    fn drop(&mut self) {
        let mut next = self.ends.first.get();
        while let Some(link) = link_of::<T>(next) {
            // SAFETY: a member, which lives.
            let link = unsafe { link.as_ref() };
            next = link.next.get();
            self.ends.unlink(link, link_of::<T>);
        }
    }
}

fn members<T: Linked>(ends: &Ends) -> Vec<Obj<T>> {
    let mut members = Vec::new();
    let mut next = ends.first.get();
    while let Some(member) = lend::<T>(&next) {
        members.push(member.clone());
        next = member.link().next.get();
    }
    members
}

/// Takes a member out of whatever [`List`] it is in, and gives that list's reference to it.
pub(crate) fn leave_list<T: Linked>(member: &Obj<T>) -> Option<Obj<T>> {
    let ends = member.link().ends.get();
    if ends.is_null() {
        return None;
    }
    // SAFETY: the ends outlive membership (`Ends`).
    unsafe { &*ends }.unlink(member.link(), link_of::<T>);
    // SAFETY: the reference that `push_back` left with the list.
    unsafe { Obj::steal(member.as_ptr()) }
}
