//! Owned and lent pointers to Python objects.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

use pyo3_ffi as ffi;
use pyo3_ffi::PyObject;

use super::native::{HotType, Layout};

/// The kind of an object of which nothing is known.
pub(crate) enum Any {}

/// An object of which nothing is known.
pub(crate) type Object = Obj<Any>;

/// One owned reference to a Python object whose value is a `T`.
///
/// The same size as a pointer, so that `&Obj<T>` can also be lent from a pointer somebody else owns.
#[repr(transparent)]
pub(crate) struct Obj<T = Any> {
    pointer: NonNull<PyObject>,
    kind: PhantomData<*const T>,
}

impl<T> Obj<T> {
    /// Takes over an owned reference, or gives `None` for null.
    ///
    /// # Safety
    /// `pointer` is null or an owned reference to an object of kind `T`; it is stolen.
    #[inline]
    pub(super) unsafe fn steal(pointer: *mut PyObject) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self {
            pointer,
            kind: PhantomData,
        })
    }

    /// Takes a reference of its own to what somebody else owns.
    ///
    /// # Safety
    /// `pointer` is a live object of kind `T`; it is borrowed.
    #[inline]
    pub(super) unsafe fn share(pointer: *mut PyObject) -> Self {
        // SAFETY: the caller says that the object lives and is a `T`.
        unsafe { Self::lend(&pointer) }.clone()
    }

    /// Reads a pointer that somebody else keeps alive as a reference.
    ///
    /// # Safety
    /// `*pointer` is a live object of kind `T` for as long as the result is used.
    #[inline]
    pub(super) unsafe fn lend(pointer: &*mut PyObject) -> &Self {
        debug_assert!(!pointer.is_null());
        // SAFETY: `Obj` is a transparent non-null pointer and the caller says it is one.
        unsafe { &*std::ptr::from_ref(pointer).cast() }
    }

    #[inline]
    pub(super) fn as_ptr(&self) -> *mut PyObject {
        self.pointer.as_ptr()
    }

    /// Gives the reference away to C.
    #[inline]
    pub(super) fn into_ptr(self) -> *mut PyObject {
        ManuallyDrop::new(self).pointer.as_ptr()
    }

    /// The same object with its kind forgotten.
    #[inline]
    pub(crate) fn as_any(&self) -> &Object {
        // SAFETY: every kind is an object, and the representation is the same pointer.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }

    /// The same reference with its kind forgotten.
    #[inline]
    pub(crate) fn into_any(self) -> Object {
        let this = ManuallyDrop::new(self);
        Object {
            pointer: this.pointer,
            kind: PhantomData,
        }
    }

    /// Whether both are the same object (`is`).
    #[inline]
    pub(crate) fn is<U>(&self, other: &Obj<U>) -> bool {
        self.pointer == other.pointer
    }

    /// Whether nobody else owns a reference to it.
    #[inline]
    pub(crate) fn is_last(&self) -> bool {
        // SAFETY: the object lives.
        unsafe { ffi::Py_REFCNT(self.as_ptr()) == 1 }
    }

    /// The object's address, for keys and messages.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.pointer.as_ptr() as usize
    }
}

impl Object {
    /// The object as a `T` if it is one, or of a type derived from it.
    #[inline]
    pub(crate) fn downcast<T: HotType>(&self) -> Option<&Obj<T>> {
        let wanted = T::cell().pointer();
        // SAFETY: the object lives, so its type does.
        let actual = unsafe { ffi::Py_TYPE(self.as_ptr()) };
        // SAFETY: both are type objects.
        if actual == wanted || unsafe { ffi::PyType_IsSubtype(actual, wanted) } != 0 {
            // SAFETY: just checked.
            return Some(unsafe { self.cast() });
        }
        None
    }

    /// The object as a `T`, which it is known to be.
    #[inline]
    pub(crate) fn known<T: HotType>(&self) -> &Obj<T> {
        self.downcast::<T>()
            .expect("invariant: whoever made this knew the type")
    }

    /// The same reference as one to a `T`, if the object is one or of a type derived from it.
    #[inline]
    pub(crate) fn downcast_into<T: HotType>(self) -> Option<Obj<T>> {
        self.downcast::<T>()?;
        Some(Obj {
            pointer: ManuallyDrop::new(self).pointer,
            kind: PhantomData,
        })
    }

    /// The object as a `T` if it is of exactly that type.
    #[inline]
    pub(crate) fn downcast_exact<T: HotType>(&self) -> Option<&Obj<T>> {
        // SAFETY: the object lives, so its type does.
        if unsafe { ffi::Py_TYPE(self.as_ptr()) } == T::cell().pointer() {
            // SAFETY: just checked.
            return Some(unsafe { self.cast() });
        }
        None
    }

    /// The object as a `T` if it is of exactly that type and has the type's own `method`, which may be called as Rust
    /// then: people set others on an object, for tests above all.
    #[inline]
    pub(crate) fn downcast_with<T: HotType>(&self, method: &Self) -> Option<&Obj<T>> {
        self.downcast_exact::<T>()
            .filter(|this| !this.has_own(method))
    }

    /// The type of the object.
    #[inline]
    pub(crate) fn type_of(&self) -> Self {
        // SAFETY: the object lives.
        let kind = unsafe { ffi::Py_TYPE(self.as_ptr()) };
        // SAFETY: a live object's type is a live object.
        unsafe { Self::share(kind.cast()) }
    }

    /// Whether this is `None`.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        // SAFETY: takes the address of a static.
        self.as_ptr() == unsafe { ffi::Py_None() }
    }

    /// `self`, or nothing if it is `None`.
    #[inline]
    pub(crate) fn not_none(&self) -> Option<&Self> {
        if self.is_none() { None } else { Some(self) }
    }

    /// # Safety
    /// The object is a `T`.
    #[inline]
    unsafe fn cast<T>(&self) -> &Obj<T> {
        // SAFETY: same representation; the caller vouches for the kind.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }
}

impl<T: HotType> Obj<T> {
    /// Whether the object's type is `T` itself, not a class derived from it in Python.
    #[inline]
    pub(crate) fn is_exact(&self) -> bool {
        self.as_any().downcast_exact::<T>().is_some()
    }
}

impl<T: HotType> Obj<T>
where
    T::Base: HotType,
{
    /// The object as what its type is derived from.
    #[inline]
    pub(crate) fn base(&self) -> &Obj<T::Base> {
        // SAFETY: the memory of a `T` begins with that of its base (`Layout`).
        unsafe { &*std::ptr::from_ref(self).cast() }
    }
}

impl<T: HotType> Deref for Obj<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: an `Obj<T>` points to a live object whose value was written when it was made.
        unsafe { &*Layout::<T>::value(self.as_ptr()) }
    }
}

impl<T> Clone for Obj<T> {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: the object lives, since we own a reference.
        unsafe { ffi::Py_INCREF(self.as_ptr()) };
        Self {
            pointer: self.pointer,
            kind: PhantomData,
        }
    }
}

impl<T> Drop for Obj<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: we own the reference that is given back.
        unsafe { ffi::Py_DECREF(self.as_ptr()) };
    }
}

impl<T> fmt::Debug for Obj<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Obj({:p})", self.pointer)
    }
}
