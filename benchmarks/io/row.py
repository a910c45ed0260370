"""What a line of the I/O table is."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

# The column of the C server.
NATIVE = "C"
# Starts a server in the running loop and returns its address as the C programs take it: tcp:PORT,
# udp:PORT or unix:PATH.
Serve = Callable[[], Awaitable[str]]
# Works for a number of seconds, with the C echo server at an address if it has asked for one,
# and returns how many operations that were.
Work = Callable[[float, str], Awaitable[int]]


@dataclass(frozen=True)
class Load:
    """What the load generator does: `native/load.c` says more.

    Attributes:
        kind: What it takes for an operation: echo, http, accept or hold.
        size: Bytes of a message.
        connections: How many are open at a time.
        depth: How many messages are sent before the first answer is awaited.
        tls: Whether it speaks TLS.
    """

    kind: str = "echo"
    size: int = 64
    connections: int = 10
    depth: int = 1
    tls: bool = False

    def arguments(self) -> list[str]:
        """Returns the command line's options."""
        options = [f"-k{self.kind}", f"-s{self.size}", f"-c{self.connections}", f"-d{self.depth}"]
        return options + ["-t"] * self.tls


@dataclass(frozen=True)
class Served:
    """A line that measures a server.

    Attributes:
        name: As the table shows it.
        serve: The server.
        load: What it has to bear.
        target: What roundel has to reach, in multiples of uvloop.
        native: The C server that is the limit: tcp, udp or unix and what it does; empty for none.
        of_native: What roundel has to reach, in multiples of the C server.
        by: What its ratios are of, whatever the others' are: cpu where the load costs more than
            the server, so that the rate is the generator's.
    """

    name: str
    serve: Serve
    load: Load
    target: float = 1.0
    native: tuple[str, ...] = ()
    of_native: float | None = None
    by: str = ""


@dataclass(frozen=True)
class Worked:
    """A line that measures work which the loop does by itself, or with a C server as its peer.

    Attributes:
        name: As the table shows it.
        work: What is measured.
        target: What roundel has to reach, in multiples of uvloop.
        needs_peer: Whether it talks to the C echo server.
        limit: The same without a loop, for the column of the C server.
    """

    name: str
    work: Work
    target: float = 1.0
    needs_peer: bool = False
    limit: Work | None = None


@dataclass(frozen=True)
class Idle:
    """A line of the second table: what it costs to wait. There, less is better.

    Attributes:
        name: As the table shows it.
        serve: The server whose connections wait.
        connections: How many of them.
        unit: bytes for the memory that a connection takes, ms/s for the CPU time of them all.
        limit: What roundel may take at most.
    """

    name: str
    serve: Serve
    connections: int
    unit: str
    limit: float


Row = Served | Worked
Line = Row | Idle


def address_of(server: asyncio.Server) -> str:
    """Returns the address of a TCP server."""
    return f"tcp:{server.sockets[0].getsockname()[1]}"
