//! Objects by number, known without being owned.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;

use pyo3_ffi::PyObject;

use super::native::HotType;
use super::object::{Obj, Object};

/// Objects by small numbers, as transports are by their descriptors.
#[derive(Debug, Default)]
pub(crate) struct Table(RefCell<Vec<*mut PyObject>>);

/// A hot type that can be in a table.
pub(crate) trait Numbered: HotType {
    /// Where the object keeps its place, which it leaves when it [retires](HotType::retire).
    fn place(&self) -> &Place;
}

/// The place of an object in a table.
#[derive(Debug)]
pub(crate) struct Place {
    table: RefCell<Option<Rc<Table>>>,
    number: Cell<usize>,
    object: Cell<*mut PyObject>,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            table: RefCell::default(),
            number: Cell::default(),
            object: Cell::new(ptr::null_mut()),
        }
    }
}

impl Table {
    /// Enters an object, which leaves the place that it has; another one of that number is known no longer.
    pub(crate) fn enter<T: Numbered>(this: &Rc<Self>, number: usize, object: &Obj<T>) {
        let place = object.place();
        place.leave();
        let mut objects = this.0.borrow_mut();
        if objects.len() <= number {
            objects.resize(number + 1, ptr::null_mut());
        }
        objects[number] = object.as_ptr();
        place.number.set(number);
        place.object.set(object.as_ptr());
        place.table.replace(Some(Rc::clone(this)));
    }

    /// The object with a number.
    pub(crate) fn get(&self, number: usize) -> Option<Object> {
        let object = *self.0.borrow().get(number)?;
        if object.is_null() {
            return None;
        }
        // SAFETY: an object leaves before it dies.
        Some(unsafe { Obj::share(object) })
    }
}

impl Place {
    /// Leaves the table, if the object is in one.
    pub(crate) fn leave(&self) {
        let Some(table) = self.table.take() else {
            return;
        };
        if let Some(entry) = table.0.borrow_mut().get_mut(self.number.get())
            && *entry == self.object.get()
        {
            *entry = ptr::null_mut();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}
