"""What a file's readers have not asked for yet, and its writers have, but it has not got."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from roundel import _roundel
from roundel._blocking import in_thread

if TYPE_CHECKING:
    import io


class Buffered:
    """A file's bytes, with one position for reading and writing, as `io`'s buffered files have it.

    None of its methods may be called while another one is awaited. Whatever is cancelled, no byte
    is lost: what was read stays here for the next one to read, what could not be written yet is
    written with what comes next.

    Args:
        file: Python's own file, which owns the descriptor. Of it only what does no I/O is used.
        size: How much is read ahead, and how much kept back from being written; 0 for nothing.
        is_shared: Whether somebody else uses the descriptor, so that its position is his, too.
    """

    __slots__ = ("_ahead", "_file", "_is_shared", "_pending", "_raw", "_used", "size")

    def __init__(self, file: io.FileIO, size: int, *, is_shared: bool) -> None:
        self._file = file
        self.size = size
        kind = os.fstat(file.fileno()).st_mode
        is_storage = stat.S_ISREG(kind) or stat.S_ISBLK(kind)
        self._raw = _roundel.RawFile(file, file.fileno(), is_storage, "a" in file.mode)
        self._is_shared = is_shared and is_storage
        if is_storage:
            self._raw.position = file.tell()
        self._ahead = b""  # what was read ahead; what of it was used; what is to be written
        self._used = 0
        self._pending = bytearray()

    @property
    def is_storage(self) -> bool:
        """Whether the file is on a disk, or something like that."""
        return self._raw.is_storage

    @property
    def is_prompt(self) -> bool:
        """Whether the file system answers at once, as those of one's own disks do."""
        return self._raw.is_prompt

    # -- Position

    @property
    def position(self) -> int:
        """Where the next byte is read or written."""
        return self._raw.position - len(self._ahead) + self._used + len(self._pending)

    async def seek(self, offset: int, whence: int) -> int:
        """Goes elsewhere, once everything is written."""
        await self.drain()
        if whence == os.SEEK_CUR:
            offset, whence = offset + self.position, os.SEEK_SET
        self._raw.position = position = self._file.seek(offset, whence)
        self._ahead, self._used = b"", 0
        return position

    async def truncate(self, size: int | None) -> int:
        """Makes the file as long as `size` says, or end at the position."""
        await self.drain()
        self._forget_ahead()
        if size is None:
            size = self.position
        return await in_thread(self._file.truncate, size)

    # -- Reading

    async def fill(self, size: int) -> bool:
        """Reads on, what is there already being kept; returns False at the end of the file."""
        chunk = await self._read_raw(size)
        self._ahead = self._ahead[self._used :] + chunk
        self._used = 0
        return bool(chunk)

    def take(self, size: int) -> bytes:
        """Gives at most so many bytes of those that were read."""
        start = self._used
        self._used = min(start + size, len(self._ahead))
        data = self._ahead[start : self._used]
        if not self.size:
            self._forget_ahead()
        return data

    def peek(self) -> bytes:
        """Shows what was read ahead."""
        return self._ahead[self._used :]

    async def read(self, size: int) -> bytes:
        """Reads so many bytes, less at the end of the file."""
        if self._pending:
            await self.drain()
        missing = size - len(self._ahead) + self._used
        if missing <= 0:
            return self.take(size)
        if not self._raw.is_storage:
            return await self._read_stream(size)
        if missing < self.size:
            await self.fill(self.size)
            return self.take(size)
        rest = await self._read_raw(missing)
        data = self._ahead[self._used :] + rest
        self._ahead, self._used = b"", 0
        return data

    async def _read_stream(self, size: int) -> bytes:
        """Reads from what gives little at a time; without a buffer, whatever it gives."""
        if not self.size:
            return self.peek() or await self._read_raw(size)
        while len(self._ahead) - self._used < size and await self.fill(
            max(self.size, size - len(self._ahead) + self._used)
        ):
            pass
        return self.take(size)

    async def read1(self, size: int) -> bytes:
        """Reads what can be had by one call, so many bytes at most."""
        if self._pending:
            await self.drain()
        if self._used < len(self._ahead):
            return self.take(size)
        return await self._read_raw(size)

    async def read_all(self) -> bytes:
        """Reads until the end of the file."""
        if self._pending:
            await self.drain()
        missing = 0
        if self._raw.is_storage:
            missing = os.fstat(self._file.fileno()).st_size - self._raw.position
        while await self.fill(max(missing, self.size, len(self._ahead), 8192)):
            missing = 0
        return self.take(len(self._ahead))

    async def read_line(self, limit: int) -> bytes:
        """Reads until the end of a line, or so many bytes at most if `limit` is not negative."""
        if self._pending:
            await self.drain()
        seen = 0
        while True:
            end = self._ahead.find(b"\n", self._used + seen) + 1 - self._used
            seen = len(self._ahead) - self._used
            if end > 0 or 0 <= limit <= seen or not await self.fill(self._line_step()):
                break
        if end <= 0:
            end = seen
        return self.take(min(end, limit) if limit >= 0 else end)

    async def read_lines(self, least: int) -> bytes:
        """Reads whole lines, so many bytes at least, or all that there are for 0."""
        if self._pending:
            await self.drain()
        while True:
            end, length = 0, len(self._ahead) - self._used
            if 0 < least <= length:
                end = self._ahead.find(b"\n", self._used + least - 1) + 1 - self._used
            if end > 0:
                return self.take(end)
            if not await self.fill(self._line_step()):
                return self.take(length)

    def _line_step(self) -> int:
        if not self.size and not self._raw.is_storage:
            return 1  # what is too much could not be given back
        return max(self.size, len(self._ahead), 512)

    async def _read_raw(self, size: int) -> bytes:
        if self._is_shared:
            self._raw.position = self._file.tell()
        data = await self._raw.read(size)
        if self._is_shared:
            self._file.seek(self._raw.position)
        return data

    def _forget_ahead(self) -> None:
        if self._raw.is_storage and self._ahead:
            self._raw.position = position = self._raw.position - len(self._ahead) + self._used
            self._ahead, self._used = b"", 0
            if self._is_shared:
                self._file.seek(position)

    # -- Writing

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Takes the data over to be written, and writes if that is more than is kept back."""
        self._forget_ahead()
        if len(self._pending) + len(data) <= self.size:
            self._pending += data
            return
        if self._pending:
            await self.drain()
        if len(data) < self.size:
            self._pending += data
        else:
            await self._write_raw(data)

    async def drain(self) -> None:
        """Writes what is to be written."""
        if self._pending:
            data, self._pending = self._pending, bytearray()
            await self._write_raw(data)

    async def _write_raw(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_shared:
            self._raw.position = self._file.tell()
        try:
            await self._raw.write(data)
        except BaseException as exception:
            # As Python's own files: without a buffer, an error is the end of it.
            if self.size or isinstance(exception, asyncio.CancelledError):
                self._pending = bytearray(data[self._raw.taken :])
            raise
        finally:
            if self._raw.appends:
                self._raw.position = self._file.tell()
            elif self._is_shared:
                self._file.seek(self._raw.position)
