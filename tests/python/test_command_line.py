"""`python -m roundel`: an unmodified program runs as it does under `python`."""

import re
import signal
import subprocess
import sys
import time

import pytest

# What a program can see of how it was started.
SEES_ITSELF = """
import sys
main = sys.modules["__main__"]
assert main.__dict__ is globals()
print(__name__, __file__, __package__, __spec__ and __spec__.name, __builtins__)
print(sys.argv, sys.path[0], type(__loader__).__name__)
assert "annotations" not in globals()
def annotated(x: 1 + 1): pass
print(annotated.__annotations__)
"""

LOOP_CLASS = """
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    await asyncio.sleep(3600)
    modules = {base.__module__ for base in type(loop).__mro__}
    print("roundel._loop" in modules, loop.time(), loop.get_debug())

"""


@pytest.fixture
def program(tmp_path):
    """Writes a program and returns its path."""

    def write(text, name="program.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


def run(*arguments, options=(), roundel=True, directory=None):
    """Runs Python on a program, with or without roundel between them."""
    command = [sys.executable, *(["-m", "roundel", *options] if roundel else [])]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, cwd=directory, check=False
    )


def assert_runs_alike(*arguments, directory=None):
    """Asserts that a program writes and returns the same with and without roundel."""
    with_roundel = run(*arguments, directory=directory)
    without = run(*arguments, directory=directory, roundel=False)
    assert with_roundel.stdout == without.stdout
    assert with_roundel.stderr == without.stderr
    assert with_roundel.returncode == without.returncode
    return with_roundel


@pytest.mark.parametrize(
    "arguments",
    [
        ["program.py"],
        ["./program.py", "argument", "--order", "-m"],
        ["folder/program.py", "--", "--virtual-time"],
        ["-m", "program", "--debug", "-m"],
        ["folder"],
        ["-m", "folder", "argument"],
    ],
    ids=" ".join,
)
def test_a_program_sees_itself_as_under_python(program, tmp_path, arguments):
    for name in ("program.py", "folder/program.py", "folder/__main__.py", "folder/__init__.py"):
        program("" if "init" in name else SEES_ITSELF, name)
    assert assert_runs_alike(*arguments, directory=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "text",
    [
        "1 / 0",
        "raise SystemExit(7)",
        "raise SystemExit('reason')",
        "raise SystemExit",
        "def",
        "raise KeyboardInterrupt",
        "import sys\nsys.excepthook = lambda *args: print(args[1])\nraise ValueError(1)",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError from e",
        "import atexit\natexit.register(print, 'bye')\nraise OSError(1, 'no')",
        "import asyncio\nasync def main():\n    1 / 0\nasyncio.run(main())",
    ],
)
def test_a_program_ends_as_under_python(program, tmp_path, text):
    path = program(text)
    ended = assert_runs_alike(path)
    assert "roundel" not in ended.stderr
    ended = assert_runs_alike("-m", "program", directory=tmp_path)
    assert "roundel" not in ended.stderr


@pytest.mark.parametrize(
    "start",
    [
        "asyncio.run(main())",
        "with asyncio.Runner() as runner: runner.run(main())",
        "loop = asyncio.new_event_loop(); loop.run_until_complete(main()); loop.close()",
        "asyncio.run(main(), loop_factory=asyncio.EventLoop)",
    ],
)
def test_every_way_to_a_loop_leads_to_roundels_with_the_options(program, start):
    if "EventLoop" in start and sys.version_info < (3, 13):
        start = "asyncio.run(main())"
    path = program(LOOP_CLASS + start)
    ran = run(path, options=["--virtual-time", "--debug", "--order", "3", "--detect-deadlock"])
    assert (ran.stdout, ran.stderr) == ("True 3600.0 True\n", "")


def test_a_deadlock_is_reported_without_roundels_frames(program):
    path = program("import asyncio\nasync def main():\n    await asyncio.Event().wait()\n")
    path.write_text(path.read_text() + "asyncio.run(main())\n")
    ran = run(path, options=["--detect-deadlock"])
    assert ran.returncode == 1
    assert "roundel.Deadlock: nothing can wake the loop any more, 1 task waits" in ran.stderr
    assert not re.search(r'File ".*roundel/_', ran.stderr)


@pytest.mark.parametrize("text", ["1 / 0", "raise SystemExit(3)"])
def test_a_failure_prints_the_seed(program, text):
    path = program(text)
    ran = run(path, options=["--order", "12"])
    assert ran.stderr.startswith("roundel: --order 12 gives this interleaving again\n")
    again = run(path, options=["--order", "random"])
    assert re.match(r"roundel: --order \d+ gives", again.stderr)
    assert run(program("raise SystemExit(0)"), options=["--order", "12"]).stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no program to run"),
        (["-m"], "there is no program to run"),
        (["--nonsense", "x.py"], "unrecognized arguments|no program|can't open"),
        (["--order", "few", "x.py"], r"'few' is neither a seed below 2\*\*63 nor 'random'"),
        (["--order", "9223372036854775808", "x.py"], "neither a seed"),
        (["nowhere.py"], "roundel: can't open file '.*nowhere.py': No such file or directory"),
    ],
    ids=str,
)
def test_a_wrong_command_line_is_explained(tmp_path, arguments, message):
    ran = run(*arguments, directory=tmp_path)
    assert ran.returncode == 2
    assert re.search(message, ran.stderr)
    assert "Traceback" not in ran.stderr


def test_a_missing_module_is_reported_as_by_python(tmp_path):
    ran = assert_runs_alike("-m", "nowhere", directory=tmp_path)
    assert ran.returncode == 1


def test_help_lists_the_options():
    ran = run(options=["--help"])
    assert ran.returncode == 0
    assert {"--virtual-time", "--order", "--debug", "--detect-deadlock", "-m"} <= set(
        re.findall(r"--?[a-z-]+", ran.stdout)
    )


def test_an_interrupt_ends_a_program_as_under_python(program):
    path = program(
        "import asyncio\n"
        "async def main():\n"
        "    try:\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned up')\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-m", "roundel", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (output, process.returncode) == ("cleaned up\n", -signal.SIGINT)
    assert errors.endswith("KeyboardInterrupt\n")
