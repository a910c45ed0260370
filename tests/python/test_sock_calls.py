"""`loop.sock_recv` and its siblings: what they give, refuse and leave behind, as on asyncio."""

import asyncio
import contextlib
import errno
import inspect
import socket
import ssl

import pytest

import roundel

LOOPS = {"asyncio": asyncio.SelectorEventLoop, "roundel": roundel.new_event_loop}


@pytest.fixture(params=LOOPS)
def loop(request, debug):
    """asyncio's loop and roundel's, which must do the same."""
    loop = LOOPS[request.param]()
    loop.set_debug(debug)
    yield loop
    pending = set() if loop.is_closed() else asyncio.all_tasks(loop)
    loop.close()
    assert not pending


@pytest.fixture
def pair():
    """Two connected stream sockets that do not block."""
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


@pytest.fixture
def datagrams():
    """Two datagram sockets that know each other's address."""
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        for each in (one, two):
            each.setblocking(False)
            each.bind(("127.0.0.1", 0))
        yield one, two


@pytest.fixture
def listener():
    """A socket that listens, and has nobody to accept."""
    with socket.socket() as listener:
        listener.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


class Subclassed(socket.socket):
    """A socket whose methods are to be called, not what they do."""

    calls = ()

    def recv(self, *arguments):
        self.calls += ("recv",)
        return super().recv(*arguments)

    def send(self, *arguments):
        self.calls += ("send",)
        return super().send(*arguments)


def fill(sock):
    """Sends until nothing more goes, and returns how much went."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sock.send(bytes(65536))
    return sent


async def drained(loop, sock, size):
    """Receives so many bytes."""
    received = bytearray()
    while len(received) < size:
        received += await loop.sock_recv(sock, 65536)
    return received


RECEIVING = {
    "recv": lambda loop, sock: loop.sock_recv(sock, 100),
    "recv_into": lambda loop, sock: loop.sock_recv_into(sock, bytearray(100)),
    "recvfrom": lambda loop, sock: loop.sock_recvfrom(sock, 100),
    "recvfrom_into": lambda loop, sock: loop.sock_recvfrom_into(sock, bytearray(100)),
}
CALLS = {
    **RECEIVING,
    "accept": lambda loop, sock: loop.sock_accept(sock),
    "sendall": lambda loop, sock: loop.sock_sendall(sock, b"x"),
    "sendto": lambda loop, sock: loop.sock_sendto(sock, b"x", ("127.0.0.1", 9)),
    "connect": lambda loop, sock: loop.sock_connect(sock, ("127.0.0.1", 9)),
}
of_calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("recv", b"abc"),
        ("recv_into", 3),
        ("recvfrom", (b"abc", None)),
        ("recvfrom_into", (3, None)),
    ],
)
def test_what_is_received(loop, pair, name, result, waits):
    left, right = pair

    async def main():
        if not waits:
            right.send(b"abc")
        receiving = asyncio.ensure_future(RECEIVING[name](loop, left))
        await asyncio.sleep(0)
        assert receiving.done() is not waits
        if waits:
            right.send(b"abc")
        return await receiving

    assert loop.run_until_complete(main()) == result
    assert not loop.remove_reader(left)


def test_what_was_received_is_in_the_buffer(loop, pair):
    left, right = pair
    buffer = bytearray(b"......")
    right.send(b"abcdef")

    async def main():
        assert await loop.sock_recv_into(left, memoryview(buffer)[:2]) == 2
        assert (await loop.sock_recvfrom_into(left, buffer, 1))[0] == 1

    loop.run_until_complete(main())
    assert bytes(buffer) == b"cb...."


@pytest.mark.parametrize("size", [0, 1, 65536, 300_000])
def test_no_more_than_asked_for_and_no_less_than_there_is(loop, pair, size):
    left, right = pair
    right.send(b"xyz")
    received = loop.run_until_complete(loop.sock_recv(left, size))
    assert received == b"xyz"[:size]


def test_large_receives_are_whole(loop, pair):
    left, right = pair
    data = bytes(range(256)) * 4096

    async def main():
        sending = asyncio.ensure_future(loop.sock_sendall(right, data))
        received = bytearray()
        while len(received) < len(data):
            received += await loop.sock_recv(left, 1 << 20)
        await sending
        return received

    assert loop.run_until_complete(main()) == data


def test_the_end_of_the_stream_is_empty(loop, pair):
    left, right = pair
    right.close()
    assert loop.run_until_complete(loop.sock_recv(left, 10)) == b""
    assert loop.run_until_complete(loop.sock_recv_into(left, bytearray(9))) == 0


@pytest.mark.parametrize("size", [-1, "1", None, 1.5, 1 << 70])
def test_a_wrong_size_is_refused_in_the_sockets_words(loop, pair, size):
    with pytest.raises((TypeError, ValueError, OverflowError)) as expected:
        pair[0].recv(size)
    with pytest.raises(expected.type) as refused:
        loop.run_until_complete(loop.sock_recv(pair[0], size))
    assert str(refused.value) == str(expected.value)


@pytest.mark.parametrize("buffer", [b"read-only", "text", None])
def test_a_wrong_buffer_is_refused_in_the_sockets_words(loop, pair, buffer):
    with pytest.raises(TypeError) as expected:
        pair[0].recv_into(buffer)
    with pytest.raises(TypeError) as refused:
        loop.run_until_complete(loop.sock_recv_into(pair[0], buffer))
    assert str(refused.value) == str(expected.value)
    assert loop.run_until_complete(loop.sock_recv_into(pair[0], bytearray())) == 0


@pytest.mark.parametrize("data", ["text", None, 7])
def test_wrong_data_is_refused_in_the_sockets_words(loop, pair, data):
    with pytest.raises(TypeError) as expected:
        pair[0].send(data)
    with pytest.raises(TypeError) as refused:
        loop.run_until_complete(loop.sock_sendall(pair[0], data))
    assert str(refused.value) == str(expected.value)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_is_sent_however_long_it_takes(loop, pair, kind):
    left, right = pair
    data = bytes(range(256)) * 8192

    async def main():
        sending = asyncio.ensure_future(loop.sock_sendall(left, kind(data)))
        received = await drained(loop, right, len(data))
        assert await sending is None
        return received

    assert loop.run_until_complete(main()) == data
    assert not loop.remove_writer(left)


def test_nothing_to_send_is_sent(loop, pair):
    assert loop.run_until_complete(loop.sock_sendall(pair[0], b"")) is None


def test_what_is_being_sent_stays_in_place(loop, pair):
    left, right = pair
    data = bytearray(1 << 21)

    async def main():
        sending = asyncio.ensure_future(loop.sock_sendall(left, data))
        await asyncio.sleep(0)
        with pytest.raises(BufferError):
            data.extend(b"more")
        await drained(loop, right, len(data))
        await sending

    loop.run_until_complete(main())


def test_a_broken_connection_raises_what_the_socket_would(loop, pair):
    left, right = pair
    right.close()
    with pytest.raises(BrokenPipeError) as broken:
        loop.run_until_complete(loop.sock_sendall(left, b"x"))
    assert broken.value.args == (errno.EPIPE, "Broken pipe")


@of_calls
def test_a_closed_socket_raises(loop, call):
    sock = socket.socket()
    sock.setblocking(False)
    sock.close()
    with pytest.raises((OSError, ValueError)) as raised:
        loop.run_until_complete(call(loop, sock))
    assert raised.value.args == (errno.EBADF, "Bad file descriptor")


def test_datagrams_come_with_their_address(loop, datagrams):
    one, two = datagrams

    async def main():
        assert await loop.sock_sendto(one, b"first", two.getsockname()) == 5
        assert await loop.sock_recvfrom(two, 100) == (b"first", one.getsockname())
        buffer = bytearray(100)
        receiving = asyncio.ensure_future(loop.sock_recvfrom_into(two, buffer))
        await asyncio.sleep(0)
        await loop.sock_sendto(one, b"second", two.getsockname())
        assert await receiving == (6, one.getsockname())
        assert buffer[:6] == b"second"

    loop.run_until_complete(main())


@pytest.mark.parametrize("early", [False, True])
def test_connecting_and_accepting(loop, listener, early):
    async def main():
        with socket.socket() as client:
            client.setblocking(False)
            accepting = asyncio.ensure_future(loop.sock_accept(listener)) if early else None
            await asyncio.sleep(0)
            assert await loop.sock_connect(client, listener.getsockname()) is None
            connection, address = await (accepting or loop.sock_accept(listener))
            with connection:
                assert address == client.getsockname()
                assert connection.gettimeout() == 0
                await loop.sock_sendall(client, b"hello")
                assert await loop.sock_recv(connection, 9) == b"hello"

    loop.run_until_complete(main())
    assert not loop.remove_reader(listener)


def test_names_are_looked_up_before_connecting(loop, listener):
    async def main():
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("localhost", listener.getsockname()[1]))
            assert client.getpeername() == listener.getsockname()

    loop.run_until_complete(main())


def test_refused_connections_say_who_refused(loop, listener):
    address = listener.getsockname()
    listener.close()
    with socket.socket() as client:
        client.setblocking(False)
        with pytest.raises(ConnectionRefusedError) as refused:
            loop.run_until_complete(loop.sock_connect(client, address))
        assert refused.value.args == (errno.ECONNREFUSED, f"Connect call failed {address}")
        assert not loop.remove_writer(client)


def test_a_path_that_is_not_there_is_refused_at_once(loop, tmp_path):
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        with pytest.raises(FileNotFoundError):
            loop.run_until_complete(loop.sock_connect(client, str(tmp_path / "absent")))


@of_calls
def test_tls_sockets_are_refused(loop, pair, call):
    context = ssl.create_default_context()
    with (
        context.wrap_socket(pair[0], server_hostname="x", do_handshake_on_connect=False) as wrapped,
        pytest.raises(TypeError, match="Socket cannot be of type SSLSocket"),
    ):
        loop.run_until_complete(call(loop, wrapped))


@of_calls
def test_blocking_sockets_are_refused_in_debug_mode(loop, pair, call):
    loop.set_debug(True)
    pair[0].setblocking(True)
    with pytest.raises(ValueError, match=r"^the socket must be non-blocking$"):
        loop.run_until_complete(call(loop, pair[0]))


def test_a_descriptor_of_a_transport_is_not_waited_for(loop, pair):
    left, _right = pair

    async def main():
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=left)
        twin = socket.socket(fileno=left.fileno())
        twin.setblocking(False)
        try:
            with pytest.raises(RuntimeError, match="is used by transport"):
                await loop.sock_recv(twin, 10)
        finally:
            twin.detach()
            transport.close()
        await asyncio.sleep(0)

    loop.run_until_complete(main())


def test_the_methods_of_a_derived_socket_are_called(loop):
    left, right = socket.socketpair()
    sock = Subclassed(fileno=left.detach())
    with sock, right:
        sock.setblocking(False)
        right.setblocking(False)

        async def main():
            receiving = asyncio.ensure_future(loop.sock_recv(sock, 10))
            await asyncio.sleep(0)
            right.send(b"hello")
            assert await receiving == b"hello"
            sending = asyncio.ensure_future(loop.sock_sendall(sock, bytes(1 << 20)))
            await drained(loop, right, 1 << 20)
            await sending

        loop.run_until_complete(main())
        assert sock.calls[:2] == ("recv", "recv")
        assert sock.calls.count("send") > 1


@pytest.mark.parametrize("call", RECEIVING.values(), ids=RECEIVING)
def test_a_cancelled_receive_takes_nothing(loop, pair, call):
    left, right = pair

    async def main():
        receiving = asyncio.ensure_future(call(loop, left))
        await asyncio.sleep(0)
        right.send(b"abc")
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert not loop.remove_reader(left)
        assert await loop.sock_recv(left, 9) == b"abc"

    loop.run_until_complete(main())


def test_a_cancelled_call_leaves_its_successor_alone(loop, pair):
    left, right = pair

    async def main():
        first = asyncio.ensure_future(loop.sock_recv(left, 9))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.ensure_future(loop.sock_recv(left, 9))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        right.send(b"abc")
        assert await asyncio.wait_for(second, 5) == b"abc"
        assert first.cancelled()

    loop.run_until_complete(main())


def test_cancelled_sends_and_accepts_are_watched_no_more(loop, pair, listener):
    fill(pair[0])

    async def main():
        calls = [loop.sock_sendall(pair[0], b"x"), loop.sock_accept(listener)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)

    loop.run_until_complete(main())
    assert not loop.remove_writer(pair[0])
    assert not loop.remove_reader(listener)


def test_reading_and_writing_wait_side_by_side(loop, pair):
    left, right = pair
    size = fill(left)

    async def main():
        reading = asyncio.ensure_future(loop.sock_recv(left, 9))
        writing = asyncio.ensure_future(loop.sock_sendall(left, b"end"))
        await asyncio.sleep(0)
        right.send(b"abc")
        assert await reading == b"abc"
        assert not writing.done()
        assert (await drained(loop, right, size + 3))[-3:] == b"end"
        await writing

    loop.run_until_complete(main())


def test_calls_are_coroutines(loop, pair):
    call = loop.sock_recv(pair[0], 9)
    assert asyncio.iscoroutine(call)
    assert inspect.isawaitable(call)
    call.close()
    call = loop.sock_recv(pair[0], 9)
    with pytest.warns(RuntimeWarning, match=r"sock_recv' was never awaited"):
        del call


def test_calls_are_bound_as_functions_are(loop, pair):
    pair[1].send(b"abc")
    assert loop.run_until_complete(loop.sock_recv(n=2, sock=pair[0])) == b"ab"
    with pytest.raises(
        TypeError, match=r"sock_recv\(\) missing 1 required positional argument: 'n'"
    ):
        loop.sock_recv(pair[0])


def test_a_waiting_task_names_the_socket(pair):
    left, _right = pair

    async def main():
        task = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(left, 9))
        await asyncio.sleep(0)
        text = repr(task)
        task.cancel()
        return text

    assert f"sock_recv() on {left!r}" in roundel.run(main())
