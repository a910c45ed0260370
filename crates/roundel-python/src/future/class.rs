//! What a future looks like from Python.

use super::{Future, State, cancel_args};
use crate::future_iterator::FutureIterator;
use crate::hot::{Args, Class, Obj, Object, Raised, exceptions};
use crate::names::names;

pub(super) fn declare_results(class: &mut Class<Future>) {
    class
        .method0(
            c"result",
            c"result($self, /)\n--\n\nReturn the result, or raise the exception.\n\nRaises:\n    InvalidStateError: the future is not done.\n    CancelledError: it was cancelled.",
            Future::result,
        )
        .method0(
            c"exception",
            c"exception($self, /)\n--\n\nReturn the exception, or None.\n\nRaises:\n    InvalidStateError: the future is not done.\n    CancelledError: it was cancelled.",
            Future::exception,
        )
        .method1(
            c"set_result",
            c"set_result($self, result, /)\n--\n\nMark the future as done with a result.\n\nRaises:\n    InvalidStateError: it is done already.",
            Future::resolve,
        )
        .method1(
            c"set_exception",
            c"set_exception($self, exception, /)\n--\n\nMark the future as done with an exception.\n\nRaises:\n    InvalidStateError: it is done already.\n    TypeError: not an exception.",
            Future::set_exception,
        )
        .method(
            c"cancel",
            c"cancel($self, /, msg=None)\n--\n\nCancel the future; return False if it is done already.",
            |this: &Obj<Future>, args: &Args<'_>| {
                Future::cancel(this, cancel_args("Future.cancel", args)?)
            },
        )
        .method0(
            c"done",
            c"done($self, /)\n--\n\nReturn True if there is a result or exception, or the future was cancelled.",
            |this: &Obj<Future>| this.is_done(),
        )
        .method0(
            c"cancelled",
            c"cancelled($self, /)\n--\n\nReturn True if the future was cancelled.",
            |this: &Obj<Future>| this.is_cancelled(),
        )
        .method0(
            c"get_loop",
            c"get_loop($self, /)\n--\n\nReturn the event loop the future belongs to.",
            |this: &Obj<Future>| this.event_loop().map(|event_loop| event_loop.object().clone()),
        );
}

pub(super) fn declare_callbacks(class: &mut Class<Future>) {
    class
        .method(
            c"add_done_callback",
            c"add_done_callback($self, fn, /, *, context=None)\n--\n\nHave the loop call fn(future) when the future is done; soon, if it is.",
            Future::add_done_callback,
        )
        .method1(
            c"remove_done_callback",
            c"remove_done_callback($self, fn, /)\n--\n\nRemove all callbacks equal to fn; return how many there were.",
            Future::remove_done_callback,
        )
        .method0(
            c"__await__",
            c"__await__($self, /)\n--\n\nReturn an iterator that yields the future until it is done.",
            // For those who drive it by hand; `await` takes the slot, which makes no object.
            |this: &Obj<Future>| Obj::create(FutureIterator::of(this)),
        )
        .method0(
            c"_make_cancelled_error",
            c"_make_cancelled_error($self, /)\n--\n\nReturn the CancelledError that result() would raise.",
            |this: &Obj<Future>| this.make_cancelled_error(),
        );
}

/// The private names that asyncio's own code and third parties read.
pub(super) fn declare_internals(class: &mut Class<Future>) {
    class
        .poses_as(|| names().c_future.clone())
        .property(
            c"_asyncio_future_blocking",
            |this: &Obj<Future>| this.blocking.get(),
            |this: &Obj<Future>, value: &Object| {
                this.blocking.set(value.truth()?);
                Ok(())
            },
        )
        .property(
            c"_log_traceback",
            |this: &Obj<Future>| this.log_traceback.get(),
            |this: &Obj<Future>, value: &Object| {
                if value.truth()? {
                    let text = "_log_traceback can only be set to False";
                    return Err(Raised::new(&exceptions::value_error(), text));
                }
                this.log_traceback.set(false);
                Ok(())
            },
        )
        .property(
            c"_cancel_message",
            |this: &Obj<Future>| this.cancel_message(),
            |this: &Obj<Future>, value: &Object| {
                this.set_cancel_message(value.not_none().cloned());
                Ok(())
            },
        )
        .getter(c"_state", |this: &Obj<Future>| this.state_name())
        .getter(c"_result", |this: &Obj<Future>| match this.state.get() {
            State::Finished => this.outcome.get(),
            _ => None,
        })
        .getter(c"_exception", |this: &Obj<Future>| match this.state.get() {
            State::Failed => this.outcome.get(),
            _ => None,
        })
        .getter(c"_callbacks", Future::callbacks)
        .getter(c"_loop", |this: &Obj<Future>| {
            this.event_loop
                .get()
                .map(|event_loop| event_loop.object().clone())
        })
        .property(
            c"_source_traceback",
            |this: &Obj<Future>| this.source_traceback(),
            |this: &Obj<Future>, value: &Object| {
                let value = value.not_none().cloned();
                let old = this.rare(|rare| std::mem::replace(&mut rare.source_traceback, value));
                drop(old);
                Ok(())
            },
        );
    super::awaited_by::declare(class);
}
