//! A Rust struct as the value of a Python object: memory, freelist, garbage collection.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::mem::offset_of;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi as ffi;
use pyo3_ffi::{PyObject, PyTypeObject};

use super::ancestor::{Ancestor, Prefix};
use super::cell::Slot;
use super::chain;
use super::class::Class;
use super::gil::GilCell;
use super::object::{Obj, Object};

/// A Rust struct that is the value of a Python object.
///
/// No method here may run Python code, but [`finalize`](Self::finalize).
pub(crate) trait HotType: Sized + 'static {
    /// The hot type this one is derived from, a class [`Derived`](super::Derived) from, or `()`.
    type Base: Ancestor;
    /// The full name, `roundel.Future`.
    const NAME: &'static CStr;
    /// How many dead objects are kept for reuse.
    const FREELIST: usize = 0;
    /// Whether the garbage collector tracks an object from the start. If not, [`Obj::track`] starts it.
    const TRACKED: bool = true;
    /// Whether objects may own one another in chains of any length, and have to die in a loop.
    const CHAINS: bool = false;
    /// Whether Python classes may derive from it.
    const SUBCLASSABLE: bool = true;
    /// Whether instances take attributes of their own.
    const ATTRIBUTES: bool = true;

    /// Where the type object is kept: a static of the implementing module.
    fn cell() -> &'static TypeCell;

    /// Declares constructor, methods, attributes and protocols.
    fn class(class: &mut Class<Self>);

    /// Shows every reference it owns to the garbage collector.
    fn traverse(&self, visit: &mut Visit);

    /// Gives up the references that can be part of a cycle.
    fn clear(&self);

    /// Whether [`Obj::track`] may have been called. Asked where `TRACKED` is false.
    fn may_be_tracked(_this: &Obj<Self>) -> bool {
        true
    }

    /// Gives up what the value holds when it dies, if that is no more than references which others have, too; false,
    /// with nothing done, if there is more to do. The short way of types whose objects come and go.
    fn vanish(&mut self) -> bool {
        false
    }

    /// Leaves the lists that know the object without owning it. The first thing that happens when it dies.
    fn retire(&self) {}

    /// Whether [`finalize`](Self::finalize) has something to do.
    fn wants_finalizer(_this: &Obj<Self>) -> bool {
        false
    }

    /// Runs before the object dies (`__del__`); may bring it back to life.
    fn finalize(_this: &Obj<Self>) {}
}

/// The value of a `T` after that of what it is derived from.
#[repr(C)]
pub(crate) struct Chain<T: HotType> {
    pub(crate) base: <T::Base as Ancestor>::Chain,
    pub(crate) value: T,
}

impl<T: HotType + Default> Default for Chain<T>
where
    <T::Base as Ancestor>::Chain: Default,
{
    fn default() -> Self {
        Self {
            base: Default::default(),
            value: T::default(),
        }
    }
}

/// What every hot object begins with.
#[repr(C)]
pub(super) struct Head<P> {
    object: PyObject,
    prefix: P,
    weakrefs: *mut PyObject,
    dict: *mut PyObject,
}

impl<P: Prefix> Head<P> {
    /// Empties what Python leaves as it was in a fresh object.
    ///
    /// # Safety
    /// `object` has the memory of a hot object.
    unsafe fn finish(object: *mut PyObject) {
        let head: *mut Self = object.cast();
        // SAFETY: as the caller says.
        unsafe { (*head).weakrefs = std::ptr::null_mut() };
        // SAFETY: as above.
        unsafe { (*head).dict = std::ptr::null_mut() };
        // SAFETY: only computes an address within the object's memory.
        let prefix = unsafe { &raw mut (*head).prefix };
        // SAFETY: as the caller says; there is nothing in it yet.
        unsafe { prefix.write(P::default()) };
    }

    /// Whether nobody knows of the object by a weak reference, and it has no attributes of its own, if it could have any.
    #[inline]
    fn is_bare(&self, attributes: bool) -> bool {
        self.weakrefs.is_null() && (!attributes || self.dict.is_null())
    }

    /// Takes the dictionary out of an object and gives it up.
    ///
    /// # Safety
    /// `object` is a hot object.
    #[inline]
    unsafe fn clear_dict(object: *mut PyObject) {
        let head: *mut Self = object.cast();
        // SAFETY: as the caller says.
        if !unsafe { (*head).dict }.is_null() {
            // SAFETY: as the caller says.
            let dict = unsafe { std::mem::replace(&mut (*head).dict, std::ptr::null_mut()) };
            // SAFETY: the reference that the object held.
            unsafe { ffi::Py_DECREF(dict) };
        }
    }

    /// Breaks the weak references to an object that dies.
    ///
    /// # Safety
    /// `object` is a hot object that nobody owns any more.
    #[inline]
    unsafe fn clear_weakrefs(object: *mut PyObject) {
        let head: *mut Self = object.cast();
        // SAFETY: as the caller says.
        if !unsafe { (*head).weakrefs }.is_null() {
            // SAFETY: as the caller says.
            unsafe { ffi::PyObject_ClearWeakRefs(object) };
        }
    }
}

/// What the objects of a hot type begin with.
type HeadOf<T> = Head<<<T as HotType>::Base as Ancestor>::Prefix>;

pub(super) const fn weakrefs_offset<T: HotType>() -> usize {
    offset_of!(HeadOf<T>, weakrefs)
}

pub(super) const fn dict_offset<T: HotType>() -> usize {
    offset_of!(HeadOf<T>, dict)
}

/// The memory of a hot object.
#[repr(C)]
pub(super) struct Layout<T: HotType> {
    head: HeadOf<T>,
    chain: Chain<T>,
}

impl<T: HotType> Layout<T> {
    #[inline]
    pub(super) fn value(object: *mut PyObject) -> *const T {
        let layout: *const Self = object.cast();
        // SAFETY: only computes an address within the object's memory.
        unsafe { &raw const (*layout).chain.value }
    }

    /// Writes the value of a fresh object, whose head is in order already.
    ///
    /// # Safety
    /// `object` has the memory of a `Layout<T>`, and no value yet.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    unsafe fn write(object: *mut PyObject, chain: Chain<T>) {
        let layout: *mut Self = object.cast();
        // SAFETY: only computes an address within the object's memory.
        let place = unsafe { &raw mut (*layout).chain };
        // SAFETY: as the caller says.
        unsafe { place.write(chain) };
    }
}

/// The type object of a hot type, and its freelist.
pub(crate) struct TypeCell {
    type_object: AtomicPtr<PyTypeObject>,
    free: GilCell<Vec<*mut PyObject>>,
}

impl TypeCell {
    pub(crate) const fn new() -> Self {
        Self {
            type_object: AtomicPtr::new(std::ptr::null_mut()),
            free: GilCell::new(Vec::new()),
        }
    }

    #[inline]
    pub(super) fn pointer(&self) -> *mut PyTypeObject {
        // Relaxed: written once, while the module is made, before any object of the type is.
        self.type_object.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, type_object: *mut PyTypeObject) {
        // Relaxed: as in `pointer`.
        self.type_object.store(type_object, Ordering::Relaxed);
    }

    /// The type object.
    pub(crate) fn object(&self) -> Object {
        // SAFETY: the module owns the type for as long as the process lives.
        unsafe { Object::share(self.pointer().cast()) }
    }

    /// A dead object, brought back to life without a value.
    #[inline]
    fn reuse(&self) -> Option<*mut PyObject> {
        if cfg!(Py_GIL_DISABLED) {
            return None;
        }
        let object = self.free.with(Vec::pop)?;
        // SAFETY: it died with no reference left, and its type and head are in order.
        unsafe { ffi::Py_INCREF(object) };
        Some(object)
    }

    /// Keeps a dead object, whose value is gone, with its reference to its type; false when there are enough. The first
    /// time, makes room for `limit` of them.
    #[inline]
    fn keep(&self, object: *mut PyObject, limit: usize) -> bool {
        if cfg!(Py_GIL_DISABLED) || limit == 0 {
            return false;
        }
        self.free.with(|free| {
            if free.capacity() == 0 {
                free.reserve_exact(limit);
            }
        });
        self.keep_in_room(object)
    }

    /// Keeps a dead object if there is room.
    #[inline]
    fn keep_in_room(&self, object: *mut PyObject) -> bool {
        self.free.with(|free| {
            let has_room = free.len() < free.capacity();
            if has_room {
                free.push(object);
            }
            has_room
        })
    }

    /// Whether there is room for one more dead object.
    #[inline]
    fn has_room(&self) -> bool {
        !cfg!(Py_GIL_DISABLED) && self.free.with(|free| free.len() < free.capacity())
    }
}

impl<T: HotType> Obj<T>
where
    T::Base: Ancestor<Chain = ()>,
{
    /// Makes an object of exactly this type.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn create(value: T) -> Self {
        Self::create_chain(Chain { base: (), value })
    }
}

/// The memory of a dead object of a type, for the next one.
pub(crate) struct Spare<T: HotType>(*mut PyObject, PhantomData<T>);

impl<T: HotType> Spare<T>
where
    T::Base: Ancestor<Chain = ()>,
{
    /// Takes one, if there is one.
    #[inline]
    pub(crate) fn take() -> Option<Self> {
        const { assert!(!T::TRACKED, "others are made by `Obj::create`") };
        let object = T::cell().reuse()?;
        Some(Self(object, PhantomData))
    }

    /// Makes an object of it.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn fill(self, value: T) -> Obj<T> {
        // SAFETY: the memory is a `Layout<T>` with nothing in it.
        unsafe { Layout::write(self.0, Chain { base: (), value }) };
        // SAFETY: brought back to life, so the reference is ours.
        let made = unsafe { Obj::steal(self.0) };
        // SAFETY: not null.
        unsafe { made.unwrap_unchecked() }
    }
}

impl<T: HotType> Obj<T> {
    /// Makes an object of exactly this type from its value and those of its ancestors.
    ///
    /// Running out of memory ends the process, as it does everywhere in Rust.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn create_chain(chain: Chain<T>) -> Self {
        let object = T::cell().reuse().unwrap_or_else(|| fresh::<T>());
        // SAFETY: the memory is a `Layout<T>` with nothing in it.
        unsafe { Layout::write(object, chain) };
        if T::TRACKED {
            // SAFETY: a complete object of a GC type that is not tracked.
            unsafe { ffi::PyObject_GC_Track(object.cast()) };
        }
        // SAFETY: new, so the reference is ours.
        let made = unsafe { Self::steal(object) };
        // SAFETY: not null.
        unsafe { made.unwrap_unchecked() }
    }

    /// Whether `value` is that of the object at `pointer`, which may be null.
    #[inline]
    pub(super) fn has_value(pointer: *mut PyObject, value: &T) -> bool {
        // Of null it is an address near null, where no value is.
        let place = pointer.wrapping_byte_add(offset_of!(Layout<T>, chain.value));
        std::ptr::eq(place.cast(), value)
    }

    /// Whether an attribute of that name was set on the object itself, where it hides the type's own.
    #[inline]
    pub(crate) fn has_own(&self, name: &Object) -> bool {
        const { assert!(T::ATTRIBUTES, "others have none") };
        let head: *const HeadOf<T> = self.as_ptr().cast();
        // SAFETY: a live object of our type.
        let dict = unsafe { (*head).dict };
        // SAFETY: not null, so it is the dictionary that the object owns.
        !dict.is_null() && is_in(&unsafe { Object::share(dict) }, name)
    }

    /// Shows the object to the garbage collector from here on. Needed where `TRACKED` is false.
    #[inline]
    pub(crate) fn track(&self) {
        // SAFETY: a complete object of a GC type.
        if unsafe { ffi::PyObject_GC_IsTracked(self.as_ptr()) } == 0 {
            // SAFETY: as above, and it is not tracked.
            unsafe { ffi::PyObject_GC_Track(self.as_ptr().cast()) };
        }
    }
}

/// Whether a name is in a dictionary. One that can't tell is asked again by whoever looks the attribute up.
#[cold]
fn is_in(dict: &Object, name: &Object) -> bool {
    dict.dict_contains(name).unwrap_or_else(|raised| {
        raised.clear();
        true
    })
}

/// Memory for a new object.
///
/// A function that can't unwind: so the value that is made for the object need not be kept ready to be dropped, and
/// is written where it belongs at once.
#[cold]
#[inline(never)]
extern "C" fn fresh<T: HotType>() -> *mut PyObject {
    // SAFETY: a GC type that is ready; the head is set by Python, the rest by the caller.
    let object: *mut PyObject = unsafe { ffi::PyObject_GC_New(T::cell().pointer()) };
    if object.is_null() {
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<Layout<T>>());
    }
    // SAFETY: memory of the right size whose head Python has begun.
    unsafe { HeadOf::<T>::finish(object) };
    object
}

/// `tp_new` for a type that can be called: an object with the default value.
pub(super) unsafe extern "C" fn new<T: HotType + Default>(
    type_object: *mut PyTypeObject,
    _args: *mut PyObject,
    _kwargs: *mut PyObject,
) -> *mut PyObject
where
    <T::Base as Ancestor>::Chain: Default,
{
    // SAFETY: Python calls this with a type that has the slot from us or our base.
    let Some(alloc) = (unsafe { (*type_object).tp_alloc }) else {
        return std::ptr::null_mut();
    };
    // SAFETY: as Python's own `object.__new__` does; gives zeroed memory with the head set.
    let object = unsafe { alloc(type_object, 0) };
    if !object.is_null() {
        // SAFETY: the memory is that of a `Layout<T>`, or longer, with no value in it yet.
        unsafe { Layout::<T>::write(object, Chain::default()) };
    }
    object
}

/// Runs the finalizer of an object that dies; false if that has brought it back to life.
///
/// Python wants it tracked meanwhile, which some are only once they wait.
fn finalize_dying<T: HotType>(this: &Obj<T>) -> bool {
    let object = this.as_ptr();
    // SAFETY: a complete object of a GC type.
    let tracked = unsafe { ffi::PyObject_GC_IsTracked(object) } != 0;
    this.track();
    // SAFETY: in `tp_dealloc`, before the object is untracked.
    let dead = unsafe { ffi::PyObject_CallFinalizerFromDealloc(object) } == 0;
    if !tracked && (dead || !T::may_be_tracked(this)) {
        // SAFETY: a GC type, tracked above.
        unsafe { ffi::PyObject_GC_UnTrack(object.cast()) };
    }
    dead
}

/// `tp_dealloc`.
pub(super) unsafe extern "C" fn dealloc<T: HotType>(object: *mut PyObject) {
    // SAFETY: Python calls this with an object of our type or of one derived from it, which dies.
    if !unsafe { vanished::<T>(object) } {
        // SAFETY: as above.
        unsafe { die::<T>(object) };
    }
}

/// The death of an object that did not go the short way.
#[inline(never)]
unsafe extern "C" fn die<T: HotType>(object: *mut PyObject) {
    // SAFETY: Python calls this with an object of our type or of one derived from it.
    if T::CHAINS && unsafe { ffi::Py_TYPE(object) } == T::cell().pointer() {
        // SAFETY: tracked from the start, and nobody else knows of it any more.
        unsafe { chain::bury(object, bury::<T>) };
    } else {
        // SAFETY: as above.
        unsafe { bury::<T>(object) };
    }
}

/// Whether a dead object has gone the short way: it is of exactly this type, which is derived from nothing, there is
/// room for its memory, and there was next to nothing to give up.
///
/// # Safety
/// `object` is of type `T` or one derived from it, and dies.
#[expect(clippy::inline_always, reason = "on the way of every await")]
#[inline(always)]
unsafe fn vanished<T: HotType>(object: *mut PyObject) -> bool {
    let layout: *mut Layout<T> = object.cast();
    // SAFETY: as the caller says; nobody else can reach the object any more.
    let layout = unsafe { &mut *layout };
    let is_short = size_of::<Layout<T>>() == size_of::<(Head<()>, T)>()
        && layout.head.object.ob_type == T::cell().pointer()
        && layout.head.is_bare(T::ATTRIBUTES)
        && T::cell().has_room()
        && layout.chain.value.vanish();
    if is_short {
        layout.chain.value.retire();
        T::cell().keep_in_room(object);
    }
    is_short
}

unsafe extern "C" fn bury<T: HotType>(object: *mut PyObject) {
    // SAFETY: Python calls this with an object of our type or of one derived from it.
    let this = unsafe { Obj::<T>::lend(&object) };
    // SAFETY: as above.
    let type_object = unsafe { ffi::Py_TYPE(object) };
    let exact = type_object == T::cell().pointer();
    // A derived class has had its finalizer run by Python already.
    let finalized = exact && T::wants_finalizer(this);
    if finalized && !finalize_dying(this) {
        return;
    }
    let tracked = T::TRACKED || T::may_be_tracked(this);
    if tracked {
        // SAFETY: a GC type; harmless when it is not tracked.
        unsafe { ffi::PyObject_GC_UnTrack(object.cast()) };
    }
    let layout: *mut Layout<T> = object.cast();
    // SAFETY: the value is still whole.
    T::retire_chain(unsafe { &(*layout).chain });
    // SAFETY: our object, which dies.
    unsafe { HeadOf::<T>::clear_weakrefs(object) };
    if T::ATTRIBUTES || !exact {
        // SAFETY: our object.
        unsafe { HeadOf::<T>::clear_dict(object) };
    }
    // SAFETY: our object.
    unsafe { (*layout).head.prefix.clear() };
    // SAFETY: only computes an address within the object's memory.
    let chain = unsafe { &raw mut (*layout).chain };
    // SAFETY: nobody can reach the object any more; the value is dropped once.
    unsafe { std::ptr::drop_in_place(chain) };
    // An object whose finalizer ran carries a mark that a new one must not have; one that was never tracked
    // and did not ask for it has none.
    // SAFETY: still the memory of our object.
    let marked = (tracked || finalized) && unsafe { ffi::PyObject_GC_IsFinalized(object) } != 0;
    if !(exact && !marked && T::cell().keep(object, T::FREELIST)) {
        // SAFETY: the type's own way to give the memory back.
        unsafe { free(type_object, object) };
        // SAFETY: an object of a heap type owns a reference to its type.
        unsafe { ffi::Py_DECREF(type_object.cast()) };
    }
}

unsafe fn free(type_object: *mut PyTypeObject, object: *mut PyObject) {
    // SAFETY: every ready type has `tp_free`.
    if let Some(free) = unsafe { (*type_object).tp_free } {
        // SAFETY: the object is dead.
        unsafe { free(object.cast()) };
    }
}

/// `tp_finalize`.
pub(super) unsafe extern "C" fn finalize<T: HotType>(object: *mut PyObject) {
    // SAFETY: Python calls this with an object of our type.
    let this = unsafe { Obj::<T>::lend(&object) };
    if T::wants_finalizer(this) {
        super::error::preserved(|| T::finalize(this));
    }
}

/// The visitor of the garbage collector.
pub(crate) struct Visit {
    call: ffi::visitproc,
    arg: *mut c_void,
    /// Not 0 once the collector wants to hear no more.
    result: c_int,
}

impl Visit {
    /// Shows one reference.
    pub(crate) fn object<U>(&mut self, object: &Obj<U>) {
        self.pointer(object.as_ptr());
    }

    /// Shows what a slot holds.
    pub(crate) fn slot<U>(&mut self, slot: &Slot<U>) {
        if let Some(pointer) = slot.peek_ptr() {
            self.pointer(pointer);
        }
    }

    pub(super) fn pointer(&mut self, pointer: *mut PyObject) {
        if self.result == 0 && !pointer.is_null() {
            // SAFETY: the collector's own function and argument, and a live object.
            self.result = unsafe { (self.call)(pointer, self.arg) };
        }
    }
}

/// `tp_traverse`.
pub(super) unsafe extern "C" fn traverse<T: HotType>(
    object: *mut PyObject,
    visit: ffi::visitproc,
    arg: *mut c_void,
) -> c_int {
    let layout: *const Layout<T> = object.cast();
    let mut visit = Visit {
        call: visit,
        arg,
        result: 0,
    };
    // SAFETY: Python calls this with a live object of our type.
    visit.pointer(unsafe { ffi::Py_TYPE(object) }.cast());
    // SAFETY: as above.
    visit.pointer(unsafe { (*layout).head.dict });
    // SAFETY: as above.
    unsafe { (*layout).head.prefix.traverse(&mut visit) };
    // SAFETY: as above.
    T::traverse_chain(unsafe { &(*layout).chain }, &mut visit);
    visit.result
}

/// `tp_clear`.
pub(super) unsafe extern "C" fn clear<T: HotType>(object: *mut PyObject) -> c_int {
    let layout: *mut Layout<T> = object.cast();
    // SAFETY: Python calls this with a live object of our type.
    T::clear_chain(unsafe { &(*layout).chain });
    // SAFETY: as above.
    unsafe { HeadOf::<T>::clear_dict(object) };
    // SAFETY: as above.
    unsafe { (*layout).head.prefix.clear() };
    0
}

pub(super) const fn basic_size<T: HotType>() -> usize {
    size_of::<Layout<T>>()
}
