//! The descriptor of a transport, and who closes it.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::event_loop::os_error;
use crate::hot::{IntoObject, Object, Result, Slot, Visit, boolean, exceptions, give_away};
use crate::names::names;

/// A descriptor with its one owner: us, or a Python object that has a `fileno()` and a `close()`.
#[derive(Default)]
pub(crate) struct Descriptor {
    /// The number, which stays known after the descriptor was closed; 0 before there is one.
    number: Cell<RawFd>,
    owned: Cell<Option<OwnedFd>>,
    /// The Python object, if one was given or somebody has asked for one.
    file: Slot,
    /// The Python object was given: whoever did so may close it.
    given: Cell<bool>,
}

impl Descriptor {
    /// The descriptor of a Python object.
    pub(crate) fn of(file: &Object) -> Result<Self> {
        let number = file.call_method(&names().fileno, [])?.to_i64()?;
        Ok(Self {
            number: Cell::new(RawFd::try_from(number).unwrap_or(-1)),
            owned: Cell::new(None),
            file: Slot::new(Some(file.clone())),
            given: Cell::new(true),
        })
    }

    /// One of our own.
    pub(crate) fn owned(fd: OwnedFd) -> Self {
        Self {
            number: Cell::new(fd.as_raw_fd()),
            owned: Cell::new(Some(fd)),
            file: Slot::empty(),
            given: Cell::new(false),
        }
    }

    /// Takes over what another one is of.
    pub(crate) fn become_of(&self, other: &Self) {
        self.number.set(other.number.get());
        self.owned.set(other.owned.take());
        self.file.set(other.file.take());
        self.given.set(other.given.get());
    }

    pub(crate) fn number(&self) -> RawFd {
        self.number.get()
    }

    /// Whether it has not been closed by us.
    pub(crate) fn is_open(&self) -> bool {
        let owned = self.owned.take();
        let is_open = owned.is_some() || self.file.is_set();
        self.owned.set(owned);
        is_open
    }

    /// The number for one system call, which is to follow at once; -1 if it is not ours any more.
    ///
    /// A Python object that was given may have been closed or detached, and its number be somebody else's.
    #[inline]
    pub(crate) fn checked(&self) -> Result<RawFd> {
        if self.given.get() && !self.is_in_place()? {
            return Ok(-1);
        }
        Ok(self.number.get())
    }

    fn is_in_place(&self) -> Result<bool> {
        let Some(file) = self.file.get() else {
            return Ok(false);
        };
        match file.call_method(&names().fileno, []) {
            Ok(number) => Ok(number.to_i64()? == i64::from(self.number.get())),
            // A closed file, other than a socket, has no number.
            Err(raised) if raised.matches(&exceptions::value_error()) => {
                raised.clear();
                Ok(false)
            }
            Err(raised) => Err(raised),
        }
    }

    /// The Python object, `None` if it is closed. A socket is made of a descriptor of our own.
    pub(crate) fn socket(&self) -> Result<Option<Object>> {
        if let Some(owned) = self.owned.take() {
            let any = (-1_i64).into_object()?;
            let socket = give_away(owned, |number| {
                let number = i64::from(number).into_object()?;
                names().socket_class.call([&any, &any, &any, &number])
            })?;
            socket.call_method(&names().setblocking, [&boolean(false)])?;
            self.file.set(Some(socket));
        }
        Ok(self.file.get())
    }

    /// Goes on with another Python object, whatever its descriptor; with none it counts as closed.
    pub(crate) fn exchange(&self, file: Option<Object>) {
        self.file.set(file);
    }

    /// Closes it. Who watches it has ceased to.
    pub(crate) fn close(&self) -> Result<()> {
        drop(self.owned.take());
        match self.file.take() {
            Some(file) => file.call_method(&names().close, []).map(drop),
            None => Ok(()),
        }
    }

    pub(crate) fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.file);
    }
}

/// The exception for what the operating system says.
pub(crate) fn exception(error: &io::Error) -> Object {
    os_error(error).fetch()
}
