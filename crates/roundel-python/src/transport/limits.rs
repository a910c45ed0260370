//! Water marks: when a protocol is told to write no more, and when to go on.

use std::cell::Cell;

use crate::hot::{Float, IntoObject, Object, Raised, Result, Tuple, exceptions};

/// What the upper mark is if nobody says otherwise, in bytes.
const HIGH: i64 = 64 * 1024;

/// The marks of a transport, and whether its protocol is paused.
pub(crate) struct Limits {
    low: Cell<i64>,
    high: Cell<i64>,
    paused: Cell<bool>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            low: Cell::new(HIGH / 4),
            high: Cell::new(HIGH),
            paused: Cell::new(false),
        }
    }
}

impl Limits {
    /// `set_write_buffer_limits(high, low)`.
    pub(crate) fn set(&self, high: Option<&Object>, low: Option<&Object>) -> Result<()> {
        let low = low.map(amount).transpose()?;
        let high = match high {
            Some(high) => amount(high)?,
            None => low.map_or(HIGH, |low| low.saturating_mul(4)),
        };
        let low = low.unwrap_or_else(|| high.div_euclid(4));
        if high < low || low < 0 {
            let text = format!("high ({high}) must be >= low ({low}) must be >= 0");
            return Err(Raised::new(&exceptions::value_error(), text));
        }
        self.high.set(high);
        self.low.set(low);
        Ok(())
    }

    /// `(low, high)`.
    pub(crate) fn get(&self) -> Result<Object> {
        Tuple::of(&[
            self.low.get().into_object()?,
            self.high.get().into_object()?,
        ])
    }

    /// Whether the protocol is to be paused now that so many bytes wait; it counts as paused then.
    #[inline]
    pub(crate) fn pauses(&self, size: usize) -> bool {
        !self.paused.get() && !fits(size, self.high.get()) && !self.paused.replace(true)
    }

    /// Whether the protocol is to be resumed now that so few bytes wait; it counts as resumed then.
    #[inline]
    pub(crate) fn resumes(&self, size: usize) -> bool {
        self.paused.get() && fits(size, self.low.get()) && self.paused.replace(false)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.get()
    }
}

fn fits(size: usize, mark: i64) -> bool {
    i64::try_from(size).is_ok_and(|size| size <= mark)
}

/// A number of bytes; of a float the integer part.
fn amount(number: &Object) -> Result<i64> {
    if number.is_int() {
        return number.to_i64();
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates"
    )]
    let amount = Float::of(number)? as i64;
    Ok(amount)
}
