"""Runs one file of CPython's test_asyncio and writes down, line by line, what becomes of its tests.

    child.py JOB REPORT

JOB is a file with a JSON object of the keys of `Job`. REPORT gets one JSON object a line: `begin`
with a test's id when it begins, `end` with its verdict when it has ended, `complete` when there is
nothing more to run. When this process dies or hangs, the last `begin` says where.
"""

import faulthandler
import json
import os
import signal
import sys
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypedDict

import substitution
from test import support

PACKAGE = "test.test_asyncio."
# The same tests over other selectors: once is enough.
REPETITIONS = ("PollEventLoopTests", "SelectEventLoopTests")
SEVERITY = ("passed", "skipped", "failed")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]


class Job(TypedDict):
    """What to run."""

    file: str
    loop: str | None  # "module:class"; None leaves asyncio's own everywhere
    primitives: str | None  # a module whose install() replaces asyncio's primitives
    only: list[str] | None  # ids of tests
    done: list[str]
    limit: float  # seconds for one test


def short_id(test: unittest.TestCase) -> str:
    """Returns the test's id without the package that all tests are in."""
    return test.id().replace(PACKAGE, "")


class Reporter(unittest.TestResult):
    """Writes a test's begin and end to the report, and ends the process when one takes too long."""

    def __init__(self, report: TextIO, limit: float) -> None:
        super().__init__()
        self._report = report
        self._limit = limit
        self._running = False
        self._verdict, self._detail = "passed", ""

    def write(self, **line: object) -> None:
        """Appends a line to the report at once."""
        self._report.write(json.dumps(line) + "\n")
        self._report.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        """Notes that a test begins."""
        super().startTest(test)
        self._running = True
        self._verdict, self._detail = "passed", ""
        self._loops_before = substitution.Made.loops
        self.write(begin=short_id(test))
        self._watch()

    def stopTest(self, test: unittest.TestCase) -> None:
        """Notes what became of a test."""
        super().stopTest(test)
        self._running = False
        self._watch()  # asyncio's test cases close their loops after this
        self._write_end(test, made_loop=substitution.Made.loops > self._loops_before)

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:
        """Notes an exception in a test, or in what sets up a class or a module of tests."""
        self._note(test, "failed", "".join(traceback.format_exception(*err)))

    addFailure = addError

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        """Notes that a test does not apply."""
        self._note(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        """Notes that a test passed which the suite says must fail."""
        self._note(test, "failed", "unexpected success")

    def addSubTest(
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: ExcInfo | None
    ) -> None:
        """Notes an exception in a part of a test."""
        if err is not None:
            self.addError(test, err)

    def _watch(self) -> None:
        faulthandler.dump_traceback_later(self._limit, exit=True)

    def _note(self, test: unittest.TestCase, verdict: str, detail: str) -> None:
        if SEVERITY.index(verdict) > SEVERITY.index(self._verdict):
            self._verdict, self._detail = verdict, detail
        if not self._running:
            self._write_end(test, made_loop=False)
            self._verdict, self._detail = "passed", ""

    def _write_end(self, test: unittest.TestCase, *, made_loop: bool) -> None:
        self.write(
            end=short_id(test),
            verdict=self._verdict,
            detail=self._detail,
            made_loop=made_loop,
        )


def flatten(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """Yields the tests of a suite of suites."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def wanted(test: unittest.TestCase, job: Job) -> bool:
    """Tells whether the job asks for this test."""
    if type(test).__name__ in REPETITIONS or short_id(test) in job["done"]:
        return False
    return job["only"] is None or short_id(test) in job["only"]


def reset_signals() -> None:
    """Undoes what a background shell may have set to be ignored: tests send themselves signals."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGQUIT", "SIGHUP", "SIGTERM", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def main() -> None:
    """Runs the job named on the command line."""
    job: Job = json.loads(Path(sys.argv[1]).read_text())
    faulthandler.enable()
    reset_signals()
    support.use_resources = {"cpu": None, "walltime": None, "subprocess": None}
    if job["primitives"]:
        substitution.substitute_primitives(job["primitives"])
    if job["loop"]:
        substitution.substitute_loop(job["loop"], job["file"])
    tests = unittest.defaultTestLoader.loadTestsFromName(PACKAGE + job["file"])
    with open(sys.argv[2], "w") as report:
        reporter = Reporter(report, job["limit"])
        unittest.TestSuite(test for test in flatten(tests) if wanted(test, job)).run(reporter)
        reporter.write(complete=True)
    os._exit(0)  # threads and loops that tests have left behind must not keep us


if __name__ == "__main__":
    main()
