//! What a stream has received and nobody has taken, and where in it a line or a part ends.
//!
//! The bytes lie in one piece, so that to take some is to copy them once; to drop them from the front moves nothing.
//! Places that outlive a change are *positions*: counted from the first byte that ever came.

use std::fmt;

use memchr::{memchr, memmem};

/// An empty buffer keeps memory of up to this size for what comes next.
const KEPT_BYTES: usize = 1024;
/// Memory of more than this size is given back, too, when less than a quarter is in use.
const LARGE_BYTES: usize = 64 * 1024;

/// Bytes of a stream in the order in which they came.
///
/// # Examples
///
/// ```
/// use roundel::{Sought, StreamBuffer};
///
/// let mut buffer = StreamBuffer::new();
/// buffer.push(b"one\ntw");
/// let Sought::Found(length) = buffer.find_line(80) else { panic!("there is a line") };
/// assert_eq!(&buffer.as_slice()[..length], b"one\n");
/// buffer.consume(length);
/// assert!(matches!(buffer.find_line(80), Sought::Nothing(_)));
/// buffer.push(b"o\n");
/// assert_eq!(buffer.find_line(80), Sought::Found(4));
/// ```
#[derive(Default)]
pub struct StreamBuffer {
    bytes: Vec<u8>,
    /// Where what nobody has taken begins.
    start: usize,
    /// The position of the first byte that nobody has taken.
    taken: u64,
    /// Before this position no line ends that has not been taken.
    lines_sought: u64,
}

/// What a search for a separator came to. Counts are of bytes that nobody has taken.
///
/// # Examples
///
/// ```
/// use roundel::{Sought, StreamBuffer};
///
/// let mut buffer = StreamBuffer::new();
/// buffer.push(b"abcd");
/// assert_eq!(buffer.find_line(80), Sought::Nothing(4));
/// assert_eq!(buffer.find_line(3), Sought::Late(4));
/// buffer.push(b"\n");
/// assert_eq!(buffer.find_line(80), Sought::Found(5));
/// assert_eq!(buffer.find_line(3), Sought::FoundLate(4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The first so many bytes end with the separator, and no fewer do.
    Found(usize),
    /// As `Found`, but more bytes precede the separator than the limit allows: so many.
    FoundLate(usize),
    /// There is none. Any that is to come is preceded by more bytes than the limit allows: at least so many.
    Late(usize),
    /// There is none yet, and none can begin before this position.
    Nothing(u64),
}

impl StreamBuffer {
    /// Makes an empty buffer, without memory.
    ///
    /// # Examples
    ///
    /// ```
    /// static EMPTY: roundel::StreamBuffer = roundel::StreamBuffer::new();
    /// assert!(EMPTY.is_empty());
    /// ```
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            taken: 0,
            lines_sought: 0,
        }
    }

    /// Returns how many bytes there are.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = roundel::StreamBuffer::new();
    /// buffer.push(b"abc");
    /// assert_eq!(buffer.len(), 3);
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Returns whether there are none.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = roundel::StreamBuffer::new();
    /// assert!(buffer.is_empty());
    /// buffer.push(b"abc");
    /// assert!(!buffer.is_empty());
    /// ```
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = roundel::StreamBuffer::new();
    /// buffer.push(b"abc");
    /// buffer.consume(1);
    /// assert_eq!(buffer.as_slice(), b"bc");
    /// ```
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Adds bytes at the end.
    ///
    /// # Cost
    ///
    /// Linear in the number of bytes, averaged over many calls.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = roundel::StreamBuffer::new();
    /// buffer.push(b"ab");
    /// buffer.push(b"c");
    /// assert_eq!(buffer.as_slice(), b"abc");
    /// ```
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && bytes.len() > self.bytes.capacity() - self.bytes.len() {
            self.make_room(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops the first `count` bytes, or all if there are fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = roundel::StreamBuffer::new();
    /// buffer.push(b"abc");
    /// buffer.consume(2);
    /// assert_eq!(buffer.as_slice(), b"c");
    /// buffer.consume(2);
    /// assert!(buffer.is_empty());
    /// ```
    #[inline]
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.len());
        self.start += count;
        self.taken += count as u64;
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
        }
    }

    /// Drops all bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut buffer = roundel::StreamBuffer::new();
    /// buffer.push(b"abc");
    /// buffer.clear();
    /// assert!(buffer.is_empty());
    /// ```
    pub fn clear(&mut self) {
        self.consume(usize::MAX);
    }

    /// Searches for the end of the first line, of which the line feed is a part.
    ///
    /// `limit` is how many bytes may precede the line feed.
    ///
    /// # Cost
    ///
    /// No byte is looked at twice, however often this is called before the line is complete.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Sought, StreamBuffer};
    ///
    /// let mut buffer = StreamBuffer::new();
    /// buffer.push(b"one");
    /// assert_eq!(buffer.find_line(80), Sought::Nothing(3));
    /// buffer.push(b"\ntwo\n");
    /// assert_eq!(buffer.find_line(80), Sought::Found(4));
    /// ```
    #[inline]
    pub fn find_line(&mut self, limit: usize) -> Sought {
        let from = self.offset(self.lines_sought);
        let Some(index) = memchr(b'\n', &self.as_slice()[from..]) else {
            self.lines_sought = self.taken + self.len() as u64;
            return self.nothing(self.len(), limit);
        };
        let start = from + index;
        self.lines_sought = self.taken + start as u64;
        found(start, start + 1, limit)
    }

    /// Searches for the first end of any of the `separators`, which are not empty, from the position `sought` on:
    /// 0, or what the search before came to.
    ///
    /// `limit` is how many bytes may precede the separator. Of two that end in the same place it is the one that was
    /// named first.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::{Sought, StreamBuffer};
    ///
    /// let mut buffer = StreamBuffer::new();
    /// buffer.push(b"head\r");
    /// let Sought::Nothing(sought) = buffer.find(&[b"\r\n"], 0, 80) else { panic!("none yet") };
    /// assert_eq!(sought, 4, "the last byte may begin one");
    /// buffer.push(b"\nbody");
    /// assert_eq!(buffer.find(&[b"\r\n"], sought, 80), Sought::Found(6));
    /// ```
    pub fn find(&self, separators: &[&[u8]], sought: u64, limit: usize) -> Sought {
        let from = self.offset(sought);
        let mut first: Option<(usize, usize)> = None;
        for separator in separators {
            // What ends after the first end that is known needs no look.
            let until = first.map_or(self.len(), |(_, end)| end);
            let bytes = &self.as_slice()[from..until.max(from)];
            let index = match separator {
                [byte] => memchr(*byte, bytes),
                _ => memmem::find(bytes, separator),
            };
            if let Some(index) = index {
                let start = from + index;
                let end = start + separator.len();
                if first.is_none_or(|(_, known)| end < known) {
                    first = Some((start, end));
                }
            }
        }
        if let Some((start, end)) = first {
            return found(start, end, limit);
        }
        // The last bytes may be the beginning of a separator.
        let longest = separators.iter().map(|each| each.len()).max().unwrap_or(1);
        self.nothing((self.len() + 1).saturating_sub(longest), limit)
    }

    /// What to say when no separator begins in the first `free` bytes.
    fn nothing(&self, free: usize, limit: usize) -> Sought {
        if free > limit {
            Sought::Late(free)
        } else {
            Sought::Nothing(self.taken + free as u64)
        }
    }

    /// Where among the bytes a position is.
    #[inline]
    fn offset(&self, position: u64) -> usize {
        let offset = usize::try_from(position.saturating_sub(self.taken));
        offset.map_or(self.len(), |offset| offset.min(self.len()))
    }

    /// Moves the bytes to where others have been, if more have been taken than are to be moved, or to other memory.
    #[cold]
    fn make_room(&mut self, more: usize) {
        let capacity = self.bytes.capacity();
        if capacity > LARGE_BYTES && self.len() + more < capacity / 4 {
            let mut smaller = Vec::with_capacity(self.len() + more);
            smaller.extend_from_slice(self.as_slice());
            self.bytes = smaller;
            self.start = 0;
        } else if self.start >= self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

fn found(start: usize, end: usize, limit: usize) -> Sought {
    if start > limit {
        Sought::FoundLate(start)
    } else {
        Sought::Found(end)
    }
}

impl fmt::Debug for StreamBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBuffer")
            .field("len", &self.len())
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
