"""`roundel.open`: Python's `open`, to be awaited."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast, overload

from roundel._binary_file import BinaryFile
from roundel._blocking import running_loop
from roundel._text_file import TextFile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

    from _typeshed import FileDescriptorOrPath, OpenBinaryMode, OpenTextMode

    _Opener = Callable[[str, int], int]

_File_co = TypeVar("_File_co", bound=BinaryFile | TextFile, covariant=True)


class Opening(Generic[_File_co]):
    """A file that is about to be opened: await it, or enter it by ``async with``, which closes."""

    __module__ = "roundel"
    __slots__ = ("_coroutine", "_file")

    def __init__(self, coroutine: Coroutine[object, None, _File_co]) -> None:
        self._coroutine = coroutine
        self._file: _File_co

    def __await__(self) -> Generator[object, None, _File_co]:
        return self._coroutine.__await__()

    async def __aenter__(self) -> _File_co:
        self._file = await self._coroutine
        return self._file

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._file.close()


@overload
def open(  # noqa: A001
    file: FileDescriptorOrPath,
    mode: OpenTextMode = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: _Opener | None = None,
) -> Opening[TextFile]: ...
@overload
def open(  # noqa: A001
    file: FileDescriptorOrPath,
    mode: OpenBinaryMode,
    buffering: int = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
    opener: _Opener | None = None,
) -> Opening[BinaryFile]: ...
def open(  # noqa: A001  # it is what Python's own open is
    file: FileDescriptorOrPath,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: _Opener | None = None,
) -> Opening[TextFile | BinaryFile]:
    """Opens a file whose operations can be awaited, without blocking the event loop.

    Use it as ``async with roundel.open(path) as file:`` or ``file = await roundel.open(path)``. The
    arguments are those of Python's own `open`, and so are the results and exceptions of all that
    the file does.

    Args:
        file: A path, or a descriptor.
        mode: ``"r"``, ``"w"``, ``"x"`` or ``"a"``, with ``"b"`` for bytes, ``"+"`` for both ways.
        buffering: The size of the buffer; 0 for none, 1 for lines of text.
        encoding: How text is encoded.
        errors: What is done about text that can't be.
        newline: What is a line end, and what is written as such.
        closefd: Whether a descriptor is closed with the file.
        opener: Called in a thread in the place of `os.open`.
    """
    call = partial(io.open, file, mode, buffering, encoding, errors, newline, closefd, opener)
    size = buffering if buffering > 1 or not buffering else io.DEFAULT_BUFFER_SIZE
    return Opening(_open(call, size, newline, is_shared=isinstance(file, int)))


class _InThread:
    """Opens a file in a thread, and closes it if it has been given up meanwhile."""

    def __init__(self, call: Callable[[], io.IOBase]) -> None:
        self._call = call
        self._file: io.IOBase | None = None
        self._is_given_up = False

    def __call__(self) -> io.IOBase:
        self._file = file = self._call()
        if self._is_given_up:
            file.close()
        return file

    def give_up(self) -> None:
        # Whichever thread comes second sees what the other one has done; both of them are welcome.
        self._is_given_up = True
        if self._file:
            self._file.close()


async def _open(
    call: Callable[[], io.IOBase], size: int, newline: str | None, *, is_shared: bool
) -> TextFile | BinaryFile:
    opener = _InThread(call)
    try:
        builtin = await running_loop().run_in_executor(None, opener)
    except asyncio.CancelledError:
        opener.give_up()
        raise
    try:
        if isinstance(builtin, io.TextIOWrapper):
            raw = _raw_of(builtin.buffer)
            return TextFile(builtin, raw, size, newline=newline, is_shared=is_shared)
        return BinaryFile(builtin, _raw_of(builtin), size, is_shared=is_shared)
    except BaseException:
        builtin.close()
        raise


_open.__qualname__ = "open"  # as warnings of those that are never awaited call it


def _raw_of(file: object) -> io.FileIO:
    return cast("io.FileIO", getattr(file, "raw", file))
