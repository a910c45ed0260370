//! What a hot type can be derived from: another one, a class written in Python, or nothing.

use std::ffi::CStr;
use std::marker::PhantomData;

use pyo3_ffi::{PyObject, PyTypeObject};

use super::call::import;
use super::cell::Slot;
use super::error::{Raised, Result};
use super::native::{Chain, HotType, Visit};
use super::object::Object;
use super::value::exceptions;

/// What a hot type can be derived from: another one, a class written in Python, or nothing.
pub(crate) trait Ancestor {
    /// The values of the type and of all that it is derived from.
    type Chain;
    /// What an object has between its header and what every hot object has.
    type Prefix: Prefix;
    /// The type object; `None` for nothing. Raises `ImportError` if there is no such class, and `SystemError` for one
    /// whose instances are laid out in another way.
    fn type_object() -> Result<Option<Object>>;
    /// [`HotType::traverse`] of all.
    fn traverse_chain(chain: &Self::Chain, visit: &mut Visit);
    /// [`HotType::clear`] of all.
    fn clear_chain(chain: &Self::Chain);
    /// [`HotType::retire`] of all.
    fn retire_chain(chain: &Self::Chain);
}

impl Ancestor for () {
    type Chain = ();
    type Prefix = ();

    fn type_object() -> Result<Option<Object>> {
        Ok(None)
    }
    fn traverse_chain((): &(), _visit: &mut Visit) {}
    fn clear_chain((): &()) {}
    fn retire_chain((): &()) {}
}

impl<T: HotType> Ancestor for T {
    type Chain = Chain<T>;
    type Prefix = <T::Base as Ancestor>::Prefix;

    fn type_object() -> Result<Option<Object>> {
        Ok(Some(T::cell().object()))
    }

    fn traverse_chain(chain: &Chain<T>, visit: &mut Visit) {
        T::Base::traverse_chain(&chain.base, visit);
        chain.value.traverse(visit);
    }

    fn clear_chain(chain: &Chain<T>) {
        chain.value.clear();
        T::Base::clear_chain(&chain.base);
    }

    fn retire_chain(chain: &Chain<T>) {
        chain.value.retire();
        T::Base::retire_chain(&chain.base);
    }
}

/// A class written in Python, with `__slots__` all the way up.
pub(crate) trait PythonClass {
    /// Its slots.
    type Prefix: Prefix;
    /// The module that it is imported from.
    const MODULE: &'static CStr;
    /// Its name there.
    const NAME: &'static CStr;
}

/// Says that a hot type is derived from a class written in Python.
pub(crate) struct Derived<C>(PhantomData<C>);

impl<C: PythonClass> Ancestor for Derived<C> {
    type Chain = ();
    type Prefix = C::Prefix;

    fn type_object() -> Result<Option<Object>> {
        let class = import(C::MODULE, C::NAME)?;
        if !class.is_type() || !is_laid_out_as::<C::Prefix>(&class) {
            let text = format!("instances of {:?} are not as expected", C::NAME);
            return Err(Raised::new(&exceptions::system_error(), text));
        }
        Ok(Some(class))
    }
    fn traverse_chain((): &(), _visit: &mut Visit) {}
    fn clear_chain((): &()) {}
    fn retire_chain((): &()) {}
}

/// Whether instances of a class have a header, the slots that are expected, and nothing else.
fn is_laid_out_as<P: Prefix>(class: &Object) -> bool {
    let class: *const PyTypeObject = class.as_ptr().cast();
    // SAFETY: a type object.
    let basic_size = unsafe { (*class).tp_basicsize };
    // SAFETY: as above.
    let dict = unsafe { (*class).tp_dictoffset };
    // SAFETY: as above.
    let weakrefs = unsafe { (*class).tp_weaklistoffset };
    let expected = size_of::<PyObject>() + size_of::<P>();
    usize::try_from(basic_size) == Ok(expected) && dict == 0 && weakrefs == 0
}

/// The `__slots__` of a class written in Python, which Python reads and writes by their place in memory.
pub(crate) trait Prefix: Default {
    /// Shows what they hold to the garbage collector.
    fn traverse(&self, visit: &mut Visit);
    /// Gives up what they hold.
    fn clear(&self);
}

impl Prefix for () {
    fn traverse(&self, _visit: &mut Visit) {}
    fn clear(&self) {}
}

impl<const N: usize> Prefix for [Slot; N]
where
    Self: Default,
{
    fn traverse(&self, visit: &mut Visit) {
        for slot in self {
            visit.slot(slot);
        }
    }
    fn clear(&self) {
        for slot in self {
            slot.set(None);
        }
    }
}
