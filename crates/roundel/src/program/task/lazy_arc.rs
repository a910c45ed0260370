//! An `Arc` that is made when it is first asked for, in whichever thread. Checked by loom in `tests/loom.rs`.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;

use crate::sync::{Arc, AtomicPtr, Ordering};

/// One word, and one reference to the `Arc` as soon as there is one.
pub(crate) struct LazyArc<T> {
    /// Null, or from `Arc::into_raw`.
    made: AtomicPtr<T>,
    _owned: PhantomData<Arc<T>>,
}

impl<T> LazyArc<T> {
    pub(crate) fn new() -> Self {
        Self {
            made: AtomicPtr::new(ptr::null_mut()),
            _owned: PhantomData,
        }
    }

    /// Returns the `Arc`, if it has been made.
    #[inline]
    pub(crate) fn get(&self) -> Option<Lent<'_, T>> {
        // Acquire: pairs with the exchange in `get_or_make`, whose thread has made it.
        let made = self.made.load(Ordering::Acquire);
        // SAFETY: it is from the `Arc` that this owns.
        (!made.is_null()).then(|| unsafe { Lent::new(made) })
    }

    /// Returns the `Arc`, made of what `make` returns if need be. Of two that are made at once, one is dropped.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> Lent<'_, T> {
        if let Some(known) = self.get() {
            return known;
        }
        let made = Arc::into_raw(Arc::new(make())).cast_mut();
        // AcqRel: hands on what has been made, or pairs with who has been quicker.
        let outcome =
            self.made
                .compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire);
        let lent = outcome.map_or_else(
            |quicker| {
                // SAFETY: it has just been made, and nobody else has it.
                drop(unsafe { Arc::from_raw(made.cast_const()) });
                quicker
            },
            |_null| made,
        );
        // SAFETY: it is from the `Arc` that this owns.
        unsafe { Lent::new(lent) }
    }
}

impl<T> Drop for LazyArc<T> {
    fn drop(&mut self) {
        if let Some(lent) = self.get() {
            // It is no longer lent: this is the reference that has been counted.
            drop(ManuallyDrop::into_inner(lent.arc));
        }
    }
}

/// An `Arc` that is not counted, for as long as its lender lives.
pub(crate) struct Lent<'l, T> {
    arc: ManuallyDrop<Arc<T>>,
    _lender: PhantomData<&'l LazyArc<T>>,
}

impl<T> Lent<'_, T> {
    /// # Safety
    ///
    /// `made` is from an `Arc` that the lender owns.
    #[inline]
    unsafe fn new(made: *mut T) -> Self {
        // SAFETY: the caller says so, and the count is left as it is.
        let arc = ManuallyDrop::new(unsafe { Arc::from_raw(made.cast_const()) });
        Self {
            arc,
            _lender: PhantomData,
        }
    }
}

impl<T> Deref for Lent<'_, T> {
    type Target = Arc<T>;

    #[inline]
    fn deref(&self) -> &Arc<T> {
        &self.arc
    }
}
