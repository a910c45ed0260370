"""Files of text: bytes decoded and encoded as `io.TextIOWrapper` does it."""

from __future__ import annotations

import codecs
import io
import os
from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from roundel._binary_file import File

if TYPE_CHECKING:
    from collections.abc import Iterable

# How many bytes are decoded at once, by Python's own files, too: it decides where a file is written
# to whose text has not been read to the end.
_CHUNK = 8192

# How many bits of a place are for what. Python's own files give them the same meaning.
_COOKIE_BITS = (64, 32, 32, 32, 8)


class _Chunk(NamedTuple):
    """Bytes that were decoded, so that a place in the text can be found in the file.

    Attributes:
        start: Where its text begins in the text that was decoded.
        position: Where the file is after it.
        flags: The decoder's state before it, apart from bytes it had kept.
        data: These bytes, and the chunk's own.
    """

    start: int
    position: int
    flags: int
    data: bytes


class _Cookie(NamedTuple):
    """A place in the text, as the number that `tell` gives says it.

    Attributes:
        position: Where to start in the file.
        flags: The decoder's state there.
        feed: How many bytes to decode from there on.
        is_end: Whether the decoder is to be told that nothing follows them.
        skip: How many characters of their text come before the place.
    """

    position: int
    flags: int = 0
    feed: int = 0
    skip: int = 0
    is_end: bool = False

    def pack(self) -> int:
        number = 0
        for part, width in zip(reversed(self), reversed(_COOKIE_BITS), strict=True):
            number = number << width | part
        return number

    @classmethod
    def unpack(cls, number: int) -> _Cookie:
        parts = []
        for width in _COOKIE_BITS:
            parts.append(number & (1 << width) - 1)
            number >>= width
        position, flags, feed, skip, is_end = parts
        return cls(position, flags, feed, skip, bool(is_end))


class TextFile(File[str]):
    """A file of text, as `roundel.open` gives it in a mode without ``b``."""

    __slots__ = (
        "_bytes_per_character",
        "_chunks",
        "_decoder",
        "_encoder",
        "_is_ended",
        "_line_end",
        "_newline",
        "_tells",
        "_text",
        "_used",
    )
    _builtin: io.TextIOWrapper

    def __init__(
        self,
        builtin: io.TextIOWrapper,
        raw: io.FileIO,
        size: int,
        *,
        newline: str | None,
        is_shared: bool,
    ) -> None:
        super().__init__(builtin, raw, size, is_shared=is_shared)
        errors = builtin.errors or "strict"
        self._newline = newline
        # What is written for "\n".
        self._line_end = {None: os.linesep, "": "\n"}.get(newline, newline or "\n")
        decoder = codecs.getincrementaldecoder(builtin.encoding)(errors)
        self._decoder: codecs.IncrementalDecoder | io.IncrementalNewlineDecoder = decoder
        if not newline:
            self._decoder = io.IncrementalNewlineDecoder(decoder, translate=newline is None)
        self._encoder = codecs.getincrementalencoder(builtin.encoding)(errors)
        self._tells = builtin.seekable()
        self._text = ""  # decoded; what of it was used; where it comes from
        self._used = 0
        self._is_ended = False  # a line has been read that is the last
        self._bytes_per_character = 0.0
        self._chunks: list[_Chunk] = []
        if self._tells and builtin.writable():
            self._reset_encoder(self._buffer.position)

    @property
    def encoding(self) -> str:
        """The name of the encoding."""
        return self._builtin.encoding

    @property
    def errors(self) -> str | None:
        """What is done about what can't be encoded or decoded."""
        return self._builtin.errors

    @property
    def newlines(self) -> str | tuple[str, ...] | None:
        """The kinds of line end that have been read."""
        newlines = getattr(self._decoder, "newlines", None)
        return newlines  # it has a type by that

    @property
    def line_buffering(self) -> bool:
        """Whether each line is written at once."""
        return self._builtin.line_buffering

    # -- Reading

    async def read(self, size: int | None = -1) -> str:
        """Reads so many characters, less at the end of the file, or all that there are.

        Raises:
            OSError: The system can't read.
            UnicodeDecodeError: These bytes are no text.
        """
        async with self._lock:
            if self.closed or not self._builtin.readable():
                self._refuse("read", size)
            self._forget_used()
            if size is None or size < 0:
                return await self._read_all()
            while (missing := size - len(self._text) + self._used) > 0:
                if not await self._fill(missing):
                    break
            return self._take(size)

    async def _read_all(self) -> str:
        data = await self._buffer.read_all()
        try:
            return self._text[self._used :] + self._decoder.decode(data, final=True)
        finally:
            self._forget_text()

    async def readline(self, size: int | None = -1) -> str:
        """Reads until the end of a line, or so many characters of it at most.

        Raises:
            OSError: The system can't read.
            UnicodeDecodeError: These bytes are no text.
        """
        async with self._lock:
            if self.closed or not self._builtin.readable():
                self._refuse("readline", size)
            self._forget_used()
            return await self._read_line(-1 if size is None else size)

    async def readlines(self, hint: int | None = -1) -> list[str]:
        """Reads lines until the end, or until they are longer than `hint` together.

        Raises:
            OSError: The system can't read.
            UnicodeDecodeError: These bytes are no text.
        """
        async with self._lock:
            self._tells = False
            if self.closed or not self._builtin.readable():
                self._refuse("readlines", hint)
            self._forget_used()
            lines: list[str] = []
            start = self._used
            try:
                while line := await self._read_line(-1):
                    lines.append(line)
                    if hint is not None and 0 < hint < self._used - start:
                        return lines
            except BaseException:
                self._used, self._is_ended = start, False
                raise
            self._tells = self._builtin.seekable()
            return lines

    async def _next_line(self) -> str:
        self._tells = False
        if self.closed or not self._builtin.readable():
            self._refuse("__next__")
        self._forget_used()
        line = await self._read_line(-1)
        if not line:
            self._tells = self._builtin.seekable()
        return line

    async def _read_line(self, limit: int) -> str:
        start, seen = self._used, 0
        while start == len(self._text):
            if not await self._fill(0):
                self._is_ended = True
                return ""
        while (end := self._line_break(start, seen)) < 0:
            seen = len(self._text) - start
            if 0 <= limit <= seen:
                end = start + limit
                break
            if not await self._fill(0):
                end = len(self._text)
                self._is_ended = end - start <= limit or limit < 0
                break
        length = end - start
        return self._take(min(length, limit) if limit >= 0 else length)

    def _line_break(self, start: int, seen: int) -> int:
        """Finds where the line that begins at `start` ends after `seen` characters, or gives -1."""
        if self._newline == "":
            # The decoder never parts "\r\n".
            ends = [end + 1 for mark in "\n\r" if (end := self._text.find(mark, start + seen)) >= 0]
            end = min(ends, default=-1)
            return end + (end > 0 and self._text[end - 1 : end + 1] == "\r\n")
        mark = self._newline or "\n"
        end = self._text.find(mark, max(start, start + seen - len(mark) + 1))
        return end + len(mark) if end >= 0 else -1

    async def _fill(self, characters: int) -> bool:
        """Decodes what comes next, so many characters if possible; False at the end of the file."""
        data = await self._buffer.read1(max(_CHUNK, int(characters * self._bytes_per_character)))
        kept, flags = self._decoder.getstate()
        text = self._decoder.decode(data, final=not data)
        chunk = _Chunk(len(self._text), self._buffer.position, flags, kept + data)
        self._chunks.append(chunk)
        self._text += text
        self._bytes_per_character = len(data) / len(text) if text else 0
        return bool(data or text)

    def _take(self, size: int) -> str:
        start, self._used = self._used, min(self._used + size, len(self._text))
        return self._text[start : self._used]

    def _forget_used(self) -> None:
        """Forgets the chunks before the one that the place is in; after the last line, all."""
        if self._is_ended:
            self._forget_text()
        past = 0
        while past + 1 < len(self._chunks) and self._chunks[past + 1].start <= self._used:
            past += 1
        if past:
            start = self._chunks[past].start
            self._text = self._text[start:]
            self._used -= start
            self._chunks = [
                chunk._replace(start=chunk.start - start) for chunk in self._chunks[past:]
            ]

    def _forget_text(self) -> None:
        self._text, self._used = "", 0
        self._chunks.clear()
        self._is_ended = False

    # -- Writing

    async def write(self, text: str) -> int:
        """Writes the text, or keeps it back to write it with what comes next; returns its length.

        Cancelled while it waits for its turn, it has written nothing; cancelled later, it has
        written everything, or will together with what comes next.

        Raises:
            OSError: The system can't write.
            UnicodeEncodeError: The encoding has no bytes for it.
        """
        async with self._lock:
            return await self._write(text)

    async def writelines(self, lines: Iterable[str]) -> None:
        """Writes all that is in `lines`, without adding line ends.

        Raises:
            OSError: The system can't write.
            UnicodeEncodeError: The encoding has no bytes for it.
        """
        async with self._lock:
            if self.closed:
                self._refuse("writelines", lines)
            for line in lines:
                await self._write(line)

    async def _write(self, text: str) -> int:
        if self.closed or not self._builtin.writable() or not isinstance(text, str):
            return self._refuse("write", text)
        translated = text
        if self._line_end != "\n":
            translated = text.replace("\n", self._line_end)
        data = self._encoder.encode(translated)
        self._forget_text()
        self._decoder.reset()
        await self._buffer.write(data)
        if self._builtin.line_buffering and ("\n" in text or "\r" in text):
            await self._buffer.drain()
        return len(text)

    async def flush(self) -> None:
        """Writes what was kept back.

        Raises:
            OSError: The system can't write it. It is tried again later.
        """
        await super().flush()
        self._tells = self._builtin.seekable()

    async def truncate(self, size: int | None = None) -> int:
        """Makes the file end after `size` bytes, or at the position, and returns its new size.

        Raises:
            OSError: The system can't do it.
        """
        self._tells = self._builtin.seekable()
        return await super().truncate(size)

    def _reset_encoder(self, position: int) -> None:
        if position:
            self._encoder.setstate(0)  # no byte order mark in the middle
        else:
            self._encoder.reset()

    # -- Position

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place that `tell` gave, to the beginning, or to the end (`os.SEEK_END`).

        Raises:
            OSError: There is no such place.
        """
        async with self._lock:
            is_simple = whence == os.SEEK_SET or (
                whence in (os.SEEK_CUR, os.SEEK_END) and not offset
            )
            is_wrong = not is_simple or offset < 0
            if self.closed or not self._builtin.seekable() or is_wrong:
                return self._refuse("seek", offset, whence)
            if whence == os.SEEK_END:
                offset = await self._buffer.seek(0, os.SEEK_END)
                self._forget_text()
                self._decoder.reset()
            else:
                if whence == os.SEEK_CUR:
                    self._check_tells()
                    offset = await self._tell()
                await self._go_to(offset)
            self._tells = True
            self._reset_encoder(offset)
            return offset

    async def _go_to(self, place: int) -> None:
        cookie = _Cookie.unpack(place)
        await self._buffer.seek(cookie.position, os.SEEK_SET)
        self._forget_text()
        if not place:
            self._decoder.reset()
            return
        self._decoder.setstate((b"", cookie.flags))
        data = await self._buffer.read(cookie.feed) if cookie.skip else b""
        self._chunks.append(_Chunk(0, self._buffer.position, cookie.flags, data))
        if cookie.skip:
            self._text = self._decoder.decode(data, final=cookie.is_end)
            self._used = cookie.skip
            if len(self._text) < cookie.skip:
                raise OSError("can't restore logical file position")

    async def tell(self) -> int:
        """Returns the place in the text, as an opaque number for `seek`.

        Raises:
            OSError: The file has no places, or is just being iterated over.
        """
        async with self._lock:
            if self.closed or not self._builtin.seekable():
                return self._refuse("tell")
            self._check_tells()
            return await self._tell()

    def _check_tells(self) -> None:
        if not self._tells:
            raise OSError("telling position disabled by next() call")

    async def _tell(self) -> int:
        await self._buffer.drain()
        self._forget_used()
        if not self._chunks:
            return self._buffer.position
        chunk = self._chunks[0]
        return self._locate(chunk, self._used - chunk.start).pack()

    def _locate(self, chunk: _Chunk, skip: int) -> _Cookie:
        """Finds from where on to decode to get to the place after `skip` characters of a chunk."""
        position = chunk.position - len(chunk.data)
        if not skip:
            return _Cookie(position, chunk.flags)
        state = self._decoder.getstate()
        try:
            lengths = range(len(chunk.data) + 1)
            feed = bisect_left(lengths, skip, key=partial(self._characters, chunk))
            is_end = feed == len(lengths)
            if is_end:
                feed -= 1
            for start in range(feed, -1, -1):
                before = self._characters(chunk, start)
                kept, flags = self._decoder.getstate()
                if not kept and before <= skip:
                    break
            return _Cookie(position + start, flags, feed - start, skip - before, is_end)
        finally:
            self._decoder.setstate(state)

    def _characters(self, chunk: _Chunk, length: int) -> int:
        """Counts the characters in the first bytes of a chunk."""
        self._decoder.setstate((b"", chunk.flags))
        return len(self._decoder.decode(chunk.data[:length]))
