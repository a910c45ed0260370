"""A short soak, in a process of its own: `make soak` is a long one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLIENTS, SECONDS = 100, 3


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("loop", ["roundel", "installed"])
def test_each_byte_of_many_rude_clients_is_accounted_for(loop):
    command = [sys.executable, "-m", "tests.python.soak", "--loop", loop]
    process = subprocess.run(
        [*command, "--clients", str(CLIENTS), "--seconds", str(SECONDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    report = json.loads(process.stdout)
    assert report["faults"] == []
    assert process.returncode == 0
    assert min(report["sessions"].values()) >= CLIENTS / len(report["sessions"])
    assert report["ends"]["oversized too long"] == report["sessions"]["oversized"]
    assert report["ends"]["half_closing closed"] == report["sessions"]["half_closing"]
    assert report["waits"]["slow"] > 0
    assert report["received"]["breaking_off"] < report["sent"]["breaking_off"]
    assert report["ends"]["breaking_off reset"] == report["sessions"]["breaking_off"]
