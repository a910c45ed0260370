//! Futures and tasks of the loop.

use super::EventLoop;
use crate::future::Future;
use crate::hot::{
    Args, Class, IntoObject, Module, Obj, Object, Raised, Result, Signature, Slot, Str, Tuple,
    exceptions,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::task::{Task, TaskOptions};

impl EventLoop {
    /// How hot objects talk to this loop.
    #[inline]
    pub(crate) fn as_ref(this: &Obj<Self>) -> LoopRef {
        if this.is_pristine() {
            LoopRef::Native(this.clone())
        } else {
            LoopRef::Foreign(this.as_any().clone())
        }
    }

    #[inline]
    fn create_future(this: &Obj<Self>) -> Result<Obj<Future>> {
        Future::create(Self::as_ref(this))
    }

    /// `loop.create_task(coro, *, name=None, context=None, eager_start=None, **kwargs)`.
    #[inline]
    pub(crate) fn create_task(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<4> = Signature::method(
            "BaseEventLoop.create_task",
            [c"coro", c"name", c"context", c"eager_start"],
        )
        .required(1)
        .positional(1)
        .open();
        this.check_open()?;
        let [coroutine, name, context, eager] = SIGNATURE.bind(args)?;
        let coroutine = coroutine.expect("invariant: a required parameter is bound");
        if this.task_factory.is_set() {
            return Self::create_by_factory(this, args, coroutine);
        }
        if let Some((unknown, _)) = SIGNATURE.rest(args).first() {
            let text = format!(
                "Task.__init__() got an unexpected keyword argument '{}'",
                Str::of(unknown)?
            );
            return Err(Raised::new(&exceptions::type_error(), text));
        }
        let options = TaskOptions::of(name, context, eager)?;
        Task::spawn(&Self::as_ref(this), coroutine, &options)?.into_object()
    }

    /// Leaves what a factory is given to asyncio's own code, which differs between its versions.
    fn create_by_factory(this: &Obj<Self>, args: &Args<'_>, coroutine: &Object) -> Result<Object> {
        let (keywords, values) = args.keywords();
        let mut all = vec![this.as_any().clone(), coroutine.clone()];
        all.extend_from_slice(values);
        names()
            .create_task_by_factory
            .call_keywords(&all, &Tuple::of(keywords)?)
    }

    /// `asyncio.create_task`: asks the running loop.
    fn create_task_of_running(args: &Args<'_>) -> Result<Object> {
        static SIGNATURE: Signature<4> = Signature::function(
            "create_task",
            [c"coro", c"name", c"context", c"eager_start"],
        )
        .required(1)
        .positional(1)
        .open();
        let [coroutine, name, context, eager] = SIGNATURE.bind(args)?;
        match Self::running() {
            Some(native)
                if native.is_pristine()
                    && !native.task_factory.is_set()
                    && SIGNATURE.rest(args).is_empty() =>
            {
                let options = TaskOptions::of(name, context, eager)?;
                let coroutine = coroutine.expect("invariant: a required parameter is bound");
                Task::spawn(&LoopRef::Native(native), coroutine, &options)?.into_object()
            }
            // A factory, an overridden method or another loop: asyncio's own code knows what that gets.
            _ => {
                let (keywords, values) = args.keywords();
                let all = [args.positional, values].concat();
                names()
                    .create_task_function
                    .call_keywords(&all, &Tuple::of(keywords)?)
            }
        }
    }

    fn set_task_factory(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        static SIGNATURE: Signature<1> =
            Signature::method("BaseEventLoop.set_task_factory", [c"factory"]);
        let [factory] = SIGNATURE.bind(args)?;
        let factory = factory.and_then(Object::not_none);
        if factory.is_some_and(|factory| !factory.is_callable()) {
            let text = "task factory must be a callable or None";
            return Err(Raised::new(&exceptions::type_error(), text));
        }
        let slot: &Slot = &this.task_factory;
        slot.set(factory.cloned());
        Ok(())
    }
}

/// Adds `create_task` to the module.
pub(crate) fn register(module: &Module) -> Result<()> {
    module.function(
        c"create_task",
        c"create_task(coro, *, name=None, context=None, eager_start=None, **kwargs)\n--\n\nSchedule a coroutine on the running loop; return the task (asyncio.create_task).\n\nRaises:\n    RuntimeError: no loop runs in this thread.\n    TypeError: not a coroutine.",
        EventLoop::create_task_of_running,
    )?;
    Ok(())
}

pub(super) fn declare(class: &mut Class<EventLoop>) {
    class
        .method0(
            c"create_future",
            c"create_future($self, /)\n--\n\nReturn a new future of this loop.",
            EventLoop::create_future,
        )
        .method(
            c"create_task",
            c"create_task($self, /, coro, *, name=None, context=None, eager_start=None, **kwargs)\n--\n\nSchedule a coroutine; return the task, or what the task factory makes.\n\nRaises:\n    RuntimeError: the loop is closed.\n    TypeError: not a coroutine.",
            EventLoop::create_task,
        )
        .method(
            c"set_task_factory",
            c"set_task_factory($self, /, factory)\n--\n\nHave create_task() call factory(loop, coro, **kwargs); None restores the default.\n\nRaises:\n    TypeError: the factory can't be called.",
            EventLoop::set_task_factory,
        )
        .method0(
            c"get_task_factory",
            c"get_task_factory($self, /)\n--\n\nReturn the task factory, None for the default.",
            |this: &Obj<EventLoop>| this.task_factory.get(),
        );
}
