//! The arguments of a call, and what a function says about wrong ones.

use std::ffi::CStr;

use pyo3_ffi as ffi;
use pyo3_ffi::{Py_ssize_t, PyObject};

use super::error::{Raised, Result};
use super::object::{Obj, Object};
use super::value::{Str, Tuple, exceptions};

/// The arguments of a call, lent by the caller.
pub(crate) struct Args<'a> {
    /// The positional ones.
    pub(crate) positional: &'a [Object],
    names: &'a [Object],
    values: &'a [Object],
}

impl<'a> Args<'a> {
    /// # Safety
    /// As Python passes them to a `METH_FASTCALL | METH_KEYWORDS` function; lent for `'a`.
    #[inline]
    pub(super) unsafe fn from_vector(
        args: *const *mut PyObject,
        count: Py_ssize_t,
        names: &'a *mut PyObject,
    ) -> Self {
        let count = count.cast_unsigned();
        // SAFETY: `count` live objects, as the caller says; `Object` is a transparent pointer.
        let positional = unsafe { slice(args, count) };
        if names.is_null() {
            return Self {
                positional,
                names: &[],
                values: &[],
            };
        }
        // SAFETY: a tuple of names, lent for as long.
        let names = Tuple::items(unsafe { Obj::lend(names) });
        // SAFETY: the values of the keywords follow the positional arguments.
        let values = unsafe { args.add(count) };
        // SAFETY: as many as there are names.
        let values = unsafe { slice(values, names.len()) };
        Self {
            positional,
            names,
            values,
        }
    }

    /// The names of the keywords and their values.
    pub(crate) fn keywords(&self) -> (&'a [Object], &'a [Object]) {
        (self.names, self.values)
    }

    /// Only positional arguments.
    pub(crate) fn from_slice(positional: &'a [Object]) -> Self {
        Self {
            positional,
            names: &[],
            values: &[],
        }
    }

    /// Calls a method with these arguments.
    pub(crate) fn call_method(&self, object: &Object, name: &Object) -> Result<Object> {
        let mut all = vec![object.clone()];
        all.extend_from_slice(self.positional);
        all.extend_from_slice(self.values);
        Object::call_method_keywords(name, &all, &Tuple::of(self.names)?)
    }

    /// Positional arguments and keywords in the order of their names.
    pub(super) fn with_keywords(
        positional: &'a [Object],
        names: &'a [Object],
        values: &'a [Object],
    ) -> Self {
        Self {
            positional,
            names,
            values,
        }
    }
}

/// # Safety
/// `items` points to `count` live objects that are lent for `'a`.
#[inline]
unsafe fn slice<'a>(items: *const *mut PyObject, count: usize) -> &'a [Object] {
    if count == 0 {
        return &[];
    }
    // SAFETY: as the caller says.
    unsafe { std::slice::from_raw_parts(items.cast::<Object>(), count) }
}

/// Splits what `tp_call` and `tp_init` get into the shape of a vector call.
///
/// # Safety
/// `args` is a tuple, `kwargs` a dictionary with string keys or null, both live during `f`.
pub(super) unsafe fn from_tuple<R>(
    args: *mut PyObject,
    kwargs: *mut PyObject,
    f: impl FnOnce(&Args<'_>) -> R,
) -> R {
    // SAFETY: as the caller says.
    let positional = Tuple::items(unsafe { Obj::lend(&args) });
    let (mut names, mut values) = (Vec::new(), Vec::new());
    if !kwargs.is_null() {
        let (mut position, mut name, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: a dictionary that nobody changes meanwhile; key and value are borrowed from it.
        while unsafe { ffi::PyDict_Next(kwargs, &raw mut position, &raw mut name, &raw mut value) }
            != 0
        {
            // SAFETY: just filled in.
            names.push(unsafe { Obj::share(name) });
            // SAFETY: just filled in.
            values.push(unsafe { Obj::share(value) });
        }
    }
    f(&Args::with_keywords(positional, &names, &values))
}

/// The parameters of a function: the first `positional` of `names` can be given by position, the first
/// `required` must be given; the others are `None` in what [`bind`](Self::bind) gives if they are not.
#[derive(Debug)]
pub(crate) struct Signature<const N: usize> {
    /// The name in messages, as asyncio's own function is called in them.
    pub(crate) name: &'static str,
    /// The parameters.
    pub(crate) names: [&'static CStr; N],
    /// How many must be given.
    pub(crate) required: usize,
    /// How many can be given by position.
    pub(crate) positional: usize,
    /// Whether there is a `self`, which Python counts in its messages.
    pub(crate) method: bool,
    /// Whether more positional arguments are taken (`*args`).
    pub(crate) variadic: bool,
    /// Whether unknown keywords are left to the caller (`**kwargs`).
    pub(crate) open: bool,
}

impl<const N: usize> Signature<N> {
    /// A method whose parameters are all required and can be given by position.
    pub(crate) const fn method(name: &'static str, names: [&'static CStr; N]) -> Self {
        Self {
            name,
            names,
            required: N,
            positional: N,
            method: true,
            variadic: false,
            open: false,
        }
    }

    /// A function whose parameters are all required and can be given by position.
    pub(crate) const fn function(name: &'static str, names: [&'static CStr; N]) -> Self {
        Self {
            method: false,
            ..Self::method(name, names)
        }
    }

    /// Only the first `required` must be given.
    pub(crate) const fn required(self, required: usize) -> Self {
        Self { required, ..self }
    }

    /// Only the first `positional` can be given by position.
    pub(crate) const fn positional(self, positional: usize) -> Self {
        Self { positional, ..self }
    }

    /// Takes more positional arguments than there are parameters.
    pub(crate) const fn variadic(self) -> Self {
        Self {
            variadic: true,
            ..self
        }
    }

    /// Takes keywords that no parameter has.
    pub(crate) const fn open(self) -> Self {
        Self { open: true, ..self }
    }

    /// The argument of each parameter.
    ///
    /// Raises `TypeError` in the words of a Python function.
    #[expect(clippy::inline_always, reason = "arguments stay in registers")]
    #[inline(always)]
    pub(crate) fn bind<'a>(&self, args: &Args<'a>) -> Result<[Option<&'a Object>; N]> {
        let given = args.positional;
        if given.len() > self.positional && !self.variadic {
            return Err(self.too_many(given.len()));
        }
        let mut bound = [None; N];
        for (place, argument) in bound.iter_mut().take(self.positional).zip(given) {
            *place = Some(argument);
        }
        if !args.names.is_empty() {
            bound = self.bind_keywords(args.names, args.values, bound)?;
        }
        if bound.iter().take(self.required).any(Option::is_none) {
            return Err(self.missing(&bound));
        }
        Ok(bound)
    }

    /// The argument of each parameter, where all are required.
    pub(crate) fn bind_required<'a>(&self, args: &Args<'a>) -> Result<[&'a Object; N]> {
        let bound = self.bind(args)?;
        Ok(bound.map(|argument| argument.expect("invariant: a required parameter is bound")))
    }

    /// Adds the arguments that were given by name. All goes by value, so that who has none need not put it in memory.
    #[inline(never)]
    fn bind_keywords<'a>(
        &self,
        names: &[Object],
        values: &'a [Object],
        mut bound: [Option<&'a Object>; N],
    ) -> Result<[Option<&'a Object>; N]> {
        for (name, value) in names.iter().zip(values) {
            let Some(index) = self.names.iter().position(|known| Str::equals(name, known)) else {
                if self.open {
                    continue;
                }
                return Err(self.unexpected(name));
            };
            if bound[index].replace(value).is_some() {
                return Err(self.twice(self.names[index]));
            }
        }
        Ok(bound)
    }

    /// The keywords that no parameter has, for a function that hands them on.
    #[inline]
    pub(crate) fn rest<'a>(&self, args: &Args<'a>) -> Vec<(&'a Object, &'a Object)> {
        if args.names.is_empty() {
            return Vec::new();
        }
        self.unknown(args)
    }

    #[cold]
    fn unknown<'a>(&self, args: &Args<'a>) -> Vec<(&'a Object, &'a Object)> {
        let unknown = |name: &Object| !self.names.iter().any(|known| Str::equals(name, known));
        args.names
            .iter()
            .zip(args.values)
            .filter(|(name, _)| unknown(name))
            .collect()
    }

    #[cold]
    fn too_many(&self, given: usize) -> Raised {
        let own = usize::from(self.method);
        let (least, most) = (
            self.required.min(self.positional) + own,
            self.positional + own,
        );
        let takes = if least == most {
            format!("{most}")
        } else {
            format!("from {least} to {most}")
        };
        let plural = if most == 1 { "" } else { "s" };
        let given = given + own;
        let were = if given == 1 { "was" } else { "were" };
        let text = format!(
            "{}() takes {takes} positional argument{plural} but {given} {were} given",
            self.name
        );
        Raised::new(&exceptions::type_error(), text)
    }

    #[cold]
    fn missing(&self, bound: &[Option<&Object>; N]) -> Raised {
        let missing: Vec<String> = (0..self.required)
            .filter(|&index| bound[index].is_none())
            .map(|index| format!("'{}'", self.names[index].to_string_lossy()))
            .collect();
        let kind = if self.positional < self.required {
            "keyword-only"
        } else {
            "positional"
        };
        let plural = if missing.len() == 1 { "" } else { "s" };
        let list = match missing.as_slice() {
            [first, second] => format!("{first} and {second}"),
            [most @ .., last] if !most.is_empty() => format!("{}, and {last}", most.join(", ")),
            few => few.join(""),
        };
        let count = missing.len();
        let text = format!(
            "{}() missing {count} required {kind} argument{plural}: {list}",
            self.name
        );
        Raised::new(&exceptions::type_error(), text)
    }

    #[cold]
    fn unexpected(&self, name: &Object) -> Raised {
        match Str::of(name) {
            Err(raised) => raised,
            Ok(name) => Raised::new(
                &exceptions::type_error(),
                format!(
                    "{}() got an unexpected keyword argument '{name}'",
                    self.name
                ),
            ),
        }
    }

    #[cold]
    fn twice(&self, name: &CStr) -> Raised {
        let name = name.to_string_lossy();
        let text = format!("{}() got multiple values for argument '{name}'", self.name);
        Raised::new(&exceptions::type_error(), text)
    }
}
