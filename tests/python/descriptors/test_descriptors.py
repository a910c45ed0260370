"""No byte reaches a stranger and no descriptor is misused, however connections end."""

import asyncio
import contextlib
import socket
import sys

import pytest
from tests.python.descriptors import watched
from tests.python.tls import client_context, server_context

DISTURBED = 1000
TIMEOUT = 60
MOMENTS = {
    "cancelled while connecting",
    "cancelled while handshaking",
    "cancelled while sending",
    "cancelled while exchanging",
    "cancelled while accepting",
    "aborted while exchanging",
    "aborted by the server while exchanging",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The library that watches descriptors."""
    if not watched.compiler():
        pytest.skip("no C compiler here")
    return watched.build(tmp_path_factory.mktemp("watch"))


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("loop", ["roundel", "installed"])
def test_disturbed_connections_disturb_no_other(library, tmp_path, loop):
    report = watched.stress(
        library, tmp_path, "--disturbed", DISTURBED, "--loop", loop, timeout=TIMEOUT
    )
    assert {fault: report[fault] for fault in watched.FAULTS if report[fault]} == {}
    counts = report["counts"]
    assert counts["made"] == counts["answered"] + counts["failed"] + counts["cancelled"]
    assert min(counts.values()) > 0
    assert report["closed"] > 2 * counts["made"]
    assert sum(report["disturbed"].values()) >= DISTURBED
    assert report["disturbed"].keys() >= MOMENTS


@pytest.mark.slow
def test_a_second_close_is_seen(library, tmp_path, monkeypatch):
    """Were the library not loaded, the test above would prove nothing."""
    (tmp_path / "sitecustomize.py").write_text(
        "import contextlib, os\nwith contextlib.suppress(OSError):\n    os.close(12345)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = watched.stress(library, tmp_path, "--disturbed", 1, timeout=TIMEOUT)
    assert report["misused"] == ["close 12345"]


async def answer(reader, writer):
    """Sends back one byte."""
    with contextlib.suppress(OSError, EOFError):
        writer.write(await reader.readexactly(1))
    writer.close()


async def connect(port, context):
    """Connects over a socket of ours; returns those who have got its number if that fails."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setblocking(False)
    options = {"ssl": context, "server_hostname": "localhost"} if context else {}
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=sock, **options
        )
    except asyncio.CancelledError:
        number = sock.fileno()
        sock.close()
        strangers = socket.socketpair()
        assert strangers[0].fileno() == number
        return strangers
    transport.abort()
    return None


async def converse(left, right):
    """Sends messages from one socket to the other, which must get them and nothing else."""
    loop = asyncio.get_running_loop()
    for side in (left, right):
        side.setblocking(False)
    for _ in range(5):
        receiving = loop.create_task(loop.sock_recv(left, 100))
        await asyncio.sleep(0)
        right.send(b"message")
        assert await asyncio.wait_for(receiving, 5) == b"message"
        with pytest.raises(BlockingIOError):
            right.recv(100)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_a_cancelled_connection_lets_go_of_its_callers_socket(run, tls):
    async def main():
        server = await asyncio.start_server(
            answer, "127.0.0.1", 0, ssl=server_context() if tls else None
        )
        context = client_context() if tls else None
        async with server:
            port = server.sockets[0].getsockname()[1]
            for turns in (*range(1, 20), *range(20, 2000, 20)):
                connecting = asyncio.create_task(connect(port, context))
                for _ in range(turns):
                    await asyncio.sleep(0)
                connecting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    strangers = await connecting
                    if strangers is None:
                        break
                    with strangers[0], strangers[1]:
                        await converse(*strangers)
            assert turns >= 3

    run(main())


def test_a_descriptor_of_a_live_transport_is_refused(run):
    async def main():
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        left.setblocking(False)
        with right:
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=left)
            fd = left.fileno()
            with pytest.raises(RuntimeError, match="is used by transport"):
                await loop.create_connection(asyncio.Protocol, sock=left)
            if sys.version_info < (3, 14):
                transport.write(b"x")
                assert right.recv(1) == b"x"
            else:  # asyncio closes what it refuses, and the next to come get its number
                assert left.fileno() == -1
                strangers = socket.socketpair()
                assert fd in [stranger.fileno() for stranger in strangers]
                with strangers[0], strangers[1]:
                    transport.write(b"x")
                    for stranger in strangers:
                        with pytest.raises(BlockingIOError):
                            stranger.recv(1, socket.MSG_DONTWAIT)
                assert right.recv(1) == b""
            transport.close()
            await asyncio.sleep(0)

    run(main())
