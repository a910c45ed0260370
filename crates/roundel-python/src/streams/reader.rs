//! `StreamReader`: what has come and nobody has read, and who waits for more.

use std::cell::{Cell, RefCell};

use roundel::StreamBuffer;

use super::reads;
use crate::future::source_traceback;
use crate::hot::{
    Args, Buffer, Bytes, Class, Float, HotType, IntoObject, Obj, Object, Raised, Result, Signature,
    Slot, Str, TypeCell, Visit, exceptions, import,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::transport::StreamTransport;
use crate::waiter::{Poll, Waiter};

/// The limit where none is given, in bytes.
const DEFAULT_LIMIT: usize = 64 * 1024;

/// The reading half of a stream (`asyncio.StreamReader`).
pub(crate) struct StreamReader {
    buffer: RefCell<StreamBuffer>,
    limit: Cell<usize>,
    /// Nothing more will come.
    eof: Cell<bool>,
    /// The transport was told to wait.
    paused: Cell<bool>,
    /// Who waits for data: a waiter of ours, or somebody's future.
    waiter: Slot,
    exception: Slot,
    transport: Slot,
    event_loop: Slot,
    source_traceback: Slot,
}

impl Default for StreamReader {
    fn default() -> Self {
        Self {
            buffer: RefCell::new(StreamBuffer::new()),
            limit: Cell::new(DEFAULT_LIMIT),
            eof: Cell::new(false),
            paused: Cell::new(false),
            waiter: Slot::empty(),
            exception: Slot::empty(),
            transport: Slot::empty(),
            event_loop: Slot::empty(),
            source_traceback: Slot::empty(),
        }
    }
}

/// For whoever feeds it.
impl StreamReader {
    /// Adds bytes for somebody to read, and has the transport wait if there are too many.
    #[inline]
    pub(super) fn feed(this: &Obj<Self>, bytes: &[u8]) -> Result<()> {
        this.check_not_at_eof()?;
        if bytes.is_empty() {
            return Ok(());
        }
        this.buffer.borrow_mut().push(bytes);
        this.wake()?;
        this.pause_if_full()
    }

    /// Says that nothing more will come.
    pub(super) fn feed_eof(this: &Obj<Self>) -> Result<()> {
        this.eof.set(true);
        this.wake()
    }

    /// Has an exception raised by all that is read from now on.
    pub(super) fn set_exception(this: &Obj<Self>, exception: &Object) -> Result<()> {
        this.exception.set(Some(exception.clone()));
        let Some(waiter) = this.waiter.take() else {
            return Ok(());
        };
        match waiter.downcast::<Waiter>() {
            Some(native) => {
                if native.is_parked() {
                    native.set_error(exception.clone());
                }
                Waiter::wake(native)
            }
            None if waiter.call_method(&names().cancelled, [])?.truth()? => Ok(()),
            None => {
                let set = waiter.call_method(&names().set_exception, [exception]);
                set.map(drop)
            }
        }
    }

    /// What all that is read raises.
    pub(super) fn exception(&self) -> Option<Object> {
        self.exception.get()
    }

    pub(super) fn source_traceback(&self) -> Option<Object> {
        self.source_traceback.get()
    }

    pub(super) fn set_transport(this: &Obj<Self>, transport: &Object) -> Result<()> {
        if this.transport.is_set() {
            let text = "Transport already set";
            return Err(Raised::new(&exceptions::assertion_error(), text));
        }
        this.transport.set(transport.not_none().cloned());
        Ok(())
    }

    /// Has another transport wait when there is too much, as when a stream goes over to TLS.
    pub(super) fn replace_transport(this: &Obj<Self>, transport: &Object) -> Result<()> {
        if !this.transport.is_set() {
            let text = "Transport not set";
            return Err(Raised::new(&exceptions::assertion_error(), text));
        }
        this.transport.set(transport.not_none().cloned());
        Ok(())
    }

    pub(super) fn check_more_comes(&self) -> Result<()> {
        if self.eof.get() {
            let text = "_wait_for_data after EOF";
            return Err(Raised::new(&exceptions::assertion_error(), text));
        }
        Ok(())
    }

    fn check_not_at_eof(&self) -> Result<()> {
        if self.eof.get() {
            let text = "feed_data after feed_eof";
            return Err(Raised::new(&exceptions::assertion_error(), text));
        }
        Ok(())
    }

    /// Lets who waits for data look again.
    #[inline]
    fn wake(&self) -> Result<()> {
        let Some(waiter) = self.waiter.take() else {
            return Ok(());
        };
        if let Some(native) = waiter.downcast::<Waiter>() {
            return Waiter::wake(native);
        }
        if !waiter.call_method(&names().cancelled, [])?.truth()? {
            waiter.call_method(&names().set_result, [&crate::hot::none()])?;
        }
        Ok(())
    }

    #[inline]
    fn pause_if_full(&self) -> Result<()> {
        if self.paused.get() || self.len() <= self.limit.get().saturating_mul(2) {
            return Ok(());
        }
        let Some(transport) = self.transport.get() else {
            return Ok(());
        };
        match transport.call_method(&names().pause_reading, []) {
            Ok(_) => self.paused.set(true),
            Err(raised) if raised.matches(&exceptions::not_implemented_error()) => {
                // It can't be paused, and need not be asked again.
                raised.clear();
                self.transport.set(None);
            }
            Err(raised) => return Err(raised),
        }
        Ok(())
    }

    /// Whether it has something that nobody has read, from that transport.
    #[inline]
    pub(super) fn peer_is_ahead(&self, transport: &Obj<StreamTransport>) -> bool {
        self.len() > 0 && self.transport.holds(transport)
    }

    /// Has what was put off, as long as there was something to read, sent.
    #[inline]
    fn send_put_off(&self) -> Result<()> {
        let transport = self.transport.get();
        match transport.as_ref().and_then(Object::downcast_exact) {
            Some(native) => StreamTransport::write_put_off(native),
            None => Ok(()),
        }
    }

    fn resume_transport(&self) -> Result<()> {
        if self.paused.replace(false)
            && let Some(transport) = self.transport.get()
        {
            transport.call_method(&names().resume_reading, [])?;
        }
        Ok(())
    }
}

/// For the operations that read.
impl StreamReader {
    /// How many bytes nobody has read.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.borrow().len()
    }

    #[inline]
    pub(super) fn is_at_eof(&self) -> bool {
        self.eof.get()
    }

    #[inline]
    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Looks for something among the bytes. `search` must not run Python code.
    #[inline]
    pub(super) fn search<R>(&self, search: impl FnOnce(&mut StreamBuffer) -> R) -> R {
        search(&mut self.buffer.borrow_mut())
    }

    /// Takes the first bytes, at most `count`; the transport need not wait any more if few are left.
    #[inline]
    pub(super) fn take(&self, count: usize) -> Result<Object> {
        let taken = {
            let mut buffer = self.buffer.borrow_mut();
            let count = count.min(buffer.len());
            let taken = Bytes::copy(&buffer.as_slice()[..count])?;
            buffer.consume(count);
            taken
        };
        self.maybe_resume_transport()?;
        Ok(taken)
    }

    /// Drops the first bytes, at most `count`.
    pub(super) fn skip(&self, count: usize) -> Result<()> {
        self.buffer.borrow_mut().consume(count);
        self.maybe_resume_transport()
    }

    #[inline]
    fn maybe_resume_transport(&self) -> Result<()> {
        if self.paused.get() && self.len() <= self.limit.get() {
            return self.resume_transport();
        }
        Ok(())
    }

    /// Raises what `set_exception` was given, if it was called.
    #[inline]
    pub(super) fn check(&self) -> Result<()> {
        match self.exception.get() {
            Some(exception) => Err(Raised::throw(&exception)),
            None => Ok(()),
        }
    }

    /// Has a waiter woken by more data, by the end or by an exception. One at a time may wait.
    #[inline]
    pub(super) fn park(&self, waiter: &Obj<Waiter>, method: &str) -> Poll {
        if self.waiter.is_set() {
            let text = format!(
                "{method}() called while another coroutine is already waiting for incoming data"
            );
            return Poll::Failed(Raised::new(&exceptions::runtime_error(), text));
        }
        // To wait for what the transport must not read would be to wait for ever.
        if let Err(raised) = self.resume_transport().and_then(|()| self.send_put_off()) {
            return Poll::Failed(raised);
        }
        self.waiter.set(Some(waiter.as_any().clone()));
        Waiter::park(waiter)
    }

    /// Forgets a waiter that waits no more.
    #[inline]
    pub(super) fn forget(&self, waiter: &Obj<Waiter>) {
        if self.waiter.holds(waiter) {
            self.waiter.set(None);
        }
    }
}

/// As Python calls it.
impl StreamReader {
    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<2> =
            Signature::method("StreamReader.__init__", [c"limit", c"loop"]).required(0);
        let [limit, event_loop] = SIGNATURE.bind(args)?;
        Self::begin(this, limit, &loop_or_current(event_loop)?)
    }

    /// Gives a new reader what it begins with.
    pub(super) fn begin(
        this: &Obj<Self>,
        limit: Option<&Object>,
        event_loop: &Object,
    ) -> Result<()> {
        if let Some(limit) = limit {
            this.set_limit(limit)?;
        }
        if this.limit.get() == 0 {
            let text = "Limit cannot be <= 0";
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        if LoopRef::of(event_loop).is_debug()? {
            this.source_traceback.set(Some(source_traceback()?));
        }
        this.event_loop.set(Some(event_loop.clone()));
        Ok(())
    }

    /// Takes the limit over; what is below 1 as 0.
    fn set_limit(&self, limit: &Object) -> Result<()> {
        // What can't be compared is told so in Python's words.
        limit.less_or_equal(&0_i64.into_object()?)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float saturates"
        )]
        self.limit.set(Float::of(limit)? as usize);
        Ok(())
    }

    fn feed_data(this: &Obj<Self>, data: &Object) -> Result<()> {
        if let Some(bytes) = Bytes::read(data) {
            return Self::feed(this, bytes);
        }
        this.check_not_at_eof()?;
        if !data.truth()? {
            return Ok(());
        }
        let buffer = Buffer::of(data)?;
        buffer.read(|bytes| this.buffer.borrow_mut().push(bytes));
        this.wake()?;
        this.pause_if_full()
    }

    fn repr(this: &Obj<Self>) -> Result<Object> {
        let mut parts = vec![String::from("StreamReader")];
        if this.len() > 0 {
            parts.push(format!("{} bytes", this.len()));
        }
        if this.eof.get() {
            parts.push(String::from("eof"));
        }
        if this.limit.get() != DEFAULT_LIMIT {
            parts.push(format!("limit={}", this.limit.get()));
        }
        if let Some(waiter) = this.waiter.get() {
            parts.push(match waiter.downcast::<Waiter>() {
                Some(native) => format!("waiter={}()", native.operation_name()),
                None => format!("waiter={}", Str::repr(&waiter)?),
            });
        }
        if let Some(exception) = this.exception.get() {
            parts.push(format!("exception={}", Str::repr(&exception)?));
        }
        if let Some(transport) = this.transport.get() {
            parts.push(format!("transport={}", Str::repr(&transport)?));
        }
        if this.paused.get() {
            parts.push(String::from("paused"));
        }
        format!("<{}>", parts.join(" ")).into_object()
    }
}

/// The loop that is given, or asyncio's current one.
pub(super) fn loop_or_current(event_loop: Option<&Object>) -> Result<Object> {
    match event_loop.and_then(Object::not_none) {
        Some(event_loop) => Ok(event_loop.clone()),
        None => crate::future::loop_or_current(None).map(|event_loop| event_loop.object().clone()),
    }
}

impl HotType for StreamReader {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.StreamReader";

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"StreamReader(limit=65536, loop=None)\n--\n\nThe reading half of a stream: what has come and nobody has read (asyncio.StreamReader).")
            .init(Self::init)
            .repr(Self::repr)
            .getter(c"__class__", |this: &Obj<Self>| {
                if this.is_exact() {
                    names().stream_reader.clone()
                } else {
                    this.as_any().type_of()
                }
            });
        reads::declare(class);
        declare_feeding(class);
        declare_attributes(class);
    }

    fn traverse(&self, visit: &mut Visit) {
        for slot in [
            &self.waiter,
            &self.exception,
            &self.transport,
            &self.event_loop,
            &self.source_traceback,
        ] {
            visit.slot(slot);
        }
    }

    fn clear(&self) {
        self.waiter.set(None);
        self.exception.set(None);
        self.transport.set(None);
        self.event_loop.set(None);
        self.source_traceback.set(None);
    }
}

fn declare_feeding(class: &mut Class<StreamReader>) {
    class
        .method_of_one(
            c"feed_data",
            c"feed_data($self, /, data)\n--\n\nAdd data for somebody to read; pause the transport if there is too much.",
            || const { &Signature::method("StreamReader.feed_data", [c"data"]) },
            StreamReader::feed_data,
        )
        .method0(
            c"feed_eof",
            c"feed_eof($self, /)\n--\n\nSay that nothing more will come.",
            StreamReader::feed_eof,
        )
        .method0(
            c"at_eof",
            c"at_eof($self, /)\n--\n\nReturn True if nothing more will come and all has been read.",
            |this: &Obj<StreamReader>| this.eof.get() && this.len() == 0,
        )
        .method0(
            c"exception",
            c"exception($self, /)\n--\n\nReturn the exception that reading raises, or None.",
            |this: &Obj<StreamReader>| this.exception(),
        )
        .method_of_one(
            c"set_exception",
            c"set_exception($self, /, exc)\n--\n\nHave reading raise an exception from now on.",
            || const { &Signature::method("StreamReader.set_exception", [c"exc"]) },
            StreamReader::set_exception,
        )
        .method_of_one(
            c"set_transport",
            c"set_transport($self, /, transport)\n--\n\nSay which transport to pause when there is too much to read.",
            || const { &Signature::method("StreamReader.set_transport", [c"transport"]) },
            StreamReader::set_transport,
        )
        .method1(
            c"_replace_transport",
            c"_replace_transport($self, transport, /)\n--\n\nSay which transport to pause from now on.",
            StreamReader::replace_transport,
        )
        .method0(
            c"_wakeup_waiter",
            c"_wakeup_waiter($self, /)\n--\n\nLet who waits for data look again.",
            |this: &Obj<StreamReader>| this.wake(),
        )
        .method0(
            c"_maybe_resume_transport",
            c"_maybe_resume_transport($self, /)\n--\n\nLet the transport go on if there is little to read.",
            |this: &Obj<StreamReader>| this.maybe_resume_transport(),
        );
}

/// The attributes of asyncio's own that programs read and set.
fn declare_attributes(class: &mut Class<StreamReader>) {
    class
        .property(
            c"_buffer",
            |this: &Obj<StreamReader>| {
                let copy = Bytes::copy(this.buffer.borrow().as_slice())?;
                import(c"roundel._streams", c"Buffer")?.call([this.as_any(), &copy])
            },
            |this: &Obj<StreamReader>, value: &Object| {
                let buffer = Buffer::of(value)?;
                buffer.read(|bytes| {
                    let mut own = this.buffer.borrow_mut();
                    own.clear();
                    own.push(bytes);
                });
                Ok(())
            },
        )
        .property(
            c"_limit",
            |this: &Obj<StreamReader>| this.limit.get(),
            |this: &Obj<StreamReader>, value: &Object| this.set_limit(value),
        )
        .property(
            c"_eof",
            |this: &Obj<StreamReader>| this.eof.get(),
            |this: &Obj<StreamReader>, value: &Object| {
                this.eof.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_paused",
            |this: &Obj<StreamReader>| this.paused.get(),
            |this: &Obj<StreamReader>, value: &Object| {
                this.paused.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_waiter",
            |this: &Obj<StreamReader>| this.waiter.get(),
            |this: &Obj<StreamReader>, value: &Object| {
                this.waiter.set(value.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_exception",
            |this: &Obj<StreamReader>| this.exception.get(),
            |this: &Obj<StreamReader>, value: &Object| {
                this.exception.set(value.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_transport",
            |this: &Obj<StreamReader>| this.transport.get(),
            |this: &Obj<StreamReader>, value: &Object| {
                this.transport.set(value.not_none().cloned());
                Ok(())
            },
        )
        .property(
            c"_loop",
            |this: &Obj<StreamReader>| this.event_loop.get(),
            |this: &Obj<StreamReader>, value: &Object| {
                this.event_loop.set(value.not_none().cloned());
                Ok(())
            },
        )
        .getter(c"_source_traceback", |this: &Obj<StreamReader>| {
            this.source_traceback.get()
        });
}
