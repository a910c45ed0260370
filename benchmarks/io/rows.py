"""The lines of the I/O tables: what is measured, and what roundel has to reach."""

from .row import Idle, Line, Load, Row, Served, Worked
from .servers import processes, protocols, sockets, streams, web

KIB = 1024
# What an echo by a protocol has to reach of the C server's.
OF_C = 0.9

TCP_ECHOES = [
    Served(f"TCP {label} c{connections}", protocols.tcp, Load("echo", size, connections),
           native=("tcp",), of_native=OF_C)
    for label, size, connections in [
        ("64 B", 64, 10),
        ("64 B", 64, 100),
        ("64 B", 64, 1000),
        ("1 KiB", KIB, 100),
        ("16 KiB", 16 * KIB, 10),
        ("128 KiB", 128 * KIB, 10),
    ]
]  # fmt: skip

OTHER_PROTOCOLS = [
    Served("BufferedProtocol 1 KiB c100", protocols.buffered, Load("echo", KIB, 100),
           native=("tcp",), of_native=OF_C),
    Served("Unix 1 KiB c10", protocols.unix, Load("echo", KIB, 10),
           native=("unix",), of_native=OF_C),
    Served("Unix 16 KiB c10", protocols.unix, Load("echo", 16 * KIB, 10),
           native=("unix",), of_native=OF_C),
    Served("UDP 64 B c10", protocols.udp, Load("echo", 64, 10),
           native=("udp",), of_native=OF_C),
]  # fmt: skip

STREAMS = [
    Served("streams 64 B c10", streams.chunks, Load("echo", 64, 10), target=1.5),
    Served("streams 64 B c100", streams.chunks, Load("echo", 64, 100), target=1.4),
    Served("streams 64 B c1000", streams.chunks, Load("echo", 64, 1000), target=1.4),
    Served("streams 16 KiB c10", streams.chunks, Load("echo", 16 * KIB, 10), target=1.5),
    Served("readline 64 B c100", streams.lines, Load("echo", 64, 100), target=1.4),
    Served("readline by 32 64 B c10", streams.lines, Load("echo", 64, 10, depth=32), target=2),
    Worked("client streams 64 B c10", streams.small_clients, target=1.3, needs_peer=True),
    Worked("client streams 16 KiB c10", streams.large_clients, target=1.3, needs_peer=True),
]

TLS = [
    Served("TLS 64 B c100", protocols.tls, Load("echo", 64, 100, tls=True), target=1.25),
    Served("TLS 16 KiB c10", protocols.tls, Load("echo", 16 * KIB, 10, tls=True), target=1.25),
    Served("TLS streams 64 B c100", streams.tls, Load("echo", 64, 100, tls=True), target=1.25),
]

SOCKETS = [
    Served("sock_* 64 B c100", sockets.echo, Load("echo", 64, 100), target=2),
    Worked("add_reader ping-pong", sockets.ping_pong, limit=sockets.ping_pong_without_loop),
    Served("accept", protocols.hang_up, Load("accept"), native=("tcp", "close"), by="cpu"),
    Served("accept by streams", streams.hang_up, Load("accept"), target=1.5, by="cpu"),
]

PROGRAMS = [
    Worked("spawn /bin/true", processes.spawn_true, target=3),
    Served("uvicorn GET c100", web.uvicorn, Load("http", connections=100), target=1.2),
    Served("aiohttp GET c100", web.aiohttp, Load("http", connections=100), target=1.05),
]

ROWS: list[Row] = [*TCP_ECHOES, *OTHER_PROTOCOLS, *STREAMS, *TLS, *SOCKETS, *PROGRAMS]

IDLES = [
    Idle("idle connection", protocols.tcp, 4000, "bytes", 1 * KIB),
    Idle("idle streams", streams.chunks, 4000, "bytes", 3 * KIB),
    Idle("idle loop, 10 connections", protocols.tcp, 10, "ms/s", 0.1),
]


def select(patterns: list[str]) -> tuple[list[Row], list[Idle]]:
    """Returns the lines whose name contains one of the patterns, or all for no patterns."""
    wanted = [pattern.casefold() for pattern in patterns]

    def fits(line: Line) -> bool:
        return not wanted or any(pattern in line.name.casefold() for pattern in wanted)

    return [row for row in ROWS if fits(row)], [idle for idle in IDLES if fits(idle)]


def named(name: str) -> Line:
    """Returns the line of that name."""
    return next(line for line in [*ROWS, *IDLES] if line.name == name)
