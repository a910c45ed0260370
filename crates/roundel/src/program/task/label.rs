//! How a task is called in reports.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;

/// The name that a task has been given, or else where it was spawned.
pub(super) struct Label {
    kind: RefCell<Kind>,
}

enum Kind {
    Origin(&'static Location<'static>),
    Name(Box<str>),
}

impl Label {
    pub(super) fn new(origin: &'static Location<'static>) -> Self {
        Self {
            kind: RefCell::new(Kind::Origin(origin)),
        }
    }

    pub(super) fn set(&self, name: Box<str>) {
        self.kind.replace(Kind::Name(name));
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.kind.borrow() {
            Kind::Origin(origin) => write!(f, "the task spawned at {origin}"),
            Kind::Name(name) => f.write_str(name),
        }
    }
}
