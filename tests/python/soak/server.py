"""The server: streams that send back each line, and an account of what each kind of client sent."""

import asyncio
import socket
from collections import Counter

LIMIT = 4096
TOO_LONG = b"too long\n"
BUFFER_BYTES = 16 * 1024  # the kernel's, so small that slow readers are felt


class Server:
    """Sends back lines. The first line of a connection says of what kind it is."""

    def __init__(self):
        self.received = Counter()
        self.sent = Counter()
        self.ends = Counter()
        self.open = 0

    async def serve(self, reader, writer):
        self.open += 1
        kind = "unknown"
        try:
            kind = (await reader.readline()).decode().strip()
            end = await self.echo(kind, reader, writer)
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
                writer.write(TOO_LONG)
                # Closing with bytes unread would reset the connection, and lose the answer.
                while await reader.read(LIMIT):
                    pass
                return "too long"
            if not line:
                return "closed"
            self.received[kind] += len(line)
            writer.write(line)
            await writer.drain()
            self.sent[kind] += len(line)


async def start(server):
    """Starts the server and returns it with its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    listening = await asyncio.start_server(server.serve, sock=listener, limit=LIMIT, backlog=4096)
    return listening, listener.getsockname()[1]
