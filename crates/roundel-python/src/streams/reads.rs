//! `read`, `readline`, `readuntil`, `readexactly`, `async for`: what waits for data.
//!
//! Each takes all it wants at once, and nothing before: who is cancelled while it waits has taken nothing.

use roundel::Sought;

use super::reader::StreamReader;
use super::separators;
use crate::hot::{
    Args, Class, HotType, IntoObject, Obj, Object, Raised, Result, Signature, Str, exceptions,
    import, none,
};
use crate::names::names;
use crate::waiter::{Operation, Poll, Waiter, attempt};

/// What an operation makes of what is there; nothing if it has to wait for more.
type Try = fn(&Obj<StreamReader>, &Obj<Waiter>) -> Result<Option<Object>>;

/// Looks at what an operation was given, when it is first awaited.
type Check = fn(&Obj<Waiter>) -> Result<()>;

/// The operation that checks what it was given once, and tries whenever there is more. `method` is what asyncio says
/// was called.
macro_rules! operation {
    ($name:literal, $method:literal, $check:expr, $take:expr) => {
        Operation::new(
            concat!("StreamReader.", $name),
            |waiter, woken| poll(waiter, woken, $method, $check, $take),
            interrupt,
        )
    };
}

static READ: Operation = operation!("read", "read", Some(note_count), take_some);
static READLINE: Operation = operation!("readline", "readuntil", None, take_line);
static NEXT: Operation = operation!("__anext__", "readuntil", None, take_next);
static READUNTIL: Operation = operation!("readuntil", "readuntil", Some(check_until), take_until);
static READEXACTLY: Operation = operation!(
    "readexactly",
    "readexactly",
    Some(check_exactly),
    take_exactly
);

/// Waits for more, whatever there is.
static WAIT: Operation = Operation::new(
    "StreamReader._wait_for_data",
    |waiter, woken| {
        let reader = waiter.owner::<StreamReader>();
        if !woken {
            let method = waiter.item().unwrap_or_else(none);
            let method = attempt!(Str::of(&method));
            attempt!(reader.check_more_comes());
            return reader.park(waiter, &method);
        }
        reader.forget(waiter);
        match waiter.take_error() {
            Some(error) => Poll::raise(&error),
            None => Poll::Ready(none()),
        }
    },
    interrupt,
);

fn interrupt(waiter: &Obj<Waiter>, _woken: bool, exception: &Object) -> Poll {
    waiter.owner::<StreamReader>().forget(waiter);
    Poll::raise(exception)
}

#[inline]
fn poll(waiter: &Obj<Waiter>, woken: bool, method: &str, check: Option<Check>, take: Try) -> Poll {
    let reader = waiter.owner::<StreamReader>();
    if woken {
        reader.forget(waiter);
        if let Some(error) = waiter.take_error() {
            return Poll::raise(&error);
        }
    } else {
        attempt!(check.map_or(Ok(()), |check| check(waiter)));
        attempt!(reader.check());
    }
    match attempt!(take(reader, waiter)) {
        Some(value) => Poll::Ready(value),
        None => reader.park(waiter, method),
    }
}

fn check_exactly(waiter: &Obj<Waiter>) -> Result<()> {
    note_count(waiter)?;
    if waiter.number() < 0.0 {
        let text = "readexactly size can not be less than zero";
        return Err(Raised::new(&exceptions::value_error(), text));
    }
    Ok(())
}

fn check_until(waiter: &Obj<Waiter>) -> Result<()> {
    let separator = waiter.item().unwrap_or_else(none);
    waiter.set_item(Some(separators::checked(&separator)?));
    Ok(())
}

/// Makes the item, how many bytes are wanted, the waiter's number.
fn note_count(waiter: &Obj<Waiter>) -> Result<()> {
    let Some(count) = waiter.item() else {
        return Ok(());
    };
    match count.to_i64() {
        #[expect(clippy::cast_precision_loss, reason = "more than there is memory for")]
        Ok(count) => waiter.set_number(count as f64),
        Err(raised) if raised.matches(&exceptions::overflow_error()) => {
            raised.clear();
            let negative = count.less(&0_i64.into_object()?)?;
            waiter.set_number(if negative { -1.0 } else { f64::MAX });
        }
        Err(raised) => return Err(raised),
    }
    Ok(())
}

/// How many bytes are wanted.
#[inline]
fn wanted(waiter: &Waiter) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates"
    )]
    {
        waiter.number() as usize
    }
}

/// At most so many bytes; all to the end if the number is negative.
fn take_some(reader: &Obj<StreamReader>, waiter: &Obj<Waiter>) -> Result<Option<Object>> {
    let count = if waiter.number() < 0.0 {
        reader.check()?;
        if !reader.is_at_eof() {
            return Ok(None);
        }
        usize::MAX
    } else {
        wanted(waiter)
    };
    if count > 0 && reader.len() == 0 && !reader.is_at_eof() {
        return Ok(None);
    }
    reader.take(count).map(Some)
}

fn take_exactly(reader: &Obj<StreamReader>, waiter: &Obj<Waiter>) -> Result<Option<Object>> {
    let count = wanted(waiter);
    if reader.len() >= count {
        return reader.take(count).map(Some);
    }
    if !reader.is_at_eof() {
        return Ok(None);
    }
    let expected = waiter.item().unwrap_or_else(none);
    Err(incomplete(&reader.take(usize::MAX)?, &expected))
}

#[inline]
fn take_line(reader: &Obj<StreamReader>, _: &Obj<Waiter>) -> Result<Option<Object>> {
    let limit = reader.limit();
    match reader.search(|buffer| buffer.find_line(limit)) {
        Sought::Found(end) => reader.take(end).map(Some),
        Sought::Nothing(_) if reader.is_at_eof() => reader.take(usize::MAX).map(Some),
        Sought::Nothing(_) => Ok(None),
        Sought::FoundLate(start) => {
            reader.skip(start + 1)?;
            Err(line_too_long(start, true))
        }
        Sought::Late(free) => {
            reader.skip(usize::MAX)?;
            Err(line_too_long(free, false))
        }
    }
}

fn take_next(reader: &Obj<StreamReader>, waiter: &Obj<Waiter>) -> Result<Option<Object>> {
    match take_line(reader, waiter)? {
        Some(line) if !line.truth()? => Err(Raised::throw(&exceptions::stop_async_iteration())),
        line => Ok(line),
    }
}

fn take_until(reader: &Obj<StreamReader>, waiter: &Obj<Waiter>) -> Result<Option<Object>> {
    let checked = waiter.item().unwrap_or_else(none);
    let separators = separators::read(&checked);
    let (from, limit) = (wanted(waiter) as u64, reader.limit());
    match reader.search(|buffer| buffer.find(&separators, from, limit)) {
        Sought::Found(end) => reader.take(end).map(Some),
        Sought::Nothing(_) if reader.is_at_eof() => {
            Err(incomplete(&reader.take(usize::MAX)?, &none()))
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "exact for longer than any stream lasts"
        )]
        Sought::Nothing(position) => {
            waiter.set_number(position as f64);
            Ok(None)
        }
        Sought::FoundLate(start) => Err(Raised::throw(&separators::overrun(start, true)?)),
        Sought::Late(free) => Err(Raised::throw(&separators::overrun(free, false)?)),
    }
}

/// `IncompleteReadError(partial, expected)`.
#[cold]
fn incomplete(partial: &Object, expected: &Object) -> Raised {
    match names().incomplete_read_error.call([partial, expected]) {
        Ok(error) => Raised::throw(&error),
        Err(raised) => raised,
    }
}

/// `ValueError` in the context of the `LimitOverrunError` that it stands for.
#[cold]
fn line_too_long(late: usize, found: bool) -> Raised {
    let error = separators::overrun(late, found).and_then(|overrun| {
        let text = overrun.call_method(&names().__str__, [])?;
        let error = exceptions::value_error().call([&text])?;
        error.set_context(&overrun);
        Ok(error)
    });
    match error {
        Ok(error) => Raised::restore(error),
        Err(raised) => raised,
    }
}

impl StreamReader {
    /// Whether a method was replaced, by a derived class or on the object.
    fn is_replaced(this: &Obj<Self>, name: &Object) -> Result<bool> {
        if this.has_own(name) {
            return Ok(true);
        }
        if this.is_exact() {
            return Ok(false);
        }
        let (ours, theirs) = (Self::cell().object(), this.as_any().type_of());
        Ok(!ours.attr(name)?.is(&theirs.attr(name)?))
    }

    fn readline(this: &Obj<Self>) -> Result<Object> {
        if Self::is_replaced(this, &names().readuntil)? {
            return import(c"roundel._streams", c"readline")?.call([this.as_any()]);
        }
        Ok(Waiter::on(&READLINE, this).into_any())
    }

    fn next_line(this: &Obj<Self>) -> Result<Object> {
        if Self::is_replaced(this, &names().readline)?
            || Self::is_replaced(this, &names().readuntil)?
        {
            return import(c"roundel._streams", c"next_line")?.call([this.as_any()]);
        }
        Ok(Waiter::on(&NEXT, this).into_any())
    }

    fn read(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<Waiter>> {
        static SIGNATURE: Signature<1> = Signature::method("StreamReader.read", [c"n"]).required(0);
        let [count] = SIGNATURE.bind(args)?;
        let owner = Some(this.as_any().clone());
        Ok(Waiter::create(&READ, owner, count.cloned(), -1.0))
    }

    fn readexactly(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<Waiter>> {
        static SIGNATURE: Signature<1> = Signature::method("StreamReader.readexactly", [c"n"]);
        let [count] = SIGNATURE.bind(args)?;
        let owner = Some(this.as_any().clone());
        Ok(Waiter::create(&READEXACTLY, owner, count.cloned(), 0.0))
    }

    fn readuntil(this: &Obj<Self>, args: &Args<'_>) -> Result<Obj<Waiter>> {
        static SIGNATURE: Signature<1> =
            Signature::method("StreamReader.readuntil", [c"separator"]).required(0);
        let [separator] = SIGNATURE.bind(args)?;
        let separator = separator
            .cloned()
            .unwrap_or_else(|| names().line_feed.clone());
        let owner = Some(this.as_any().clone());
        Ok(Waiter::create(&READUNTIL, owner, Some(separator), 0.0))
    }
}

pub(super) fn declare(class: &mut Class<StreamReader>) {
    class
        .async_method(
            c"read",
            c"read($self, /, n=-1)\n--\n\nRead at most n bytes, at least one, or all to the end; b'' at the end.",
            StreamReader::read,
        )
        .async_method0(
            c"readline",
            c"readline($self, /)\n--\n\nRead a line with its line feed, or what is left at the end.\n\nRaises:\n    ValueError: the line is longer than the limit; it is dropped.",
            StreamReader::readline,
        )
        .async_method(
            c"readuntil",
            c"readuntil($self, /, separator=b'\\n')\n--\n\nRead all up to the first separator, with it; a tuple means any of several.\n\nRaises:\n    IncompleteReadError: the stream ended before; its partial is what was left.\n    LimitOverrunError: the part is longer than the limit; it stays there.",
            StreamReader::readuntil,
        )
        .async_method(
            c"readexactly",
            c"readexactly($self, /, n)\n--\n\nRead exactly n bytes.\n\nRaises:\n    IncompleteReadError: the stream ended before; its partial is what was left.",
            StreamReader::readexactly,
        )
        .method1(
            c"_wait_for_data",
            c"_wait_for_data($self, func_name, /)\n--\n\nWait for more data, for the end or for an exception, on behalf of that method.",
            |this: &Obj<StreamReader>, method: &Object| {
                Waiter::create(&WAIT, Some(this.as_any().clone()), Some(method.clone()), 0.0)
            },
        )
        .async_iterator(StreamReader::next_line);
}
