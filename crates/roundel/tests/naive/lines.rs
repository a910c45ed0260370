//! Lines of bytes that are all there, and a reader that hands bytes out in pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::AsyncRead;
use futures_lite::future::{block_on, poll_once};

/// Returns the lines up to the first that is too long or no text, and whether there is such a one.
pub(crate) fn split(bytes: &[u8], limit: usize) -> (Vec<String>, bool) {
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = match line.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        match str::from_utf8(line) {
            Ok(line) if line.len() <= limit => lines.push(line.to_owned()),
            _ => return (lines, true),
        }
    }
    (lines, false)
}

/// Reads lines that come in pieces of those sizes, as [`split`] does. Who asks for a line gives up
/// whenever it has to wait.
pub(crate) fn read(bytes: &[u8], limit: usize, sizes: &[u8]) -> (Vec<String>, bool) {
    let pieces = Pieces {
        bytes,
        sizes: sizes.to_vec(),
    };
    let mut lines = roundel::net::lines(pieces, limit);
    let mut read = Vec::new();
    loop {
        match block_on(poll_once(lines.next_line())) {
            None => {}
            Some(Ok(Some(line))) => read.push(line),
            Some(Ok(None)) => return (read, false),
            Some(Err(error)) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                let after = block_on(lines.next_line());
                assert!(matches!(after, Ok(None)), "{after:?} after the end");
                return (read, true);
            }
        }
    }
}

/// Hands out bytes in pieces; with a size of 0, there is nothing yet. All that is left is one piece.
struct Pieces<'b> {
    bytes: &'b [u8],
    sizes: Vec<u8>,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!buffer.is_empty(), "there is no room to read into");
        let size = match self.sizes.pop() {
            Some(0) => return Poll::Pending,
            Some(size) => usize::from(size),
            None => self.bytes.len(),
        };
        let count = size.min(buffer.len()).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(count))
    }
}
