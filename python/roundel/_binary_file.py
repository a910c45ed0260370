"""Files of bytes, and what files of text have in common with them."""

from __future__ import annotations

import asyncio
import io
import os
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from roundel import _roundel
from roundel._blocking import running_loop
from roundel._buffered import Buffered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from types import TracebackType
    from typing import Never, Self

    from _typeshed import ReadableBuffer, WriteableBuffer

_WHENCES = (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END, os.SEEK_DATA, os.SEEK_HOLE)

_Line = TypeVar("_Line", str, bytes)


class File(Generic[_Line]):
    """A file that can be awaited: what bytes and text have in common.

    Operations are done in the order in which they are first awaited, one at a time. What Python's
    own file of the same kind says to a wrong call, this says, too: it is asked.

    Args:
        builtin: The file as `open` made it. Of it only what does no I/O is used.
        raw: Its lowest layer, which owns the descriptor.
        size: The size of the buffer, 0 for none.
        is_shared: Whether the descriptor is somebody else's, too.
    """

    __module__ = "roundel"
    __slots__ = ("__weakref__", "_buffer", "_builtin", "_lock")

    def __init__(self, builtin: io.IOBase, raw: io.FileIO, size: int, *, is_shared: bool) -> None:
        self._builtin = builtin
        self._buffer = Buffered(raw, size, is_shared=is_shared)
        self._lock = _roundel.Lock()

    @property
    def name(self) -> str | bytes | int:
        """What the file was opened by."""
        return cast("str | bytes | int", self._builtin.name)  # type: ignore[attr-defined]

    @property
    def mode(self) -> str:
        """How the file was opened, in the words of Python's own file."""
        return cast("str", self._builtin.mode)  # type: ignore[attr-defined]

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._builtin.closed

    def fileno(self) -> int:
        """Returns the descriptor.

        Raises:
            ValueError: The file is closed.
        """
        return self._builtin.fileno()

    def readable(self) -> bool:
        """Tells whether the file was opened for reading."""
        return self._builtin.readable()

    async def writable(self) -> bool:
        """Tells whether the file was opened for writing."""
        return self._builtin.writable()

    async def seekable(self) -> bool:
        """Tells whether the file has places to go to."""
        return self._builtin.seekable()

    async def isatty(self) -> bool:
        """Tells whether the file is a terminal."""
        return self._builtin.isatty()

    async def flush(self) -> None:
        """Writes what was kept back.

        Raises:
            OSError: The system can't write it. It is tried again later.
        """
        async with self._lock:
            if self.closed:
                self._builtin.flush()
            await self._buffer.drain()

    async def close(self) -> None:
        """Writes what was kept back and closes the file; does nothing if it is closed.

        Cancelled once it has begun, it closes the file all the same.

        Raises:
            OSError: Not all could be written. The file is closed all the same.
        """
        async with self._lock:
            if self.closed:
                return
            try:
                await self._buffer.drain()
            except asyncio.CancelledError:
                if self._buffer.is_storage:  # whose writing does not take long
                    await self._buffer.drain()
                self._close_in_thread()
                raise
            except BaseException:
                self._builtin.close()
                raise
            if self._builtin.writable() or not self._buffer.is_prompt:
                await _roundel.shield(self._close_in_thread())
            else:
                self._builtin.close()

    def _close_in_thread(self) -> asyncio.Future[None]:
        return running_loop().run_in_executor(None, self._builtin.close)

    async def truncate(self, size: int | None = None) -> int:
        """Makes the file end after `size` bytes, or at the position, and returns its new size.

        Raises:
            OSError: The system can't do it.
        """
        async with self._lock:
            if self.closed or not self._builtin.writable():
                return self._refuse("truncate", size)
            return await self._buffer.truncate(size)

    def _refuse(self, method: str, *args: object) -> Never:
        """Has Python's own file raise what it has to say to a wrong call."""
        getattr(self._builtin, method)(*args)
        raise AssertionError(f"{method}{args} was to be refused")

    async def __aenter__(self) -> Self:
        if self.closed:
            self._builtin.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[_Line]:
        if self.closed:
            self._refuse("__iter__")
        return self

    async def __anext__(self) -> _Line:
        async with self._lock:
            line = await self._next_line()
        if not line:
            raise StopAsyncIteration
        return line

    async def _next_line(self) -> _Line:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<roundel.{type(self).__name__} name={self.name!r} mode={self.mode!r}>"


class BinaryFile(File[bytes]):
    """A file of bytes, as `roundel.open` gives it in a mode with ``b``."""

    __slots__ = ()

    async def read(self, size: int | None = -1) -> bytes:
        """Reads so many bytes, less at the end of the file, or all that there are.

        Raises:
            OSError: The system can't read.
        """
        async with self._lock:
            is_wrong = size is not None and size < -1 and self._buffer.size
            if self.closed or not self._builtin.readable() or is_wrong:
                self._refuse("read", size)
            if size is None or size < 0:
                return await self._buffer.read_all()
            return await self._buffer.read(size)

    async def read1(self, size: int = -1) -> bytes:
        """Reads what can be had by one call of the system.

        Raises:
            OSError: The system can't read.
        """
        async with self._lock:
            if self.closed or not self._builtin.readable() or not self._buffer.size:
                self._refuse("read1", size)
            return await self._buffer.read1(size if size >= 0 else self._buffer.size)

    async def readinto(self, buffer: WriteableBuffer) -> int:
        """Reads as much as there is room for, less at the end of the file; returns how much.

        Raises:
            OSError: The system can't read.
        """
        return await self._read_into("readinto", buffer)

    async def readinto1(self, buffer: WriteableBuffer) -> int:
        """Reads into `buffer` what can be had by one call of the system; returns how much.

        Raises:
            OSError: The system can't read.
        """
        return await self._read_into("readinto1", buffer)

    async def _read_into(self, method: str, buffer: WriteableBuffer) -> int:
        async with self._lock:
            if self.closed or not self._builtin.readable() or not hasattr(self._builtin, method):
                self._refuse(method, buffer)
            try:
                view = memoryview(buffer).cast("B")
            except TypeError:
                return self._refuse(method, buffer)
            if view.readonly:
                self._refuse(method, buffer)
            read = self._buffer.read if method == "readinto" else self._buffer.read1
            data = await read(len(view))
            view[: len(data)] = data
            return len(data)

    async def peek(self, size: int = 0) -> bytes:
        """Shows bytes that come next, some if there are any, without going on.

        Raises:
            OSError: The system can't read.
        """
        async with self._lock:
            if self.closed or not hasattr(self._builtin, "peek"):
                self._refuse("peek", size)
            await self._buffer.drain()
            if not self._buffer.peek():
                await self._buffer.fill(self._buffer.size)
            return self._buffer.peek()

    async def readline(self, size: int | None = -1) -> bytes:
        """Reads until the end of a line, or so many bytes of it at most.

        Raises:
            OSError: The system can't read.
        """
        async with self._lock:
            if self.closed or not self._builtin.readable():
                if size == 0 and not self.closed:
                    return b""
                self._refuse("readline", size)
            return await self._buffer.read_line(-1 if size is None else size)

    async def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Reads lines until the end, or until they are longer than `hint` together.

        Raises:
            OSError: The system can't read.
        """
        async with self._lock:
            if self.closed or not self._builtin.readable():
                self._refuse("readlines", hint)
            data = await self._buffer.read_lines(hint + 1 if hint and hint > 0 else 0)
        return io.BytesIO(data).readlines()

    async def _next_line(self) -> bytes:
        if self.closed or not self._builtin.readable():
            self._refuse("__next__")
        return await self._buffer.read_line(-1)

    async def write(self, data: ReadableBuffer) -> int:
        """Writes the data, or keeps it back to write it with what comes next; returns its length.

        Cancelled while it waits for its turn, it has written nothing; cancelled later, it has
        written everything, or will together with what comes next.

        Raises:
            OSError: The system can't write.
        """
        async with self._lock:
            return await self._write(data)

    async def writelines(self, lines: Iterable[ReadableBuffer]) -> None:
        """Writes all that is in `lines`, without adding line ends.

        Raises:
            OSError: The system can't write.
        """
        async with self._lock:
            if self.closed:
                self._refuse("writelines", lines)
            for line in lines:
                await self._write(line)

    async def _write(self, data: ReadableBuffer) -> int:
        if self.closed or not self._builtin.writable():
            self._refuse("write", data)
        try:
            view = data if type(data) is bytes else memoryview(data).cast("B")
        except TypeError:
            return self._refuse("write", data)
        await self._buffer.write(view)
        return len(view)

    async def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Goes to a place, counted from the beginning, the position or the end, and returns it.

        Raises:
            OSError: There is no such place.
        """
        async with self._lock:
            if self.closed or not self._builtin.seekable() or whence not in _WHENCES:
                self._refuse("seek", offset, whence)
            return await self._buffer.seek(offset, whence)

    async def tell(self) -> int:
        """Returns the position.

        Raises:
            OSError: The file has none.
        """
        async with self._lock:
            if self.closed or not self._builtin.seekable():
                self._refuse("tell")
            return self._buffer.position
