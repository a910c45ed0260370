"""In a busy loop, who talks to itself hears of each thing in the same turn as on asyncio."""

import asyncio
import os
import pathlib
import socket
import ssl

import pytest

import roundel

CERTIFICATE = pathlib.Path(__file__).parents[1] / "tls" / "localhost.pem"


class Turns:
    """A log of what happens, with the number of the turn in which it does."""

    def __init__(self):
        self.turn = 0
        self.events = []

    def log(self, *event):
        self.events.append((self.turn, *event))

    async def count(self):
        """Keeps the loop busy."""
        while True:
            self.turn += 1
            await asyncio.sleep(0)


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


class Peer(asyncio.Protocol):
    """Logs what it hears; the server sends it back."""

    def __init__(self, turns, name):
        self.turns, self.name = turns, name

    def connection_made(self, transport):
        self.transport = transport
        self.turns.log(self.name, "made")

    def data_received(self, data):
        self.turns.log(self.name, data)
        if self.name == "server":
            self.transport.write(data)

    def eof_received(self):
        self.turns.log(self.name, "eof")

    def connection_lost(self, exception):
        self.turns.log(self.name, "lost")


class DatagramPeer(asyncio.DatagramProtocol):
    """Logs what it hears."""

    def __init__(self, turns):
        self.turns = turns

    def datagram_received(self, data, address):
        self.turns.log(data)


def sockets():
    pair = socket.socketpair()
    for end in pair:
        end.setblocking(False)
    return pair


async def talk(turns_, transport):
    for number in range(3):
        transport.write(b"%d" % number)
        await turns(7)
    if transport.can_write_eof():
        transport.write_eof()
        await turns(5)
    transport.close()
    await turns(20)


async def transports(turns_, aio, path):
    loop = asyncio.get_running_loop()
    ours, theirs = sockets()
    client, _ = await loop.create_connection(lambda: Peer(turns_, "client"), sock=ours)
    await loop.create_connection(lambda: Peer(turns_, "server"), sock=theirs)
    await talk(turns_, client)


async def server(turns_, aio, path, contexts=(None, None)):
    loop = asyncio.get_running_loop()
    name = "localhost" if contexts[1] else None
    server = await loop.create_unix_server(lambda: Peer(turns_, "server"), path, ssl=contexts[0])
    client, _ = await loop.create_unix_connection(
        lambda: Peer(turns_, "client"), path, ssl=contexts[1], server_hostname=name
    )
    turns_.log("connected")
    await talk(turns_, client)
    server.close()
    await server.wait_closed()


async def tls(turns_, aio, path):
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(CERTIFICATE)
    theirs = ssl.create_default_context(cafile=CERTIFICATE)
    await server(turns_, aio, path, (ours, theirs))


async def streams(turns_, aio, path):
    async def serve(reader, writer):
        while data := await reader.read(100):
            turns_.log("server", data)
            writer.write(data)
            await writer.drain()
        turns_.log("server", "eof")
        writer.close()

    server = await aio.start_unix_server(serve, path)
    reader, writer = await aio.open_unix_connection(path)
    for number in range(3):
        writer.write(b"%d" % number)
        turns_.log("client", await reader.read(100))
    writer.write_eof()
    turns_.log("client", await reader.read(100))
    writer.close()
    await writer.wait_closed()
    turns_.log("closed")
    server.close()
    await server.wait_closed()


async def datagrams(turns_, aio, path):
    loop = asyncio.get_running_loop()
    family = socket.AF_UNIX
    there, _ = await loop.create_datagram_endpoint(
        lambda: DatagramPeer(turns_), local_addr=path, family=family
    )
    here, _ = await loop.create_datagram_endpoint(
        lambda: DatagramPeer(turns_), remote_addr=path, family=family
    )
    for number in range(3):
        here.sendto(b"%d" % number)
        await turns(4)
    here.close()
    there.close()
    await turns(3)


async def pipes(turns_, aio, path):
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    await loop.connect_read_pipe(lambda: Peer(turns_, "reader"), os.fdopen(reading, "rb", 0))
    writer, _ = await loop.connect_write_pipe(
        lambda: Peer(turns_, "writer"), os.fdopen(writing, "wb", 0)
    )
    for number in range(3):
        writer.write(b"%d" % number)
        await turns(4)
    writer.close()
    await turns(6)


async def calls_on_sockets(turns_, aio, path):
    loop = asyncio.get_running_loop()
    ours, theirs = sockets()

    async def receive():
        while data := await loop.sock_recv(theirs, 100):
            turns_.log(data)
        turns_.log("eof")

    receiving = asyncio.create_task(receive())
    await turns(3)
    for number in range(3):
        await loop.sock_sendall(ours, b"%d" % number)
        await turns(4)
    ours.send(b"by itself")
    await turns(4)
    ours.close()
    await receiving
    theirs.close()


async def connecting(turns_, aio, path):
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        for end in listener, client:
            end.setblocking(False)
        accepting = asyncio.create_task(loop.sock_accept(listener))
        await turns(3)
        await loop.sock_connect(client, path)
        turns_.log("connected")
        accepted, _ = await accepting
        turns_.log("accepted")
        accepted.close()


async def readers(turns_, aio, path):
    loop = asyncio.get_running_loop()
    ours, theirs = sockets()
    loop.add_reader(theirs, lambda: turns_.log(theirs.recv(100)))
    for number in range(3):
        ours.send(b"%d" % number)
        await turns(4)
    loop.remove_reader(theirs)
    ours.close()
    theirs.close()


def log_of(program, aio, loop_factory, path):
    log = Turns()

    async def main():
        counting = asyncio.create_task(log.count())
        await turns(2)
        await program(log, aio, path)
        counting.cancel()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
    return log.events


PROGRAMS = [
    transports,
    server,
    tls,
    streams,
    datagrams,
    pipes,
    calls_on_sockets,
    connecting,
    readers,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_each_thing_is_heard_of_in_the_turn_in_which_asyncio_hears_of_it(program, tmp_path):
    ours = log_of(program, roundel, roundel.new_event_loop, str(tmp_path / "ours"))
    theirs = log_of(program, asyncio, asyncio.SelectorEventLoop, str(tmp_path / "theirs"))
    assert ours == theirs
    assert len(ours) >= 2
