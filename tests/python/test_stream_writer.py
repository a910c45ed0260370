"""`StreamWriter` and its protocol: draining, closing, and what a connection's end does to both."""

import asyncio
import gc
import sys
import weakref

import pytest

import roundel


class Kind:
    """The three classes of one origin."""

    def __init__(self, origin):
        self.reader = origin.StreamReader
        self.writer = origin.StreamWriter
        self.protocol = origin.StreamReaderProtocol


KINDS = {"asyncio": Kind(asyncio), "roundel": Kind(roundel)}


@pytest.fixture(params=KINDS)
def kind(request):
    """asyncio's classes and roundel's, which must do the same."""
    return KINDS[request.param]


class Transport(asyncio.Transport):
    """Notes what it is told."""

    def __init__(self, **extra):
        super().__init__(extra)
        self.calls = []
        self.closing = False

    def write(self, data):
        self.calls.append(("write", data))

    def writelines(self, data):
        self.calls.append(("writelines", data))

    def write_eof(self):
        self.calls.append("write_eof")

    def can_write_eof(self):
        return True

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True
        self.calls.append("close")

    def abort(self):
        self.calls.append("abort")

    def __repr__(self):
        return "<Transport>"


class Stream:
    """The three objects and their transport."""

    def __init__(self, kind, **extra):
        loop = asyncio.get_running_loop()
        self.transport = Transport(**extra)
        self.reader = kind.reader(loop=loop)
        self.protocol = kind.protocol(self.reader, loop=loop)
        self.protocol.connection_made(self.transport)
        self.writer = kind.writer(self.transport, self.protocol, self.reader, loop)


async def turns(count=3):
    """Lets others run a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def streamed(run, kind):
    """Runs a coroutine with a stream, which is closed after it."""

    def run_with_stream(main, **extra):
        async def around():
            stream = Stream(kind, **extra)
            try:
                return await main(stream)
            finally:
                stream.transport.closing = True

        return run(around())

    return run_with_stream


def test_writing_is_the_transports_affair(streamed):
    async def main(stream):
        writer, transport = stream.writer, stream.transport
        assert writer.write(b"a") is None
        assert writer.writelines([b"b", b"c"]) is None
        writer.write_eof()
        assert writer.can_write_eof() is True
        assert writer.is_closing() is False
        assert writer.get_extra_info("name") == "value"
        assert writer.get_extra_info("other") is None
        assert writer.get_extra_info("other", default=1) == 1
        assert writer.transport is transport
        writer.close()
        assert writer.is_closing()
        assert transport.calls == [
            ("write", b"a"),
            ("writelines", [b"b", b"c"]),
            "write_eof",
            "close",
        ]

    streamed(main, name="value")


def test_draining_where_there_is_room_does_not_wait(streamed):
    async def main(stream):
        with pytest.raises(StopIteration):
            next(stream.writer.drain().__await__())

    streamed(main)


def test_all_who_drain_wait_until_there_is_room(streamed):
    async def main(stream):
        stream.protocol.pause_writing()
        with pytest.raises(AssertionError):
            stream.protocol.pause_writing()
        tasks = [asyncio.ensure_future(stream.writer.drain()) for _ in range(3)]
        helper = asyncio.ensure_future(stream.protocol._drain_helper())
        await turns()
        assert not any(task.done() for task in tasks)
        assert len(stream.protocol._drain_waiters) == 4
        tasks[1].cancel()
        await turns()
        assert len(stream.protocol._drain_waiters) == 3
        stream.protocol.resume_writing()
        with pytest.raises(AssertionError):
            stream.protocol.resume_writing()
        await asyncio.gather(tasks[0], tasks[2], helper)
        assert tasks[1].cancelled()
        assert not stream.protocol._drain_waiters

    streamed(main)


@pytest.mark.parametrize("error", [None, OSError("broken")])
def test_a_lost_connection_ends_all_waits(streamed, error):
    async def main(stream):
        stream.protocol.pause_writing()
        waits = [stream.writer.drain(), stream.writer.wait_closed(), stream.reader.read()]
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        await turns()
        stream.protocol.connection_lost(error)
        if error is None:
            assert await asyncio.gather(*tasks) == [None, None, b""]
            assert await stream.writer.wait_closed() is None
        else:
            for task in [*tasks, asyncio.ensure_future(stream.writer.wait_closed())]:
                with pytest.raises(OSError, match="broken"):
                    await task
        stream.protocol.resume_writing()
        with pytest.raises(ConnectionResetError, match=r"^Connection lost$"):
            await stream.protocol._drain_helper()

    streamed(main)


def test_draining_raises_what_the_reader_does(streamed):
    async def main(stream):
        stream.reader.set_exception(KeyError("x"))
        with pytest.raises(KeyError):
            await stream.writer.drain()

    streamed(main)


def test_draining_a_closing_stream_lets_others_run(streamed):
    async def main(stream):
        stream.writer.close()
        asyncio.get_running_loop().call_soon(stream.protocol.connection_lost, None)
        with pytest.raises(ConnectionResetError):
            await stream.writer.drain()

    streamed(main)


def test_the_future_of_the_end(streamed):
    async def main(stream):
        closed = stream.protocol._get_close_waiter(stream.writer)
        assert closed is stream.protocol._closed
        assert not closed.done()
        stream.protocol.connection_lost(None)
        assert closed.result() is None
        stream.protocol.connection_lost(OSError())
        assert await stream.protocol._closed is None

    streamed(main)


def test_nobody_need_ask_what_ended_the_connection(run, kind):
    reported = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, each: reported.append(each))
        for asked in (False, True):
            stream = Stream(kind)
            if asked:
                stream.protocol._get_close_waiter(stream.writer)
            stream.protocol.connection_lost(OSError())
            stream.transport.closing = True
            del stream
            gc.collect()

    run(main())
    assert reported == []


def test_a_foreign_protocol_is_asked_what_to_await(run, kind):
    class Foreign(asyncio.streams.FlowControlMixin):
        def __init__(self, loop):
            super().__init__(loop)
            self.closed = loop.create_future()

        def _get_close_waiter(self, stream):
            return self.closed

    async def main():
        loop = asyncio.get_running_loop()
        protocol, transport = Foreign(loop), Transport()
        writer = kind.writer(transport, protocol, None, loop)
        await writer.drain()
        protocol.pause_writing()
        draining = [asyncio.ensure_future(writer.drain()) for _ in range(2)]
        closing = asyncio.ensure_future(writer.wait_closed())
        await turns()
        draining[0].cancel()
        protocol.resume_writing()
        await draining[1]
        assert draining[0].cancelled()
        assert not closing.done()
        protocol.closed.set_result(None)
        await closing
        protocol.connection_lost(None)
        with pytest.raises(ConnectionResetError):
            await writer.drain()
        transport.closing = True

    run(main())


def test_the_classes_of_both_origins_go_together(run):
    async def main():
        loop = asyncio.get_running_loop()
        for of_reader in KINDS.values():
            for of_protocol in KINDS.values():
                reader, transport = of_reader.reader(loop=loop), Transport()
                protocol = of_protocol.protocol(reader, loop=loop)
                protocol.connection_made(transport)
                writer = roundel.StreamWriter(transport, protocol, reader, loop)
                protocol.data_received(b"abc")
                protocol.data_received(bytearray(b"def\n"))
                assert protocol.eof_received() is True
                await writer.drain()
                assert await reader.readline() == b"abcdef\n"
                protocol.connection_lost(None)
                await writer.wait_closed()
                transport.closing = True

    run(main())


def test_a_writer_wants_a_reader_or_none(run):
    async def main():
        with pytest.raises(AssertionError):
            roundel.StreamWriter(Transport(), None, "reader", asyncio.get_running_loop())
        with pytest.raises(TypeError):
            roundel.StreamWriter()

    run(main())


@pytest.mark.filterwarnings("default")
def test_a_writer_that_nobody_has_closes_and_says_so(run, kind):
    async def main():
        stream = Stream(kind)
        transport = stream.transport
        with pytest.warns(ResourceWarning, match=r"^unclosed <StreamWriter transport=<Transport>"):
            del stream.writer
        assert transport.calls == ["close"]

    run(main())


@pytest.mark.filterwarnings("default")
def test_a_writer_that_outlives_its_loop_says_so(kind):
    async def main():
        return Stream(kind)

    stream = roundel.run(main())
    with pytest.warns(ResourceWarning, match=r"^loop is closed$"):
        del stream.writer
    assert stream.transport.calls == []


def test_data_for_a_reader_that_nobody_has_is_dropped(run, kind):
    async def main():
        reader = kind.reader()
        protocol = kind.protocol(reader)
        assert protocol._stream_reader is reader
        alive = weakref.ref(reader)
        del reader
        gc.collect()
        assert alive() is None
        assert protocol._stream_reader is None
        protocol.data_received(b"abc")
        assert protocol.eof_received() is True
        protocol.connection_lost(OSError())
        protocol.connection_lost(None)

    run(main())


def test_the_reader_of_a_server_is_kept_until_it_is_given_away(run, kind):
    async def main():
        given = []
        protocol = kind.protocol(kind.reader(), lambda *stream: given.extend(stream))
        gc.collect()
        transport = Transport()
        protocol.connection_made(transport)
        reader, writer = given
        assert reader is protocol._stream_reader
        assert (writer._reader, writer._protocol, writer.transport) == (reader, protocol, transport)
        assert reader._transport is transport
        transport.closing = True

    run(main())


def test_a_rejected_connection_is_aborted_and_reported(run, kind):
    reported = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, each: reported.append(each))
        reader, transport = kind.reader(), Transport()
        protocol = kind.protocol(reader)
        protocol._reject_connection = True
        protocol.connection_made(transport)
        assert transport.calls == ["abort"]

    run(main())
    assert "An open stream was garbage collected prior to" in reported[0]["message"]


def test_tls_takes_no_half_closed_connections(run, kind):
    async def main():
        stream = Stream(kind, sslcontext=object())
        assert stream.protocol._over_ssl is True
        assert stream.protocol.eof_received() is False
        stream.transport.closing = True

    run(main())


def test_what_it_looks_like(streamed):
    async def main(stream):
        text = "<StreamWriter transport=<Transport> reader=<StreamReader transport=<Transport>>>"
        assert repr(stream.writer) == text

    streamed(main)


def test_they_pass_for_asyncios(run):
    async def main():
        stream = Stream(KINDS["roundel"])
        assert isinstance(stream.writer, asyncio.StreamWriter)
        assert isinstance(stream.protocol, asyncio.StreamReaderProtocol)
        assert isinstance(stream.protocol, asyncio.Protocol)
        assert issubclass(roundel.StreamReaderProtocol, asyncio.Protocol)
        stream.transport.closing = True

    run(main())


def test_derived_classes_are_called_by_their_methods(run, kind):
    class Reader(kind.reader):
        fed = b""

        def feed_data(self, data):
            self.fed += data
            super().feed_data(data.upper())

    class Protocol(kind.protocol):
        def data_received(self, data):
            super().data_received(data + b"!")

        async def _drain_helper(self):
            await super()._drain_helper()
            self.drained = True

    async def main():
        reader = Reader()
        protocol, transport = Protocol(reader), Transport()
        protocol.connection_made(transport)
        writer = kind.writer(transport, protocol, reader, asyncio.get_running_loop())
        protocol.data_received(b"a")
        assert (reader.fed, await reader.read(9)) == (b"a!", b"A!")
        await writer.drain()
        assert protocol.drained
        transport.closing = True

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the protocol keeps the writer there")
@pytest.mark.filterwarnings("default")
def test_a_server_that_drops_its_writer_closes_the_connection(run, kind):
    async def main():
        protocol, transport = kind.protocol(kind.reader(), lambda *stream: None), Transport()
        with pytest.warns(ResourceWarning, match="unclosed"):
            protocol.connection_made(transport)
        assert transport.calls == ["close"]

    run(main())
