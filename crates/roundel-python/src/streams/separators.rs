//! What `readuntil` is given to look for: the bytes that end a part, one kind or several.

use crate::hot::{Buffer, Bytes, IntoObject, Object, Raised, Result, Tuple, exceptions};

/// A tuple of `bytes`, shortest first, of what the caller gave; none of them is empty.
pub(super) fn checked(separator: &Object) -> Result<Object> {
    let given = if separator.is_tuple() {
        Tuple::items(separator).to_vec()
    } else {
        vec![separator.clone()]
    };
    let mut separators = Vec::with_capacity(given.len());
    for each in given {
        separators.push(match Bytes::read(&each) {
            Some(_) => each,
            None => Buffer::of(&each)?.read(Bytes::copy)?,
        });
    }
    if separators.is_empty() {
        return Err(wrong("Separator should contain at least one element"));
    }
    separators.sort_by_key(|each| Bytes::read(each).map_or(0, <[u8]>::len));
    if Bytes::read(&separators[0]).is_none_or(<[u8]>::is_empty) {
        return Err(wrong("Separator should be at least one-byte string"));
    }
    Tuple::of(&separators)
}

/// The bytes of what [`checked`] gave.
pub(super) fn read(checked: &Object) -> Vec<&[u8]> {
    Tuple::items(checked)
        .iter()
        .filter_map(Bytes::read)
        .collect()
}

fn wrong(text: &str) -> Raised {
    Raised::new(&exceptions::value_error(), text)
}

/// `LimitOverrunError(text, consumed)`.
pub(super) fn overrun(late: usize, found: bool) -> Result<Object> {
    let text = if found {
        "Separator is found, but chunk is longer than limit"
    } else {
        "Separator is not found, and chunk exceed the limit"
    };
    let arguments = [&text.into_object()?, &late.into_object()?];
    crate::names::names().limit_overrun_error.call(arguments)
}
