//! Bytes in pieces of the program's choosing: copied, or line by line.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use memchr::memchr;

/// How much is read at a time.
const PIECE: usize = 16 * 1024;

/// Copies all there is to read to `writer`, flushes it, and gives how much that was.
///
/// # Errors
///
/// Gives the error of whichever side fails.
///
/// # Cancel safety
///
/// What has been read but not written is lost.
///
/// # Examples
///
/// ```
/// use roundel::net::copy;
///
/// roundel::run(async {
///     let mut copied = Vec::new();
///     assert_eq!(copy(&b"hello"[..], &mut copied).await?, 5);
///     assert_eq!(copied, b"hello");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn copy(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) -> io::Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut copied = 0;
    loop {
        let count = poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, &mut buffer)).await?;
        if count == 0 {
            poll_fn(|cx| Pin::new(&mut writer).poll_flush(cx)).await?;
            return Ok(copied);
        }
        let mut piece = &buffer[..count];
        while !piece.is_empty() {
            match poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, piece)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => piece = &piece[written..],
            }
        }
        copied += u64::try_from(count).unwrap_or(0);
    }
}

/// Returns the lines of what `reader` reads, without their ends, which are `\n` or `\r\n`.
///
/// A line of more than `limit_bytes` is an error, so that nobody can fill the memory.
///
/// # Examples
///
/// ```
/// use futures_lite::StreamExt;
/// use roundel::net::lines;
///
/// roundel::run(async {
///     let mut lines = lines(&b"one\r\ntwo\nthree"[..], 80);
///     let mut found = Vec::new();
///     while let Some(line) = lines.next().await {
///         found.push(line?);
///     }
///     assert_eq!(found, ["one", "two", "three"]);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Source: `StreamReader.readline`.
pub fn lines<R: AsyncRead + Unpin>(reader: R, limit_bytes: usize) -> Lines<R> {
    Lines {
        reader,
        buffer: vec![0; PIECE],
        filled: 0,
        searched: 0,
        start: 0,
        limit: limit_bytes,
        has_ended: false,
    }
}

/// A stream of lines: see [`lines`].
///
/// # Errors
///
/// Its items are [`InvalidData`](io::ErrorKind::InvalidData) for a line that is too long or not
/// UTF-8, and the reader's errors. After an error of either kind it ends.
///
/// # Cancel safety
///
/// No line is lost with a future of the next one; what is buffered is lost with the stream.
///
/// # Examples
///
/// ```
/// use std::io::ErrorKind;
/// use roundel::net::lines;
///
/// # fn main() -> std::io::Result<()> {
/// roundel::run(async {
///     let mut lines = lines(&b"short\nfar too long\nnever seen\n"[..], 5);
///     assert_eq!(lines.next_line().await?.as_deref(), Some("short"));
///     assert_eq!(lines.next_line().await.unwrap_err().kind(), ErrorKind::InvalidData);
///     assert_eq!(lines.next_line().await?, None);
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the next line begins, where its end may be, and where the buffer is empty.
    start: usize,
    searched: usize,
    filled: usize,
    limit: usize,
    has_ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Waits for the next line; there is none if the reader has ended.
    ///
    /// # Errors
    ///
    /// As [`Lines`] says.
    ///
    /// # Cancel safety
    ///
    /// No line is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use roundel::net::lines;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// roundel::run(async {
    ///     let mut lines = lines(&b"to: you\r\nfrom: me\r\n\r\nhello"[..], 80);
    ///     let mut headers = Vec::new();
    ///     while let Some(line) = lines.next_line().await?.filter(|line| !line.is_empty()) {
    ///         headers.push(line);
    ///     }
    ///     assert_eq!(headers, ["to: you", "from: me"]);
    ///     assert_eq!(lines.next_line().await?.as_deref(), Some("hello"));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx))
            .await
            .transpose()
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        loop {
            if let Some(place) = memchr(b'\n', &self.buffer[self.searched..self.filled]) {
                let end = self.searched + place;
                let line = &self.buffer[self.start..end];
                let line = self.text(line.strip_suffix(b"\r").unwrap_or(line));
                self.start = end + 1;
                self.searched = self.start;
                return Poll::Ready(line.map(Some));
            }
            self.searched = self.filled;
            // What may be the first half of an end is not yet part of the line.
            let line = &self.buffer[self.start..self.filled];
            if line.strip_suffix(b"\r").unwrap_or(line).len() > self.limit {
                return Poll::Ready(Err(too_long()));
            }
            self.make_room();
            let room = &mut self.buffer[self.filled..];
            let count = ready!(Pin::new(&mut self.reader).poll_read(cx, room))?;
            if count == 0 {
                self.has_ended = true;
                let rest = &self.buffer[self.start..self.filled];
                let rest = (!rest.is_empty()).then(|| self.text(rest));
                return Poll::Ready(rest.transpose());
            }
            self.filled += count;
        }
    }

    fn text(&self, line: &[u8]) -> io::Result<String> {
        if line.len() > self.limit {
            return Err(too_long());
        }
        String::from_utf8(line.to_vec())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Makes room for as much as is worth a call; to move bytes there, others must have been taken.
    fn make_room(&mut self) {
        if self.start == self.filled {
            self.move_to_front();
        }
        if self.buffer.len() - self.filled >= PIECE / 2 {
            return;
        }
        if self.filled - self.start > self.start {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        self.move_to_front();
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.searched -= self.start;
        self.start = 0;
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a line is too long")
}

impl<R: AsyncRead + Unpin> Stream for Lines<R> {
    type Item = io::Result<String>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let line = ready!(self.poll_line(cx));
        self.has_ended |= line.is_err();
        Poll::Ready(line.transpose())
    }
}

impl<R> fmt::Debug for Lines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines")
            .field("buffered", &(self.filled - self.start))
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}
