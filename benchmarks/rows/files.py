"""Reading and writing files: aiofiles by threads, or roundel's own."""

import asyncio
import os
import sys
import tempfile

import aiofiles

from .row import row

BLOCK = 4096
FILE = 64 * 1024


def awaitable_open():
    """Returns roundel's `open` where roundel has taken asyncio's place, else aiofiles'."""
    roundel = sys.modules.get("roundel")
    is_installed = roundel is not None and asyncio.Queue is roundel.Queue
    return roundel.open if is_installed else aiofiles.open


class Scratch:
    """A file of 64 KiB, in the page cache."""

    def __enter__(self) -> str:
        fd, self._path = tempfile.mkstemp()
        with open(fd, "wb") as file:
            file.write(os.urandom(FILE))
        return self._path

    def __exit__(self, *exc_info: object) -> None:
        os.unlink(self._path)


@row("file read 4 KiB", 2_000, 5)
async def read_blocks(n: int) -> None:
    with Scratch() as path:
        async with awaitable_open()(path, "rb") as file:
            for _ in range(n // 16):
                for _ in range(16):
                    await file.read(BLOCK)
                await file.seek(0)


@row("file read lines", 2_000, 5)
async def read_lines(n: int) -> None:
    with Scratch() as path:
        with open(path, "w") as file:
            file.writelines(f"line {number}\n" for number in range(n))
        async with awaitable_open()(path) as file:
            async for _ in file:
                pass


@row("file open, read, close", 500, None)
async def read_files(n: int) -> None:
    with Scratch() as path:
        for _ in range(n):
            async with awaitable_open()(path, "rb") as file:
                await file.read()


@row("file write 4 KiB", 2_000, 5)
async def write_blocks(n: int) -> None:
    block = bytes(BLOCK)
    with Scratch() as path:
        async with awaitable_open()(path, "r+b") as file:
            for _ in range(n // 16):
                for _ in range(16):
                    await file.write(block)
                await file.seek(0)
