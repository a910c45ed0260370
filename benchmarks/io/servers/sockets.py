"""What lies below transports: the loop's sock_* methods, and readers of descriptors."""

import asyncio
import select
import socket
import time

from .protocols import BACKLOG

MESSAGE = bytes(64)
# Reading the clock costs as much as a fifth of a turn; once in a while is enough.
TURNS_PER_CLOCK = 64


async def echo() -> str:
    """Serves with sock_accept, sock_recv and sock_sendall."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listener.setblocking(False)
    tasks = set()

    async def serve_one(connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            while data := await loop.sock_recv(connection, 64 * 1024):
                await loop.sock_sendall(connection, data)

    async def accept() -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            task = loop.create_task(serve_one(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    tasks.add(asyncio.create_task(accept()))
    return f"tcp:{listener.getsockname()[1]}"


async def ping_pong(seconds: float, address: str) -> int:
    """Plays a message back and forth between two descriptors' readers."""
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    done = loop.create_future()
    end = time.monotonic() + seconds
    count = 0

    def play(mine: socket.socket) -> None:
        nonlocal count
        count += 1
        mine.send(mine.recv(64))
        if count % TURNS_PER_CLOCK == 0 and time.monotonic() > end and not done.done():
            done.set_result(None)

    loop.add_reader(left, play, left)
    loop.add_reader(right, play, right)
    left.send(MESSAGE)
    await done
    loop.remove_reader(left)
    loop.remove_reader(right)
    left.close()
    right.close()
    return count


async def ping_pong_without_loop(seconds: float, address: str) -> int:
    """Plays the same, watched but without a loop that asks who has a message: they do by turns."""
    left, right = socket.socketpair()
    end = time.monotonic() + seconds
    count = 0

    def play(mine: socket.socket) -> None:
        nonlocal count
        count += 1
        mine.send(mine.recv(64))

    left.send(MESSAGE)
    with select.epoll() as poller:
        poller.register(left, select.EPOLLIN)
        poller.register(right, select.EPOLLIN)
        while time.monotonic() < end:
            for _ in range(TURNS_PER_CLOCK // 2):
                play(right)
                play(left)
    left.close()
    right.close()
    return count
