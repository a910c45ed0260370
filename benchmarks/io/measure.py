"""One measurement: one line on one loop, in processes of their own."""

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import processes
from .processes import MEASURED, PEER, Failed, first_line, output, running, under_test
from .row import NATIVE, Idle, Line, Load, Worked

IDLE_SECONDS = 1.0


class Figure(NamedTuple):
    """What a measurement has found.

    Attributes:
        rate: Operations per second.
        cpu_us: Microseconds of the measured process's CPU time per operation.
    """

    rate: float
    cpu_us: float


def measure(line: Line, loop: str, seconds: float) -> Figure | float | None:
    """Measures a line on a loop, or on the C server: None where that is not its line.

    Raises:
        Failed: It came to nothing.
    """
    if loop == NATIVE and isinstance(line, Worked):
        return _work(line, loop, seconds) if line.limit else None
    if loop == NATIVE:
        native = getattr(line, "native", ())
        return _bear(processes.native_echo(*native), line.load, seconds) if native else None
    if isinstance(line, Idle):
        return _wait(line, loop)
    if isinstance(line, Worked):
        return _work(line, loop, seconds)
    return _bear(under_test(loop, line.name), line.load, seconds)


def _figure(text: str) -> Figure:
    found = json.loads(text)
    operations = found["operations"]
    if not operations:
        raise Failed("did nothing")
    return Figure(operations / found["seconds"], found["cpu"] / operations * 1e6)


def _bear(server: list[str], load: Load, seconds: float) -> Figure:
    """Has a server bear a load."""
    with running(server, MEASURED) as serving:
        options = [f"-a{first_line(serving)}", f"-w{seconds}", f"-p{serving.pid}"]
        with running(processes.load(*load.arguments(), *options), PEER) as loading:
            return _figure(output(loading))


def _work(row: Worked, loop: str, seconds: float) -> Figure:
    """Has a loop work by itself, or the work done without one."""
    with _peer(row) as address:
        command = under_test(loop, row.name, address, str(seconds))
        with running(command, MEASURED) as working:
            return _figure(output(working))


@contextmanager
def _peer(row: Worked) -> Iterator[str]:
    if not row.needs_peer:
        yield ""
        return
    with running(processes.native_echo("tcp"), PEER) as peer:
        yield first_line(peer)


def _wait(idle: Idle, loop: str) -> float:
    """Has connections wait, and returns what that costs."""
    load = Load("hold", connections=idle.connections)
    with running(under_test(loop, idle.name), MEASURED) as serving:
        address = first_line(serving)
        before = _resident_bytes(serving.pid)
        with running(processes.load(*load.arguments(), f"-a{address}"), PEER) as holding:
            first_line(holding)
            if idle.unit == "bytes":
                return (_resident_bytes(serving.pid) - before) / idle.connections
            return _cpu_ms(serving.pid)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def _cpu_ms(pid: int) -> float:
    """Returns how much CPU time a process takes in a second."""
    # The CPU clock of another process, as clock_getcpuclockid(3) makes it on Linux.
    clock = (~pid << 3) | 2
    before = time.clock_gettime(clock)
    time.sleep(IDLE_SECONDS)
    return (time.clock_gettime(clock) - before) / IDLE_SECONDS * 1e3
