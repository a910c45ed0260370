//! The typed layer under the hot objects: the only place that names `pyo3_ffi`.
//!
//! Everything unsafe of the extension is here, each piece behind a safe face:
//!
//! - [`Obj<T>`] owns one reference to a Python object; clone increments, drop decrements.
//! - [`HotType`] turns a Rust struct into a Python type: its memory, freelist, GC and methods.
//! - [`Slot`], [`Deque`], [`List`] are what a hot object keeps references in. Each operation is over before
//!   any Python code can run, so nothing is ever borrowed while somebody else has the floor.
//! - [`Raised`] says that Python's error indicator is set; [`Result`] carries it with `?`.
//!
//! # Why holding an `Obj` is enough
//! An `Obj` is neither `Send` nor `Sync`, and the extension is entered by Python with the thread attached to
//! the interpreter. The one place that detaches ([`detached`]) runs the dispatcher's wait, which knows of none.
//! So whoever can name an `Obj` may touch it, and no token has to be passed around.

mod ancestor;
mod args;
mod bound;
mod bytes;
mod call;
mod cell;
mod chain;
mod class;
mod context;
mod coroutine_function;
mod delegate;
mod descriptor;
mod error;
mod gil;
mod list;
mod module;
mod native;
mod object;
mod openssl;
mod recent;
mod remote;
mod room;
mod stop_iteration;
mod table;
mod trampoline;
mod value;
mod weak;

pub(crate) use ancestor::{Derived, PythonClass};
pub(crate) use args::{Args, Signature};
pub(crate) use bytes::{Buffer, Bytes};
pub(crate) use call::{Sent, import, send, throw, warn};
pub(crate) use cell::{Deque, Slot};
pub(crate) use class::Class;
pub(crate) use context::{Entered, bindings, copy_context, copy_of};
pub(crate) use delegate::{await_iterator, close, throw_into};
pub(crate) use descriptor::{give_away, with_descriptor};
pub(crate) use error::{Raised, Result, is_instance_of, new_exception, recurse};
pub(crate) use gil::{check_signals, detached, python_version, thread_ident};
pub(crate) use list::{Link, Linked, List, Registry, leave_list};
pub(crate) use module::Module;
pub(crate) use native::{Chain, HotType, Spare, TypeCell, Visit};
pub(crate) use object::{Obj, Object};
pub(crate) use openssl::{Outcome, Session};
pub(crate) use recent::Recent;
pub(crate) use remote::{Remote, Shared};
pub(crate) use room::Room;
pub(crate) use stop_iteration::settle;
pub(crate) use table::{Numbered, Place, Table};
pub(crate) use trampoline::{Comparison, Next, Unary};
pub(crate) use value::{Float, IntoObject, Str, Tuple, boolean, exceptions, none};
