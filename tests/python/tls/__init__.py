"""TLS connections for tests.

The certificate beside this file is for tests alone: its key is public.
"""

import asyncio
import contextlib
import ssl
from pathlib import Path

CERTIFICATE = Path(__file__).parent / "localhost.pem"
HOST = "127.0.0.1"


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_context():
    return ssl.create_default_context(cafile=CERTIFICATE)


class Recorder(asyncio.Protocol):
    """Keeps what it is told."""

    def __init__(self, echo=False):
        self.echo = echo
        self.data = bytearray()
        self.calls = []
        self.lost = asyncio.get_running_loop().create_future()
        self.arrived = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data):
        assert type(data) is bytes
        self.data += data
        self.arrived.set()
        if self.echo:
            self.transport.write(data)

    def eof_received(self):
        self.calls.append("eof")

    def connection_lost(self, exception):
        self.calls.append("lost")
        self.lost.set_result(exception)

    async def receive(self, size):
        while len(self.data) < size:
            self.arrived.clear()
            await self.arrived.wait()
        return bytes(self.data)


class BufferedRecorder(Recorder, asyncio.BufferedProtocol):
    """The same with a buffer of its own, smaller than a record."""

    room = 1000

    def get_buffer(self, sizehint):
        self.buffer = memoryview(bytearray(self.room))
        return self.buffer

    def buffer_updated(self, count):
        Recorder.data_received(self, bytes(self.buffer[:count]))

    data_received = None


@contextlib.asynccontextmanager
async def connected(client=Recorder, server=None, **options):
    """A client and a server's end of a TLS connection, both closed at the end."""
    loop = asyncio.get_running_loop()
    ends = []

    def serve():
        ends.append((server or (lambda: Recorder(echo=True)))())
        return ends[-1]

    listener = await loop.create_server(serve, HOST, 0, ssl=server_context())
    port = listener.sockets[0].getsockname()[1]
    options.setdefault("server_hostname", "localhost")
    _, ours = await loop.create_connection(client, HOST, port, ssl=client_context(), **options)
    while not ends or not hasattr(ends[0], "transport"):
        await asyncio.sleep(0)
    try:
        yield ours, ends[0]
    finally:
        for end in (ours, ends[0]):
            end.transport.abort()
            await asyncio.wait([end.lost])
        listener.close()
        await listener.wait_closed()
