//! Task factories whose tasks take their first step at once.

use crate::future::loop_or_current;
use crate::hot::{
    Args, Class, HotType, Module, Obj, Object, Result, Signature, Slot, Str, Tuple, TypeCell,
    Visit, boolean, none,
};
use crate::task::{Task, TaskOptions};

static FACTORY: Signature<5> = Signature::function(
    "factory",
    [c"loop", c"coro", c"name", c"context", c"eager_start"],
)
.required(2)
.positional(2);

fn eager_task_factory(args: &Args<'_>) -> Result<Obj<Task>> {
    let [event_loop, coroutine, name, context, eager] = FACTORY.bind(args)?;
    let coroutine = coroutine.expect("invariant: a required parameter is bound");
    let options = TaskOptions {
        name: name.and_then(Object::not_none),
        context: context.and_then(Object::not_none),
        eager: eager.map_or(Ok(true), Object::truth)?,
    };
    Task::spawn(&loop_or_current(event_loop)?, coroutine, &options)
}

/// What `create_eager_task_factory` returns.
struct EagerTaskFactory {
    constructor: Slot,
}

impl EagerTaskFactory {
    /// `constructor(coro, loop=loop, eager_start=True, **kwargs)`.
    fn call(this: &Obj<Self>, args: &Args<'_>) -> Result<Object> {
        static OPEN: Signature<2> = Signature::function("factory", [c"loop", c"coro"]).open();
        let [event_loop, coroutine] = OPEN.bind(args)?;
        let none = none();
        let (event_loop, coroutine) = (event_loop.unwrap_or(&none), coroutine.unwrap_or(&none));
        let mut names = vec![Str::intern(c"loop")?];
        let mut values = vec![coroutine.clone(), event_loop.clone()];
        for (name, value) in OPEN.rest(args) {
            names.push(name.clone());
            values.push(value.clone());
        }
        for (name, default) in defaults() {
            if !names.iter().any(|given| Str::equals(given, name)) {
                names.push(Str::intern(name)?);
                values.push(default);
            }
        }
        let constructor = this.constructor.get().unwrap_or(none);
        constructor.call_keywords(&values, &Tuple::of(&names)?)
    }
}

/// What a constructor gets besides what the loop has given: up to 3.13 always a name and a context.
fn defaults() -> Vec<(&'static std::ffi::CStr, Object)> {
    let eager = (c"eager_start", boolean(true));
    if cfg!(Py_3_14) {
        return vec![eager];
    }
    vec![(c"name", none()), (c"context", none()), eager]
}

/// Adds `eager_task_factory` and `create_eager_task_factory` to the module.
pub(super) fn register(module: &Module) -> Result<()> {
    module
        .hidden_class::<EagerTaskFactory>()?
        .function(
            c"eager_task_factory",
            c"eager_task_factory(loop, coro, *, name=None, context=None, eager_start=True)\n--\n\nA task factory for loop.set_task_factory(): tasks take their first step while they are made.",
            eager_task_factory,
        )?
        .function(
            c"create_eager_task_factory",
            c"create_eager_task_factory(custom_task_constructor)\n--\n\nReturn a factory like eager_task_factory() that makes its tasks by another constructor.",
            |args: &Args<'_>| {
                static SIGNATURE: Signature<1> = Signature::function(
                    "create_eager_task_factory",
                    [c"custom_task_constructor"],
                );
                let [constructor] = SIGNATURE.bind(args)?;
                Ok::<_, crate::hot::Raised>(Obj::create(EagerTaskFactory {
                    constructor: Slot::new(constructor.cloned()),
                }))
            },
        )?;
    Ok(())
}

impl HotType for EagerTaskFactory {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel._EagerTaskFactory";
    const SUBCLASSABLE: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class.callable(Self::call);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.constructor);
    }

    fn clear(&self) {
        self.constructor.set(None);
    }
}
