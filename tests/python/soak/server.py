"""The server: streams that send back each line, and an account of what each kind of client sent."""

import asyncio
import socket
from collections import Counter

LIMIT = 4096
TOO_LONG = b"too long\n"
BUFFER_BYTES = 16 * 1024  # the kernel's, so small that slow readers are felt
WATER_BYTES = 64 * 1024  # with more than that to send, who writes has to wait


class Server:
    """Sends back lines. The first line of a connection says of what kind it is."""

    def __init__(self):
        self.received = Counter()
        self.sent = Counter()
        self.dropped = 0
        self.waits = Counter()
        self.ends = Counter()
        self.open = 0

    async def serve(self, reader, writer):
        self.open += 1
        kind = "unknown"
        try:
            kind = (await reader.readline()).decode().strip()
            serve = self.measure if kind == "oversized_part" else self.echo
            end = await serve(kind, reader, writer)
        except OSError:
            end = "reset"
        self.ends[kind, end] += 1
        writer.close()
        try:
            await writer.wait_closed()
        except OSError:
            self.ends[kind, "reset while closing"] += 1
        self.open -= 1

    async def echo(self, kind, reader, writer):
        """Sends back lines and tells how that ended."""
        while True:
            try:
                line = await reader.readline()
            except ValueError:
                await self.refuse(reader, writer)
                return "too long"
            if not line:
                return "closed"
            await self.send_back(kind, line, writer)

    async def measure(self, kind, reader, writer):
        """Sends back parts until one has no end, and counts how long that is."""
        while True:
            try:
                part = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                dropped = await self.refuse(reader, writer)
                self.dropped += dropped
                return "too long"
            await self.send_back(kind, part, writer)

    async def send_back(self, kind, line, writer):
        self.received[kind] += len(line)
        writer.write(line)
        self.waits[kind] += writer.transport.get_write_buffer_size() > WATER_BYTES
        await writer.drain()
        self.sent[kind] += len(line)

    @staticmethod
    async def refuse(reader, writer):
        """Says that something is too long; returns how much has come after that."""
        writer.write(TOO_LONG)
        count = 0
        # Closing with bytes unread would reset the connection, and lose the answer.
        while data := await reader.read(LIMIT):
            count += len(data)
        return count


async def start(server):
    """Starts the server and returns it with its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    listening = await asyncio.start_server(server.serve, sock=listener, limit=LIMIT, backlog=4096)
    return listening, listener.getsockname()[1]
