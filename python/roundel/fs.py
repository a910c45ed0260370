"""The file system, awaitable: the functions of `os` and `os.path` under their own names.

Each is done in a thread of the event loop's default executor and has the arguments, results and
exceptions of its model. A call that is cancelled after it has begun takes its course.
"""

from __future__ import annotations

import os
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from roundel._blocking import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from _typeshed import StrPath

    from roundel._binary_file import BinaryFile
    from roundel._text_file import TextFile

__all__ = [
    "access",
    "chmod",
    "exists",
    "fdatasync",
    "fsync",
    "getsize",
    "isdir",
    "isfile",
    "islink",
    "ismount",
    "link",
    "listdir",
    "lstat",
    "makedirs",
    "mkdir",
    "read_bytes",
    "read_text",
    "readlink",
    "remove",
    "removedirs",
    "rename",
    "renames",
    "replace",
    "rmdir",
    "samefile",
    "scandir",
    "stat",
    "statvfs",
    "symlink",
    "unlink",
    "utime",
    "write_bytes",
    "write_text",
]

_T = TypeVar("_T")
_P = ParamSpec("_P")


def _awaitable(function: Callable[_P, _T]) -> Callable[_P, Coroutine[object, None, _T]]:
    @wraps(function)
    async def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await in_thread(function, *args, **kwargs)

    call.__module__ = __name__
    return call


access = _awaitable(os.access)
chmod = _awaitable(os.chmod)
link = _awaitable(os.link)
listdir = _awaitable(os.listdir)
lstat = _awaitable(os.lstat)
makedirs = _awaitable(os.makedirs)
mkdir = _awaitable(os.mkdir)
readlink = _awaitable(os.readlink)
remove = _awaitable(os.remove)
removedirs = _awaitable(os.removedirs)
rename = _awaitable(os.rename)
renames = _awaitable(os.renames)
replace = _awaitable(os.replace)
rmdir = _awaitable(os.rmdir)
stat = _awaitable(os.stat)
statvfs = _awaitable(os.statvfs)
symlink = _awaitable(os.symlink)
unlink = _awaitable(os.unlink)
utime = _awaitable(os.utime)

exists = _awaitable(os.path.exists)
getsize = _awaitable(os.path.getsize)
isdir = _awaitable(os.path.isdir)
isfile = _awaitable(os.path.isfile)
islink = _awaitable(os.path.islink)
ismount = _awaitable(os.path.ismount)
samefile = _awaitable(os.path.samefile)


async def scandir(path: StrPath = ".") -> list[os.DirEntry[str]]:
    """Lists a directory as `os.scandir` does, to the end.

    Raises:
        OSError: It can't be read.
    """

    def scan() -> list[os.DirEntry[str]]:
        with os.scandir(path) as entries:
            return list(entries)

    return await in_thread(scan)


async def read_bytes(path: StrPath) -> bytes:
    """Reads a whole file.

    Raises:
        OSError: It can't be read.
    """
    return await in_thread(Path(path).read_bytes)


async def read_text(path: StrPath, encoding: str | None = None, errors: str | None = None) -> str:
    """Reads a whole file of text.

    Raises:
        OSError: It can't be read.
        UnicodeDecodeError: It is no text.
    """
    return await in_thread(Path(path).read_text, encoding, errors)


async def write_bytes(path: StrPath, data: bytes | bytearray | memoryview) -> int:
    """Makes a file of this content in the place of any that there is; returns its length.

    Raises:
        OSError: It can't be written.
    """
    return await in_thread(Path(path).write_bytes, data)


async def write_text(
    path: StrPath,
    text: str,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> int:
    """Makes a file of this text in the place of any that there is; returns its length.

    Raises:
        OSError: It can't be written.
        UnicodeEncodeError: The encoding has no bytes for it.
    """
    return await in_thread(Path(path).write_text, text, encoding, errors, newline)


async def fsync(file: BinaryFile | TextFile | int) -> None:
    """Has everything that was written to a file, or a descriptor, reach the disk.

    Raises:
        OSError: The system can't do it.
    """
    await in_thread(os.fsync, await _flushed(file))


async def fdatasync(file: BinaryFile | TextFile | int) -> None:
    """Like `fsync`, but for what only `stat` would show.

    Raises:
        OSError: The system can't do it.
    """
    await in_thread(os.fdatasync, await _flushed(file))


async def _flushed(file: BinaryFile | TextFile | int) -> int:
    if isinstance(file, int):
        return file
    await file.flush()
    return file.fileno()
