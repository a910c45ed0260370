"""Random programs on Python's own files and on roundel's: equal logs, equal files."""

import random

import pytest

import roundel

MODES = ["r", "r+", "w", "w+", "a", "a+", "x", "x+"]
ENCODINGS = ["utf-8", "utf-16", "utf-8-sig", "latin-1", "shift_jis", "utf-32"]
NEWLINES = [None, "", "\n", "\r", "\r\n"]
LINES = [
    "",
    "a\n",
    "hällo\r\n",
    "x" * 40 + "\n",
    "ü\r",
    "no end",
    "\n\n",
    "yy\r\r\n",
    "y" * 9000 + "\n",
]


def contents(rng, *, big):
    lines = [rng.choice(LINES[: None if big else -1]) for _ in range(rng.randrange(30))]
    return "".join(lines)


def binary_operation(rng):
    size = rng.choice([0, 1, 3, 10, 100, 5000, 20000])
    data = bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 5, 300])))
    data *= rng.choice([1, 1, 1, 100])
    return rng.choice(
        [
            ("read", size),
            ("read", size),
            ("read",),
            ("read", None),
            ("read", -1),
            ("read", -2),
            ("readline",),
            ("readline", size),
            ("readlines",),
            ("readlines", size),
            ("readinto", bytearray(size)),
            ("readinto", b"abc"),
            ("write", data),
            ("write", data),
            ("write", bytearray(data)),
            ("write", "text"),
            ("writelines", [data, memoryview(data), b"x"]),
            ("seek", size),
            ("seek", -1),
            ("seek", 0, 2),
            ("seek", -min(size, 10), 2),
            ("seek", min(size, 10), 1),
            ("seek", 0, 99),
            ("tell",),
            ("truncate",),
            ("truncate", size),
            ("flush",),
        ]
    )


def text_operation(rng):
    size = rng.choice([0, 1, 3, 10, 100, 5000])
    text = rng.choice(["", "a", "zwölf\n", "q" * 100, "a\r\nb\rc\n", "long" * 3000])
    return rng.choice(
        [
            ("read", size),
            ("read", size),
            ("read",),
            ("read", None),
            ("readline",),
            ("readline",),
            ("readline", size),
            ("readlines",),
            ("readlines", size),
            ("write", text),
            ("write", text),
            ("write", b"bytes"),
            ("writelines", [text, "x", text]),
            ("seek", 0),
            ("seek", 0, 2),
            ("seek", 0, 1),
            ("seek", 5, 1),
            ("seek", 0, 99),
            ("seek", "told"),
            ("tell",),
            ("tell",),
            ("truncate",),
            ("flush",),
            ("next",),
        ]
    )


def without_quirks(options, program):
    """Leaves out what Python's own files do by mistake while they are iterated over.

    They know no place then. If one is asked for after a flush, they give the end of what they have
    decoded; and what they have decoded is not forgotten when something is written.
    """
    left_out = {"flush", "truncate"}
    if "+" in options["mode"]:
        left_out |= {"next", "readlines"}
    return [step for step in program if step[0] not in left_out]


def at_the_end(program):
    """Has a program that appends go to the end after each write, where it is then anyway.

    Python's own files may then read on from what they had read before.
    """
    for step in program:
        yield step
        if step[0].startswith("write"):
            yield "seek", 0, 2


def shown(method, args, result):
    if method == "readinto":
        return result, bytes(args[0])
    return result


def error_of(error):
    return type(error), str(error), getattr(error, "errno", None)


def run_builtin(path, options, program):
    log = []
    try:
        file = open(path, **options)  # noqa: SIM115
    except (OSError, ValueError) as error:
        return [error_of(error)]
    told = [0]
    for method, *args in program:
        try:
            if method == "next":
                log.append(next(file, "end"))
                continue
            if method == "seek" and args == ["told"]:
                args = [told[-1]]
            result = getattr(file, method)(*args)
            log.append(shown(method, args, result))
            if method == "tell":
                told.append(result)
        except Exception as error:
            log.append(error_of(error))
    file.close()
    log.append(file.closed)
    return log


async def run_awaitable(path, options, program):
    log = []
    try:
        file = await roundel.open(path, **options)
    except (OSError, ValueError) as error:
        return [error_of(error)]
    told = [0]
    for method, *args in program:
        try:
            if method == "next":
                log.append(await anext(file, "end"))
                continue
            if method == "seek" and args == ["told"]:
                args = [told[-1]]
            result = await getattr(file, method)(*args)
            log.append(shown(method, args, result))
            if method == "tell":
                told.append(result)
        except Exception as error:
            log.append(error_of(error))
    await file.close()
    log.append(file.closed)
    return log


def copied(program):
    """Gives a program its own buffers to read into."""
    return [[bytearray(a) if isinstance(a, bytearray) else a for a in step] for step in program]


def compare(path, options, content, program):
    logs, results = [], []
    for run in (run_builtin, lambda *args: roundel.run(run_awaitable(*args))):
        path.unlink(missing_ok=True)
        if "x" not in options["mode"]:
            path.write_bytes(content)
        logs.append(run(path, options, copied(program)))
        results.append(path.read_bytes())
    for step, expected, found in zip([*program, "close"], *logs, strict=False):
        assert found == expected, (options, step)
    assert len(logs[0]) == len(logs[1])
    assert results[0] == results[1], options


@pytest.mark.parametrize("access", ["best", "ring", "threads"])
@pytest.mark.parametrize("seed", range(12))
def test_files_of_bytes(tmp_path, monkeypatch, access, seed):
    monkeypatch.setenv("ROUNDEL_FILES", access)
    rng = random.Random(seed)
    for _ in range(6):
        options = {
            "mode": rng.choice(MODES) + "b",
            "buffering": rng.choice([-1, -1, 16, 100, 0]),
        }
        program = [binary_operation(rng) for _ in range(rng.randrange(40))]
        if not options["buffering"]:
            # Without a buffer Python's own file makes one call, and may read or write less.
            program = [step for step in program if step[0] != "readinto"]
        if options["mode"] == "a+b":
            program = list(at_the_end(program))
        compare(tmp_path / "file", options, contents(rng, big=True).encode(), program)


@pytest.mark.parametrize("access", ["best", "ring", "threads"])
@pytest.mark.parametrize("seed", range(12))
def test_files_of_text(tmp_path, monkeypatch, access, seed):
    monkeypatch.setenv("ROUNDEL_FILES", access)
    rng = random.Random(seed)
    for _ in range(6):
        encoding = rng.choice(ENCODINGS)
        options = {
            "mode": rng.choice(MODES),
            "encoding": encoding,
            "errors": rng.choice([None, "replace"]),
            "newline": rng.choice(NEWLINES),
            "buffering": rng.choice([-1, 1, 5000]),
        }
        content = contents(rng, big=True).encode(encoding, "replace")
        program = [text_operation(rng) for _ in range(rng.randrange(40))]
        if any(step[0] in ("next", "readlines") for step in program):
            program = without_quirks(options, program)
        if options["mode"] == "a+":
            program = list(at_the_end(program))
        compare(tmp_path / "file", options, content, program)
