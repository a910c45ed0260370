"""A program runs under valgrind, too, which does not know every call of the kernel."""

import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import roundel

async def main():
    start = roundel.get_running_loop().time()
    await roundel.sleep(0.01)
    assert roundel.get_running_loop().time() - start >= 0.01
    print("slept")

roundel.run(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_a_program_sleeps_without_a_bad_access():
    # Python itself reads memory that nobody has written, so that does not count.
    command = ["valgrind", "--quiet", "--error-exitcode=99", "--undef-value-errors=no"]
    command += [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Fatal error at startup" in run.stderr:
        pytest.skip("valgrind can't run this Python")
    assert (run.returncode, run.stdout) == (0, "slept\n"), run.stderr
