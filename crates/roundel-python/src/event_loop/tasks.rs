//! Futures and tasks of the loop.

use super::EventLoop;
use crate::future::Future;
use crate::hot::{
    Args, Class, IntoObject, Obj, Object, Raised, Result, Signature, Slot, Str, Tuple, exceptions,
};
use crate::loop_ref::LoopRef;
use crate::names::names;
use crate::task::{Task, TaskOptions};

impl EventLoop {
    /// How hot objects talk to this loop.
    #[inline]
    pub(crate) fn as_ref(this: &Obj<Self>) -> LoopRef {
        LoopRef::of(this.as_any())
    }

    #[inline]
    fn create_future(this: &Obj<Self>) -> Result<Obj<Future>> {
        Ok(Obj::create(Future::on(&Self::as_ref(this))?))
    }

    #[inline]
    fn create_task(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
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
        let options = TaskOptions {
            name: name.and_then(Object::not_none),
            context: context.and_then(Object::not_none),
            eager: eager.map_or(Ok(false), Object::truth)?,
        };
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
