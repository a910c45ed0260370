//! `Handle` and `TimerHandle`: a callback on its way.

mod timer;

use std::cell::Cell;

use crate::callback::Callback;
use crate::event_loop::EventLoop;
use crate::future::Future;
use crate::hot::{
    Args, Class, Entered, HotType, IntoObject, Obj, Object, Raised, Result, Signature, Slot, Str,
    Tuple, TypeCell, Visit, exceptions, none, thread_ident,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::snapshot::Snapshot;
pub(crate) use timer::TimerHandle;

/// A callback with its arguments and context (`asyncio.Handle`).
///
/// In this order in memory: what is needed to run it lies with the object's type and reference count. Timers are many,
/// and a timer that comes due has long been forgotten by the processor's caches.
#[repr(C)]
pub(crate) struct Handle {
    /// Or a [`Snapshot`] of it.
    context: Slot,
    callback: Slot,
    /// The one argument, or a tuple of several.
    arguments: Slot,
    /// `arguments` is a tuple of the arguments.
    several: Cell<bool>,
    cancelled: Cell<bool>,
    /// The loop has it among its timers.
    scheduled: Cell<bool>,
    /// Handed in by `call_soon_threadsafe()`: other threads can wait for the end of the call.
    shared: Cell<bool>,
    /// The garbage collector knows of it.
    tracked: Cell<bool>,
    event_loop: Slot,
    rare: Cell<Option<Box<Rare>>>,
}

impl Default for Handle {
    /// What Python makes, which has told the garbage collector.
    fn default() -> Self {
        Self {
            event_loop: Slot::empty(),
            callback: Slot::empty(),
            arguments: Slot::empty(),
            context: Slot::empty(),
            rare: Cell::new(None),
            several: Cell::new(false),
            cancelled: Cell::new(false),
            scheduled: Cell::new(false),
            shared: Cell::new(false),
            tracked: Cell::new(true),
        }
    }
}

/// What few handles need.
#[derive(Default)]
struct Rare {
    /// Where it was made, in debug mode.
    source_traceback: Option<Object>,
    /// What it looked like before it was cancelled, in debug mode.
    last_repr: Option<Object>,
    /// The thread that calls a shared handle's callback, 0 if none does.
    called_by: u64,
    /// What other threads wait for meanwhile, a `threading.Event`.
    finished: Option<Object>,
}

impl Rare {
    fn made_at(traceback: Object) -> Self {
        Self {
            source_traceback: Some(traceback),
            ..Self::default()
        }
    }
}

impl Handle {
    /// A handle for `callback(*arguments)` in `context`, the current one if none is given.
    ///
    /// The garbage collector is not shown it: while the loop runs, it is the loop's, as all is that it holds. It is
    /// [tracked](Self::track) once it can be anybody else's.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    fn prepare(
        event_loop: &Obj<EventLoop>,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
        is_timer: bool,
    ) -> Result<Self> {
        let context = match context {
            Some(context) => context.clone(),
            None => crate::hot::copy_context()?,
        };
        let origin = event_loop.source_traceback()?;
        let several = arguments.len() > 1;
        let arguments = match arguments {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(Tuple::of(several)?),
        };
        Ok(Self {
            event_loop: Slot::new(Some(event_loop.as_any().clone())),
            callback: Slot::new(Some(callback.clone())),
            arguments: Slot::new(arguments),
            context: Slot::new(Some(context)),
            rare: Cell::new(origin.map(Rare::made_at).map(Box::new)),
            several: Cell::new(several),
            cancelled: Cell::new(false),
            scheduled: Cell::new(is_timer),
            shared: Cell::new(false),
            tracked: Cell::new(false),
        })
    }

    /// Shows it to the garbage collector from now on.
    #[inline]
    pub(crate) fn track(this: &Obj<Self>) {
        if !this.tracked.replace(true) {
            this.track();
        }
    }

    /// Reads and changes what few handles have. `change` must not run Python code.
    fn rare<R>(&self, change: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = self.rare.take().unwrap_or_default();
        let result = change(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    /// Reads what few handles have.
    fn look<R>(&self, read: impl FnOnce(&Rare) -> Option<R>) -> Option<R> {
        let rare = self.rare.take()?;
        let result = read(&rare);
        self.rare.set(Some(rare));
        result
    }

    /// Makes a handle. The caller puts it into the loop's queue.
    #[expect(clippy::inline_always, reason = "a value is built where it will live")]
    #[inline(always)]
    pub(crate) fn create(
        event_loop: &Obj<EventLoop>,
        callback: &Object,
        arguments: &[Object],
        context: Option<&Object>,
    ) -> Result<Obj<Self>> {
        let handle = Obj::create(Self::prepare(
            event_loop, callback, arguments, context, false,
        )?);
        if !event_loop.is_running() {
            Self::track(&handle);
        }
        Ok(handle)
    }

    /// Hears that the loop has it no longer among its timers, if it did.
    #[inline]
    pub(crate) fn came_due(&self) {
        self.scheduled.set(false);
    }

    /// Hears that the loop has done with it.
    #[inline]
    pub(crate) fn leave_loop(this: &Obj<Self>) {
        if !this.is_last() {
            Self::track(this);
        }
    }

    fn init(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<4> = Signature::method(
            "Handle.__init__",
            [c"callback", c"args", c"loop", c"context"],
        )
        .required(3);
        let [callback, arguments, event_loop, context] = SIGNATURE.bind(args)?;
        let (Some(arguments), Some(event_loop)) = (arguments, event_loop) else {
            return Ok(());
        };
        this.fill(callback, arguments, event_loop, context)
    }

    /// What `__init__` does, of a handle for any loop.
    fn fill(
        &self,
        callback: Option<&Object>,
        arguments: &Object,
        event_loop: &Object,
        context: Option<&Object>,
    ) -> Result<()> {
        self.context
            .set(Some(match context.and_then(Object::not_none) {
                Some(context) => context.clone(),
                None => crate::hot::copy_context()?,
            }));
        self.event_loop.set(Some(event_loop.clone()));
        self.callback.set(callback.cloned());
        self.arguments.set(Some(Tuple::from(arguments)?));
        self.several.set(true);
        if LoopRef::of(event_loop).is_debug()? {
            let traceback = crate::future::source_traceback()?;
            self.rare(|rare| rare.source_traceback = Some(traceback));
        }
        Ok(())
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// The context that it runs in; none once it was cancelled.
    #[inline]
    fn own_context(&self) -> Result<Option<Object>> {
        let context = self.context.get();
        match context
            .as_ref()
            .and_then(Object::downcast_exact::<Snapshot>)
        {
            Some(snapshot) => self.copy_context(snapshot).map(Some),
            None => Ok(context),
        }
    }

    fn copy_context(&self, snapshot: &Obj<Snapshot>) -> Result<Object> {
        let own = snapshot.copy()?;
        self.context.set(Some(own.clone()));
        Ok(own)
    }

    fn context(this: &Obj<Self>) -> Result<Option<Object>> {
        this.own_context()
    }

    /// Whether all it does is to give a future of one of our loops a result. That runs nobody's code, who could ask
    /// which task is the current one, unless it fails.
    #[inline]
    pub(crate) fn only_resolves(&self) -> bool {
        let callback = self.callback.get();
        let future = callback.and_then(|callback| callback.receiver(Future::resolve));
        future.is_some_and(|future| matches!(future.event_loop(), Ok(LoopRef::Native(_))))
    }

    /// Calls the callback in its context.
    ///
    /// An exception goes to the loop's exception handler, but for `KeyboardInterrupt` and `SystemExit`.
    #[inline]
    pub(crate) fn run(this: &Obj<Self>) -> Result<()> {
        let given = this.context.get();
        let (Some(callback), Some(context)) = (this.callback.get(), this.own_context()?) else {
            return Ok(());
        };
        let called = if this.shared.get() {
            this.call_shared(&callback, &context)
        } else {
            this.call(&callback, &context)
        };
        match called {
            Ok(_) => {
                this.give_back(this, given.as_ref(), context);
                Ok(())
            }
            Err(raised) => Self::failed(this, raised),
        }
    }

    /// Gives the context back to the snapshot that it was copied from, if this was its last use.
    #[inline]
    fn give_back(&self, this: &Obj<Self>, given: Option<&Object>, context: Object) {
        if let Some(snapshot) = given.and_then(Object::downcast_exact::<Snapshot>)
            && this.is_last()
        {
            self.context.set(None);
            snapshot.take_back(context);
        }
    }

    /// Says that another thread has handed this in. From CPython 3.14 on such a thread waits when it asks about the
    /// handle while the callback is being called.
    pub(crate) fn share(&self) {
        self.shared.set(cfg!(Py_3_14));
    }

    #[cold]
    fn call_shared(&self, callback: &Object, context: &Object) -> Result<Object> {
        self.rare(|rare| rare.called_by = thread_ident());
        let called = self.call(callback, context).map_err(Raised::fetch);
        let finished = self.rare(|rare| {
            rare.called_by = 0;
            rare.finished.take()
        });
        if let Some(finished) = finished {
            finished.call_method(&names().set, [])?;
        }
        called.map_err(Raised::restore)
    }

    /// Waits until no other thread is in the callback.
    #[inline]
    fn wait_until_called(&self) -> Result<()> {
        if self.shared.get() {
            self.wait_for_caller()
        } else {
            Ok(())
        }
    }

    #[cold]
    fn wait_for_caller(&self) -> Result<()> {
        while let Some(caller) = self.look(|rare| Some(rare.called_by))
            && ![0, thread_ident()].contains(&caller)
        {
            let finished = match self.look(|rare| rare.finished.clone()) {
                Some(finished) => finished,
                None => names().thread_event.call([])?,
            };
            drop(self.rare(|rare| rare.finished.replace(finished.clone())));
            finished.call_method(&names().wait, [])?;
        }
        Ok(())
    }

    #[inline]
    fn call(&self, callback: &Object, context: &Object) -> Result<Object> {
        if !context.is_context() {
            return self.call_by_run(callback, context);
        }
        let _entered = Entered::new(context)?;
        let arguments = self.arguments.get();
        let arguments = match &arguments {
            None => &[],
            Some(arguments) if self.several.get() => Tuple::items(arguments),
            Some(argument) => std::slice::from_ref(argument),
        };
        match (callback.downcast_exact::<Callback>(), arguments) {
            (Some(native), _) => Callback::run(native, arguments.first()).map(|()| none()),
            (None, []) => callback.call([]),
            (None, [argument]) => callback.call([argument]),
            (None, several) => callback.call_slice(several),
        }
    }

    /// Calls the callback in what only behaves like a context.
    #[cold]
    fn call_by_run(&self, callback: &Object, context: &Object) -> Result<Object> {
        let arguments = self.arguments_tuple()?;
        let all = [std::slice::from_ref(callback), Tuple::items(&arguments)].concat();
        self.clear_current()?;
        context.attr(&names().run)?.call_slice(&all)
    }

    /// Gives what the callback has raised to the loop's exception handler, unless it ends the run of the loop.
    #[cold]
    pub(crate) fn failed(this: &Obj<Self>, raised: Raised) -> Result<()> {
        if leaves_loop(&raised) {
            return Err(raised);
        }
        let exception = raised.fetch();
        this.clear_current()?;
        let Some(event_loop) = this.event_loop.get() else {
            return Ok(());
        };
        let message = format!("Exception in callback {}", this.describe_callback()?);
        report(&event_loop, &message, &exception, Some(this))
    }

    /// Says that no task runs, to the loop, before somebody else's code does.
    fn clear_current(&self) -> Result<()> {
        let event_loop = self.event_loop.get();
        let native = event_loop.as_ref().and_then(Object::downcast::<EventLoop>);
        native.map_or(Ok(()), Obj::clear_current)
    }

    /// The callback and its arguments, for messages.
    pub(crate) fn describe_callback(&self) -> Result<String> {
        let callback = self.callback.get().unwrap_or_else(none);
        let args = [callback, self.arguments_tuple()?];
        let describe = &names().format_callback_source;
        if describe.attr(&names().__kwdefaults__)?.is_none() {
            return Str::of(&describe.call_slice(&args)?);
        }
        // Newer versions show the arguments in debug mode only.
        let debug = match self.event_loop.get() {
            Some(event_loop) => LoopRef::of(&event_loop).is_debug()?,
            None => false,
        };
        let [callback, arguments] = args;
        let args = [callback, arguments, debug.into_object()?];
        Str::of(&describe.call_keywords(&args, &names().kw_debug)?)
    }

    /// The arguments as a tuple.
    fn arguments_tuple(&self) -> Result<Object> {
        match self.arguments.get() {
            None => Tuple::of(&[]),
            Some(arguments) if self.several.get() => Ok(arguments),
            Some(argument) => Tuple::of(&[argument]),
        }
    }

    /// Keeps the callback from being called.
    pub(crate) fn cancel(this: &Obj<Self>) -> Result<()> {
        this.wait_until_called()?;
        if this.cancelled.replace(true) {
            return Ok(());
        }
        Self::track(this);
        if let Some(event_loop) = this.event_loop.get() {
            if LoopRef::of(&event_loop).is_debug()? {
                let repr = this.repr()?;
                this.rare(|rare| rare.last_repr = Some(repr));
            }
            if let Some(timer) = this.as_any().downcast::<TimerHandle>() {
                TimerHandle::tell_cancelled(timer, &event_loop)?;
            }
        }
        this.callback.set(None);
        this.arguments.set(None);
        // A timer may be kept long after it was cancelled; its context can be large.
        this.context.set(None);
        Ok(())
    }
}

/// Whether an exception ends the run of the loop instead of going to its exception handler.
pub(crate) fn leaves_loop(raised: &Raised) -> bool {
    raised.matches(&exceptions::system_exit()) || raised.matches(&exceptions::keyboard_interrupt())
}

/// Gives an exception that came out of a callback to the loop's exception handler.
pub(crate) fn report(
    event_loop: &Object,
    message: &str,
    exception: &Object,
    handle: Option<&Obj<Handle>>,
) -> Result<()> {
    let context = Object::new_dict()?;
    context.dict_set(&"message".into_object()?, &message.into_object()?)?;
    context.dict_set(&"exception".into_object()?, exception)?;
    if let Some(handle) = handle {
        context.dict_set(&"handle".into_object()?, handle.as_any())?;
        if let Some(traceback) = handle.look(|rare| rare.source_traceback.clone()) {
            context.dict_set(&"source_traceback".into_object()?, &traceback)?;
        }
    }
    event_loop.call_method(&names().call_exception_handler, [&context])?;
    Ok(())
}

impl Obj<Handle> {
    fn repr(&self) -> Result<Object> {
        if let Some(repr) = self.look(|rare| rare.last_repr.clone()) {
            return Ok(repr);
        }
        let timer = self.as_any().downcast::<TimerHandle>();
        let mut parts = vec![String::from(if timer.is_some() {
            "TimerHandle"
        } else {
            "Handle"
        })];
        if self.cancelled.get() {
            parts.push(String::from("cancelled"));
        }
        if let Some(timer) = timer {
            parts.push(format!("when={}", Str::of(&TimerHandle::when(timer)?)?));
        }
        if self.callback.is_set() {
            parts.push(self.describe_callback()?);
        }
        if let Some(traceback) = self.look(|rare| rare.source_traceback.clone()) {
            parts.push(crate::future::created_at(&traceback)?);
        }
        format!("<{}>", parts.join(" ")).into_object()
    }
}

impl HotType for Handle {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Handle";
    const FREELIST: usize = 1024;
    const TRACKED: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .doc(c"Handle(callback, args, loop, context=None)\n--\n\nA callback scheduled by call_soon() (asyncio.Handle).")
            .init(Self::init)
            .method0(
                c"cancel",
                c"cancel($self, /)\n--\n\nKeep the callback from being called.",
                Self::cancel,
            )
            .method0(
                c"cancelled",
                c"cancelled($self, /)\n--\n\nReturn True if the callback was cancelled.",
                |this: &Obj<Self>| this.wait_until_called().map(|()| this.cancelled.get()),
            )
            .method0(
                c"get_context",
                c"get_context($self, /)\n--\n\nReturn the context the callback runs in.",
                Self::context,
            )
            .method0(
                c"_run",
                c"_run($self, /)\n--\n\nCall the callback.",
                Self::run,
            )
            .getter(c"__class__", |this: &Obj<Self>| {
                match (this.is_exact(), this.shared.get()) {
                    (true, true) => names().thread_safe_handle.clone(),
                    (true, false) => names().handle.clone(),
                    (false, _) => this.as_any().type_of(),
                }
            })
            .getter(c"_callback", |this| this.callback.get())
            .getter(c"_args", |this| {
                if this.cancelled.get() {
                    Ok(none())
                } else {
                    this.arguments_tuple()
                }
            })
            .getter(c"_context", Self::context)
            .getter(c"_loop", |this| this.event_loop.get())
            .getter(c"_cancelled", |this| this.cancelled.get())
            .getter(c"_source_traceback", |this| {
                this.look(|rare| rare.source_traceback.clone())
            })
            .repr(Obj::<Self>::repr);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.event_loop);
        visit.slot(&self.callback);
        visit.slot(&self.arguments);
        visit.slot(&self.context);
        let Some(rare) = self.rare.take() else { return };
        for held in [&rare.source_traceback, &rare.last_repr, &rare.finished]
            .into_iter()
            .flatten()
        {
            visit.object(held);
        }
        self.rare.set(Some(rare));
    }

    fn clear(&self) {
        self.callback.set(None);
        self.arguments.set(None);
        self.context.set(None);
        self.event_loop.set(None);
        drop(self.rare.take());
    }

    #[inline]
    fn may_be_tracked(this: &Obj<Self>) -> bool {
        this.tracked.get()
    }
}

/// `handle.cancel()`, of a handle of ours or anybody's.
pub(crate) fn cancel_handle(handle: &Object) -> Result<()> {
    match handle.downcast::<Handle>() {
        Some(native) => Handle::cancel(native),
        None => handle.call_method(&names().cancel, []).map(drop),
    }
}
