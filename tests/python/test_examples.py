"""The example programs print exactly what they are there to print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
END = "[End of input]"
LINES = {
    "queue.py": [*(f"Round {n}" for n in range(1, 11)), END],
    "pace.py": [*(f"Round {n}" for n in range(1, 11)), END],
    "iteration.py": [*(f"Round {name}{n}" for n in range(1, 6) for name in "abc"), END],
}


def run_example(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", LINES)
def test_an_example_runs_unmodified_in_no_time(name):
    ran = run_example("-m", "roundel", "--virtual-time", EXAMPLES / name)
    assert (ran.stdout.splitlines(), ran.stderr) == (LINES[name], "")


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("seed", range(5))
def test_an_example_does_not_rely_on_the_order(name, seed):
    options = ["--virtual-time", "--order", seed]
    ran = run_example("-m", "roundel", *options, EXAMPLES / name)
    assert (ran.stdout.splitlines(), ran.stderr) == (LINES[name], "")


@pytest.mark.parametrize("name", LINES)
def test_an_example_runs_with_roundel_imported_as_asyncio(name, tmp_path):
    text = (EXAMPLES / name).read_text()
    assert "import asyncio\n" in text
    assert ".run(main(" in text
    program = tmp_path / "program.py"
    text = text.replace("import asyncio\n", "import roundel as asyncio\n", 1)
    program.write_text(text.replace("asyncio.run(main(", 'asyncio.run(clock="virtual", main=main('))
    ran = run_example(program)
    assert (ran.stdout.splitlines(), ran.stderr) == (LINES[name], "")


def test_awaited_one_after_the_other_the_queue_deadlocks():
    ran = run_example("-m", "roundel", "--virtual-time", EXAMPLES / "queue.py", "--sequential")
    assert ran.returncode == 1
    assert ran.stdout == ""
    last = ran.stderr.splitlines()[-1]
    assert "main() at " in last
    assert "in Producer.run awaits put() of <Queue" in last
    assert "maxsize=1" in last


def test_the_readmes_program_runs(tmp_path):
    (text,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    program = tmp_path / "program.py"
    program.write_text(text.replace("asyncio.run(main())", 'asyncio.run(main(), clock="virtual")'))
    ran = run_example(program)
    assert (ran.stdout.splitlines(), ran.stderr) == (["Round 1", "Round 2", "Round 3"], "")


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("options", [[], ["-m", "roundel"]], ids=["asyncio", "roundel"])
def test_the_examples_take_their_time_in_real_time(options):
    programs = {
        name: subprocess.Popen(
            [sys.executable, *options, EXAMPLES / name], stdout=subprocess.PIPE, text=True
        )
        for name in LINES
    }
    # stop() begins its seconds a little after the consumer: a slow start leaves room for one more.
    more = "Round 11\n"
    for name, program in programs.items():
        assert program.communicate()[0].replace(more, "").splitlines() == LINES[name]
