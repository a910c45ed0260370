//! Bound methods of ours that come back as callbacks.

use pyo3_ffi as ffi;

use super::native::HotType;
use super::object::{Obj, Object};
use super::trampoline::{self, Binary};
use super::value::IntoObject;

impl Object {
    /// The receiver, of exactly the type `T`, of a bound method that calls this very function. `None` of anything else.
    #[inline]
    pub(crate) fn receiver<T: HotType, R: IntoObject, F: Binary<T, R>>(
        &self,
        _method: F,
    ) -> Option<Obj<T>> {
        // SAFETY: reads the type of a live object.
        if unsafe { ffi::PyCFunction_CheckExact(self.as_ptr()) } == 0 {
            return None;
        }
        // SAFETY: a function in C, as just seen.
        let function = unsafe { ffi::PyCFunction_GetFunction(self.as_ptr()) }?;
        if !std::ptr::fn_addr_eq(function, trampoline::method1::<T, R, F> as ffi::PyCFunction) {
            return None;
        }
        // SAFETY: as above.
        let receiver = unsafe { ffi::PyCFunction_GetSelf(self.as_ptr()) };
        // SAFETY: what a method is bound to lives as long as the method.
        let receiver = unsafe { Self::share(receiver) };
        receiver.downcast_exact::<T>().cloned()
    }
}
