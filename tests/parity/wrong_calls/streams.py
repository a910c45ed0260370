"""Streams that are read and written wrongly."""

import asyncio

from .network import HOST, answer_of, closed_port, on_loop, settle
from .outcome import Call


def reader(call, data=b"", *, ended=True, limit=2**16):
    """Makes the call with a reader that has got data."""

    def made(aio, loop):
        async def main():
            reader = aio.StreamReader(limit)
            if data:
                reader.feed_data(data)
            if ended:
                reader.feed_eof()
            answer = await answer_of(call, reader)
            return [answer, getattr(answer, "partial", b""), getattr(answer, "consumed", 0)]

        return main()

    return made


def connection(call, serve=None):
    """Makes the call with both streams of a connection to a server."""

    def made(aio, loop):
        async def main():
            async def quietly(reader, writer):
                await reader.read()
                writer.close()

            server = await aio.start_server(serve or quietly, HOST, 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                reader, writer = await aio.open_connection(HOST, port)
                answer = await answer_of(call, reader, writer)
                await settle()
                writer.transport.abort()
                await settle()
                return [answer]

        return main()

    return made


async def read_twice(reader):
    """Reads while somebody does."""
    first = asyncio.ensure_future(reader.read())
    await asyncio.sleep(0)
    answer = await answer_of(reader.read)
    first.cancel()
    await asyncio.wait([first])
    return answer


async def write_when_closed(reader, writer):
    """Writes and drains where it was closed."""
    writer.close()
    await writer.wait_closed()
    return await answer_of(writer.write, b"x"), await answer_of(writer.drain)


async def serve_and_raise(reader, writer):
    """Raises."""
    writer.close()
    raise LookupError("served")


def serve_at_once(reader, writer):
    """Raises, and is no coroutine."""
    writer.close()
    raise LookupError("served")


CALLS: dict[str, Call] = {
    "a reader of no limit": lambda aio, loop: aio.StreamReader(0, loop=loop),
    "a reader of less than no limit": lambda aio, loop: aio.StreamReader(-1, loop=loop),
    "a reader of a limit of strings": lambda aio, loop: aio.StreamReader("x", loop=loop),
    "readexactly of less than nothing": reader(lambda it: it.readexactly(-1), b"abc"),
    "readexactly of a string": reader(lambda it: it.readexactly("x"), b"abc"),
    "readexactly of too much": reader(lambda it: it.readexactly(5), b"abc"),
    "read of a string": reader(lambda it: it.read("x"), b"abc"),
    "read of None": reader(lambda it: it.read(None), b"abc"),
    "readuntil nothing": reader(lambda it: it.readuntil(b""), b"abc"),
    "readuntil a string": reader(lambda it: it.readuntil("b"), b"abc"),
    "readuntil what does not come": reader(lambda it: it.readuntil(b"x"), b"abc"),
    "readuntil beyond the limit": reader(lambda it: it.readuntil(b"x"), b"abcdefx", limit=3),
    "readuntil at the limit's end": reader(
        lambda it: it.readuntil(b"x"), b"abcdef", limit=3, ended=False
    ),
    "readline beyond the limit": reader(lambda it: it.readline(), b"abcdef\nx", limit=3),
    "readline without an end": reader(lambda it: it.readline(), b"abc"),
    "read while somebody reads": reader(read_twice, ended=False),
    "feed_data of a string": reader(lambda it: it.feed_data("x"), ended=False),
    "feed_data of None": reader(lambda it: it.feed_data(None), ended=False),
    "feed_data after the end": reader(lambda it: it.feed_data(b"x")),
    "set_transport twice": reader(lambda it: (it.set_transport(1), it.set_transport(2))),
    "write of a string by a stream": connection(lambda it, writer: writer.write("x")),
    "writelines of a number by a stream": connection(lambda it, writer: writer.writelines(1)),
    "write when a stream is closed": connection(write_when_closed),
    "write_eof of a stream twice": connection(
        lambda it, writer: (writer.write_eof(), writer.write_eof())[1]
    ),
    "close of a stream twice": connection(lambda it, writer: (writer.close(), writer.close())[1]),
    "a stream's server raises": connection(lambda it, writer: it.read(), serve_and_raise),
    "a stream's server raises at once": connection(lambda it, writer: it.read(), serve_at_once),
    "open_connection where nobody listens": on_loop(
        lambda loop: asyncio.open_connection(HOST, closed_port())
    ),
    "open_connection of no limit": on_loop(
        lambda loop: asyncio.open_connection(HOST, closed_port(), limit=0)
    ),
    "start_server of no function": on_loop(lambda loop: asyncio.start_server(None, HOST, 99999)),
    "start_server at a port that there is not": on_loop(
        lambda loop: asyncio.start_server(serve_and_raise, HOST, 99999)
    ),
    "open_unix_connection to a missing path": on_loop(
        lambda loop: asyncio.open_unix_connection("/missing/socket")
    ),
}
