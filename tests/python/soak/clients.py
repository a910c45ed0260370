"""The clients, by their manners. Each leaves the account of a whole session, or of none."""

import asyncio
import contextlib
import socket
import struct
from collections import Counter

from .server import BUFFER_BYTES, LIMIT, TOO_LONG


class Clients:
    """What all clients have sent and got, by kind, and what they complain of."""

    def __init__(self, port, random):
        self.port = port
        self.random = random
        self.sent = Counter()
        self.got = Counter()
        self.excess = 0
        self.sessions = Counter()
        self.complaints = []

    def lines(self, count, longest=400):
        """Makes lines that no other session has."""
        draw = self.random
        return b"".join(
            b"%s\n" % draw.randbytes(draw.randrange(1, longest // 2)).hex().encode()
            for _ in range(count)
        )

    async def session(self, kind):
        """Has one session of a kind."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=BUFFER_BYTES)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        try:
            writer.write(f"{kind}\n".encode())
            await getattr(self, kind)(reader, writer)
            self.sessions[kind] += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def expect(self, kind, reader, data):
        """Awaits what was sent, and notes it."""
        got = await reader.readexactly(len(data))
        self.sent[kind] += len(data)
        self.got[kind] += len(got)
        if got != data:
            self.complaints.append(f"a {kind} client got {got[:60]!r} instead of {data[:60]!r}")

    async def expect_end(self, kind, reader):
        """Awaits the end, before which nothing may come."""
        rest = await reader.read()
        if rest:
            self.complaints.append(f"a {kind} client got {rest[:60]!r} instead of the end")

    async def talking(self, reader, writer):
        """Sends some lines, reads them, and again."""
        for _ in range(self.random.randrange(1, 6)):
            data = self.lines(5)
            writer.write(data)
            await writer.drain()
            await self.expect("talking", reader, data)

    async def slow(self, reader, writer):
        """Sends more than the buffers hold before it reads anything, and reads in pieces."""
        data = self.lines(150, LIMIT)
        sending = asyncio.ensure_future(self._send(writer, data))
        await asyncio.sleep(self.random.random() * 0.3)
        for start in range(0, len(data), 1 << 16):
            await self.expect("slow", reader, data[start : start + (1 << 16)])
            await asyncio.sleep(self.random.random() * 0.01)
        await sending

    async def _send(self, writer, data):
        for start in range(0, len(data), 1 << 14):
            writer.write(data[start : start + (1 << 14)])
            await writer.drain()

    async def half_closing(self, reader, writer):
        """Closes its side before it has got anything; the last line has no end."""
        data = self.lines(50) + b"unfinished"
        writer.write(data)
        writer.write_eof()
        await self.expect("half_closing", reader, data)
        await self.expect_end("half_closing", reader)

    async def resetting(self, reader, writer):
        """Sends and resets the connection, whatever has come back."""
        data = self.lines(20)
        writer.write(data)
        await asyncio.sleep(self.random.random() * 0.02)
        self.reset("resetting", writer, data)

    async def breaking_off(self, reader, writer):
        """Sends more than the buffers hold and resets the connection in the midst of that."""
        data = self.lines(150, LIMIT)
        writer.write(data)
        await asyncio.sleep(self.random.random() * 0.2)
        self.reset("breaking_off", writer, data)

    def reset(self, kind, writer, data):
        """Ends a connection at once, as if the client were gone."""
        never = struct.pack("ii", 1, 0)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, never)
        self.sent[kind] += len(data)
        writer.transport.abort()

    async def oversized(self, reader, writer):
        """Sends a line that is too long, and hears so."""
        await self.exceed("oversized", reader, writer)

    async def oversized_part(self, reader, writer):
        """Does so where the server counts what it drops."""
        excess = await self.exceed("oversized_part", reader, writer)
        self.excess += excess

    async def exceed(self, kind, reader, writer):
        """Sends lines and one that is too long; returns how long."""
        data, excess = self.lines(3), LIMIT * self.random.randrange(3, 9)
        writer.write(data + b"x" * excess)
        await self.expect(kind, reader, data)
        answer = await reader.readexactly(len(TOO_LONG))
        if answer != TOO_LONG:
            self.complaints.append(f"an {kind} client got {answer!r}")
        writer.write_eof()
        await self.expect_end(kind, reader)
        return excess

    RESETTING = ("resetting", "breaking_off")
    KINDS = ("talking", "slow", "half_closing", "oversized", "oversized_part", *RESETTING)
