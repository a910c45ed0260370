"""Runs CPython's own test_asyncio on a loop of ours, with asyncio's primitives and with our own.

Each file of the suite runs in a process of its own, which goes on in a fresh one after a test that
crashed or hung. What does not pass is run on plain asyncio, too, and counts only if it passes
there. `expected.toml` beside this file lists the exceptions; one that passes is a failure as well.

The suite is that of the interpreter that runs this file.
"""

import argparse
import concurrent.futures
import contextlib
import fnmatch
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

HERE = Path(__file__).parent
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Other event loops' files, and files that make no event loop.
FOREIGN = ("windows", "proactor", "test_tools")
JOBS = 2 * (os.cpu_count() or 1)  # most of the time is spent waiting
TEST_SECONDS = 30
FILE_SECONDS = 900
MAX_PRINTED = 30
MAX_HUNG = 4  # tests of a file, before the rest of it is given up


@dataclass
class Test:
    """What became of one test."""

    verdict: str  # passed, failed, skipped, crashed or hung
    detail: str = ""
    made_loop: bool = True


@dataclass
class Tally:
    """What became of one file's tests."""

    passed: int = 0
    expected: int = 0  # to fail, and did
    failed: dict[str, Test] = field(default_factory=dict)


@dataclass(frozen=True)
class Mode:
    """What is put under test: a loop, and maybe the primitives of a module."""

    name: str
    loop: str | None
    primitives: str | None

    def counts(self, test: Test) -> bool:
        """Tells whether the test says something about what is under test."""
        return test.made_loop or self.primitives is not None or test.verdict != "passed"


PLAIN = Mode("asyncio", None, None)


def suite_files() -> list[str]:
    """Returns the names of the suite's files that run on this system."""
    try:
        import test.test_asyncio as suite
    except ImportError:
        sys.exit("this CPython came without its test suite")
    names = (path.stem for path in Path(suite.__path__[0]).glob("test_*.py"))
    return sorted(name for name in names if not any(word in name for word in FOREIGN))


def expected_failures(mode: Mode) -> list[str]:
    """Returns patterns of the ids of tests that are expected to fail."""
    entries = tomllib.loads((HERE / "expected.toml").read_text())["expected"]
    return [
        pattern
        for entry in entries
        if VERSION in entry["versions"] and mode.name in entry["modes"]
        for pattern in entry["tests"]
    ]


@dataclass
class Run:
    """What one process did."""

    end: str  # how it ended, and what it printed
    tests: dict[str, Test] = field(default_factory=dict)
    place: str = "before the first test"  # or a test's id, or after it
    complete: bool = False

    def read(self, report: str) -> None:
        """Takes in a report of child.py."""
        for line in map(json.loads, report.splitlines()):
            self.complete = "complete" in line
            if "begin" in line:
                self.place = line["begin"]
            elif "end" in line:
                self.place = f"after {line['end']}"
                test = Test(line["verdict"], line["detail"], line["made_loop"])
                self.tests[line["end"]] = test


processes: set[int] = set()  # that run now; each leads a group


def kill_group(leader: int) -> None:
    """Kills a process and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def stop(signum: int, frame: FrameType | None) -> NoReturn:
    """Ends this process by a signal, with all that it has started."""
    for leader in processes:
        kill_group(leader)
    os._exit(128 + signum)


def run_process(job: dict[str, object], folder: Path) -> Run:
    """Runs child.py once."""
    job_file, report, log = folder / "job", folder / "report", folder / "log"
    job_file.write_text(json.dumps(job))
    report.write_text("")
    with log.open("wb") as output, tempfile.TemporaryDirectory() as cwd:
        process = subprocess.Popen(
            [sys.executable, HERE / "child.py", job_file, report],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        processes.add(process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(FILE_SECONDS)
        processes.remove(process.pid)
        kill_group(process.pid)  # tests leave children behind, too
    run = Run(f"exit code {process.wait()}\n{log.read_text(errors='replace')}")
    run.read(report.read_text())
    return run


def run_file(file: str, mode: Mode, only: list[str] | None) -> dict[str, Test]:
    """Runs a file's tests to the end, whatever they do to their process."""
    tests: dict[str, Test] = {}
    job = {"file": file, "loop": mode.loop, "primitives": mode.primitives, "only": only}
    hung = 0
    with tempfile.TemporaryDirectory() as folder:
        while hung <= MAX_HUNG:
            run = run_process({**job, "limit": TEST_SECONDS, "done": list(tests)}, Path(folder))
            tests |= run.tests
            if run.complete:
                return tests
            timed_out = "Timeout (" in run.end
            hung += timed_out
            tests[run.place] = Test("hung" if timed_out else "crashed", run.end)
            if run.place == Run.place:
                break
    tests[f"the rest of {file}"] = Test("failed", "given up")
    return tests


def judge(file: str, mode: Mode, only: list[str] | None, expected: list[str]) -> Tally:
    """Runs a file and tells what is to be counted of its tests."""
    tests = run_file(file, mode, only)
    lost = [test_id for test_id, test in tests.items() if test.verdict != "passed"]
    plain = run_file(file, PLAIN, lost) if lost else {}
    tally = Tally()
    for test_id, test in tests.items():
        if not mode.counts(test) or (test_id in plain and plain[test_id].verdict != "passed"):
            continue
        listed = any(fnmatch.fnmatchcase(test_id, pattern) for pattern in expected)
        if test.verdict == "passed" and listed:
            tally.failed[test_id] = Test("passed", "expected.toml has it as failing")
        elif test.verdict == "passed":
            tally.passed += 1
        elif listed:
            tally.expected += 1
        else:
            tally.failed[test_id] = test
    for pattern in expected if only is None else []:
        if pattern.startswith(f"{file}.") and not fnmatch.filter(tests, pattern):
            tally.failed[pattern] = Test("missing", "expected.toml names what is not there")
    return tally


def report_failures(failed: list[tuple[Mode, str, Test]], details: Path) -> None:
    """Prints what failed first and how it ended; every traceback goes into a file."""
    details.parent.mkdir(parents=True, exist_ok=True)
    with details.open("w") as file:
        for number, (mode, test_id, test) in enumerate(failed):
            lines = test.detail.strip().splitlines() or [""]
            gist = lines[0] if test.verdict in ("crashed", "hung") else lines[-1]
            print(f"\n{test.verdict}: {test_id} ({mode.name})", *lines, sep="\n", file=file)
            if number < MAX_PRINTED:
                print(f"{test.verdict}: {test_id} ({mode.name}): {gist[:120]}")
    if failed:
        print(f"tracebacks of {len(failed)} failures: {details}")


def print_table(
    files: list[str], modes: list[Mode], tallies: dict[tuple[str, Mode], Tally]
) -> None:
    """Prints passed and counted tests, a row for each file and a column for each mode."""
    print(f"\n{'':26}" + "".join(f"{mode.name:>16}" for mode in modes))
    for file in files:
        cells = []
        for mode in modes:
            tally = tallies[file, mode]
            counted = tally.passed + tally.expected + len(tally.failed)
            cells.append(f"{tally.passed}/{counted}")
        print(f"{file:26}" + "".join(f"{cell:>16}" for cell in cells))


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="run only these files, such as test_queues")
    parser.add_argument("--only", action="append", metavar="ID", help="run only this test")
    parser.add_argument("--mode", choices=("loop", "native"), help="run only in this mode")
    parser.add_argument("--loop", default="roundel:EventLoop", metavar="MODULE:CLASS")
    parser.add_argument("--primitives", default="roundel", metavar="MODULE")
    details = Path("build", f"cpython-{VERSION}.log")
    parser.add_argument("--details", type=Path, default=details, help="file for the tracebacks")
    parser.add_argument("-j", "--jobs", type=int, default=JOBS)
    return parser.parse_args()


def main() -> int:
    """Runs what the command line asks for; returns the exit code."""
    options = parse_arguments()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    files = options.files or suite_files()
    modes = [Mode("loop", options.loop, None), Mode("native", options.loop, options.primitives)]
    modes = [mode for mode in modes if options.mode in (None, mode.name)]
    print(f"test_asyncio of CPython {platform.python_version()} on {options.loop}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = {
            (file, mode): pool.submit(judge, file, mode, options.only, expected_failures(mode))
            for file in files
            for mode in modes
        }
        tallies = {key: job.result() for key, job in jobs.items()}
    failed = [
        (mode, test_id, test)
        for (_, mode), tally in tallies.items()
        for test_id, test in tally.failed.items()
    ]
    report_failures(failed, options.details)
    print_table(files, modes, tallies)
    passed = sum(tally.passed for tally in tallies.values())
    print(f"\n{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
