//! `Callback`: a Rust function that futures, loops and timers call as if it were Python's.

use crate::hot::{Args, Class, HotType, Obj, Object, Result, Slot, TypeCell, Visit};

/// What a callback does: one static for each use.
pub(crate) struct Action {
    /// As asyncio's function is called: `TaskGroup._on_task_done`.
    pub(crate) name: &'static str,
    /// Called with the callback, to get at what it is about, and with the future that is done, if it is called
    /// for one.
    pub(crate) run: fn(&Obj<Callback>, Option<&Object>) -> Result<()>,
}

/// An action and what it is about.
pub(crate) struct Callback {
    action: &'static Action,
    owner: Slot,
    item: Slot,
}

impl Callback {
    /// A callback on behalf of `owner`, with an item that the action uses.
    #[inline]
    pub(crate) fn create(
        action: &'static Action,
        owner: Object,
        item: Option<Object>,
    ) -> Obj<Self> {
        Obj::create(Self {
            action,
            owner: Slot::new(Some(owner)),
            item: Slot::new(item),
        })
    }

    /// A callback on behalf of `owner`.
    #[inline]
    pub(crate) fn on<T: HotType>(action: &'static Action, owner: &Obj<T>) -> Obj<Self> {
        Self::create(action, owner.as_any().clone(), None)
    }

    /// What it is about; `None` once the garbage collector has taken it.
    #[inline]
    pub(crate) fn owner<T: HotType>(&self) -> Option<Obj<T>> {
        let owner = self.owner.get()?;
        owner.downcast::<T>().cloned()
    }

    /// What it is about, of whatever type.
    pub(crate) fn subject(&self) -> Option<Object> {
        self.owner.get()
    }

    /// The item.
    pub(crate) fn item(&self) -> Option<Object> {
        self.item.get()
    }

    /// Does what it is for.
    #[inline]
    pub(crate) fn run(this: &Obj<Self>, future: Option<&Object>) -> Result<()> {
        (this.action.run)(this, future)
    }

    /// Ends its being about anything: whoever is to run it need not.
    #[inline]
    pub(crate) fn idle(&self) {
        self.owner.set(None);
    }

    /// Whether it is about nothing any more.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        !self.owner.is_set()
    }

    /// As asyncio's function is called.
    pub(crate) fn name(&self) -> &'static str {
        self.action.name
    }

    fn call(this: &Obj<Self>, args: &Args<'_>) -> Result<()> {
        Self::run(this, args.positional.first())
    }
}

impl HotType for Callback {
    type Base = ();
    const NAME: &'static std::ffi::CStr = c"roundel.Callback";
    const FREELIST: usize = 1024;
    const SUBCLASSABLE: bool = false;
    const ATTRIBUTES: bool = false;

    fn cell() -> &'static TypeCell {
        static CELL: TypeCell = TypeCell::new();
        &CELL
    }

    fn class(class: &mut Class<Self>) {
        class
            .callable(Self::call)
            .getter(c"__qualname__", |this: &Obj<Self>| this.action.name);
    }

    fn traverse(&self, visit: &mut Visit) {
        visit.slot(&self.owner);
        visit.slot(&self.item);
    }

    fn clear(&self) {
        self.owner.set(None);
        self.item.set(None);
    }
}
