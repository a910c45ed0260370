//! Which transport uses which descriptor: nobody else may while it does.

use super::EventLoop;
use crate::hot::{Class, Numbered, Obj, Object, Raised, Result, Str, Table, exceptions};
use crate::names::names;

impl EventLoop {
    /// Says that a transport uses a descriptor.
    pub(crate) fn enter_transport<T: Numbered>(&self, fd: i32, transport: &Obj<T>) {
        if let Ok(number) = usize::try_from(fd) {
            Table::enter(&self.transports, number, transport);
        }
    }

    /// The transport that uses a descriptor.
    pub(crate) fn transport(&self, fd: i32) -> Option<Object> {
        let number = usize::try_from(fd).ok()?;
        self.transports.get(number)
    }

    /// Raises `RuntimeError` if a transport uses a descriptor.
    pub(crate) fn check_no_transport(this: &Obj<Self>, file: &Object) -> Result<()> {
        let fd = this.descriptor_of(file)?;
        if let Some(transport) = this.transport(fd) {
            return Self::check_is_closing(file, &transport);
        }
        // Those of asyncio's own classes are there.
        let others = this.as_any().attr(&names()._transports)?;
        if let Some(data) = others.attr_opt(&names().data)?
            && data.is_dict()
            && data.dict_len() == 0
        {
            return Ok(());
        }
        let number = crate::hot::IntoObject::into_object(i64::from(fd))?;
        let transport = others.call_method(&names().get, [&number])?;
        match transport.not_none() {
            Some(transport) => Self::check_is_closing(file, transport),
            None => Ok(()),
        }
    }

    fn check_is_closing(file: &Object, transport: &Object) -> Result<()> {
        if transport.call_method(&names().is_closing, [])?.truth()? {
            return Ok(());
        }
        let text = format!(
            "File descriptor {} is used by transport {}",
            Str::repr(file)?,
            Str::repr(transport)?
        );
        Err(Raised::new(&exceptions::runtime_error(), text))
    }
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    class.method1(
        c"_ensure_fd_no_transport",
        c"_ensure_fd_no_transport($self, fd, /)\n--\n\nMake sure that no transport uses a descriptor.\n\nRaises:\n    RuntimeError: One does.",
        EventLoop::check_no_transport,
    );
}
