"""The file system's functions."""

import os
import re

import pytest

import roundel
from roundel import fs


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_are_written_and_read_whole(run):
    async def main():
        assert await fs.write_bytes("bytes", b"a\0b") == 3
        assert await fs.read_bytes("bytes") == b"a\0b"
        assert await fs.write_text("text", "ü\n", "utf-8", newline="\r\n") == 2
        assert await fs.read_bytes("text") == b"\xc3\xbc\r\n"
        assert await fs.read_text("text", encoding="utf-8") == "ü\n"
        with pytest.raises(UnicodeDecodeError):
            await fs.read_text("text", "ascii")
        assert await fs.read_text("text", "ascii", "ignore") == "\n"

    run(main())


def test_files_come_and_go(run, folder):
    async def main():
        await fs.makedirs("a/b/c", exist_ok=True)
        await fs.mkdir("a/d", 0o700)
        await fs.write_bytes("a/b/c/one", b"1")
        await fs.rename("a/b/c/one", "a/two")
        await fs.replace("a/two", "a/three")
        await fs.link("a/three", "a/hard")
        await fs.symlink("three", "a/soft")
        await fs.chmod("a/three", 0o600)
        await fs.utime("a/three", (1, 2))
        assert await fs.readlink("a/soft") == "three"
        assert (await fs.stat("a/soft")).st_mtime == 2
        assert await fs.islink("a/soft")
        assert (await fs.lstat("a/soft")).st_mtime != 2
        assert await fs.samefile("a/hard", "a/three")
        assert sorted(await fs.listdir("a")) == ["b", "d", "hard", "soft", "three"]
        entries = await fs.scandir("a")
        assert {entry.name for entry in entries if entry.is_dir()} == {"b", "d"}
        await fs.unlink("a/soft")
        await fs.remove("a/hard")
        await fs.renames("a/three", "e/f")
        await fs.rmdir("a/d")
        await fs.removedirs("a/b/c")

    run(main())
    assert [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))] == ["e", "e/f"]


def test_questions_are_answered(run):
    async def main():
        await fs.write_bytes("file", b"123")
        assert await fs.exists("file")
        assert not await fs.exists("other")
        assert await fs.isfile("file")
        assert await fs.isdir(".")
        assert not await fs.ismount("file")
        assert await fs.getsize("file") == 3
        assert await fs.access("file", os.R_OK)
        assert await fs.stat("file") == os.stat("file")
        assert (await fs.statvfs(".")).f_bsize == os.statvfs(".").f_bsize

    run(main())


def test_what_was_written_reaches_the_disk(run):
    async def main():
        async with roundel.open("file", "w") as file:
            await file.write("kept back")
            await fs.fsync(file)
            assert os.path.getsize("file") == 9
            await file.write(", too")
            await fs.fdatasync(file)
            await fs.fsync(file.fileno())
        with pytest.raises(ValueError, match="closed file"):
            await fs.fsync(file)

    run(main())
    assert os.path.getsize("file") == 14


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("stat", ["missing"]),
        ("stat", [1.5]),
        ("listdir", ["missing"]),
        ("mkdir", ["."]),
        ("mkdir", []),
        ("remove", ["."]),
        ("rename", ["missing", "other"]),
        ("rmdir", ["missing"]),
        ("readlink", ["."]),
        ("symlink", ["x"]),
        ("fsync", [-1]),
        ("getsize", ["missing"]),
    ],
)
def test_errors_are_those_of_os(run, name, args):
    model = getattr(os, name, None) or getattr(os.path, name)
    with pytest.raises(Exception) as expected:
        model(*args)

    async def main():
        await getattr(fs, name)(*args)

    with pytest.raises(expected.type) as found:
        run(main())
    assert re.sub("call.*? ", "", str(found.value)) == re.sub("call.*? ", "", str(expected.value))
    assert getattr(found.value, "errno", None) == getattr(expected.value, "errno", None)
    assert getattr(found.value, "filename", None) == getattr(expected.value, "filename", None)


def test_everything_is_awaitable_and_described():
    for name in fs.__all__:
        function = getattr(fs, name)
        assert function.__doc__
        assert function.__module__ == "roundel.fs"


def test_another_loop_is_refused(run):
    import asyncio

    with pytest.raises(RuntimeError, match="roundel's files need roundel's event loop"):
        asyncio.run(fs.stat("."))
