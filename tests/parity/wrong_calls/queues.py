"""Queues of the wrong size, finished too often, used after their end."""

import sys

from .locks import two_loops
from .outcome import Call


async def done_too_often(aio, loop):
    """Finishes more than was put in."""
    queue = aio.Queue()
    queue.put_nowait(1)
    queue.task_done()
    queue.task_done()


def overfull(aio, loop):
    """Puts more in than there is room for."""
    queue = aio.Queue(1)
    queue.put_nowait(1)
    queue.put_nowait(2)


async def sized(aio, size):
    """Puts two items into a queue of an odd size."""
    queue = aio.Queue(size)
    queue.put_nowait(1)
    async with aio.timeout(0.001):
        await queue.put(2)
    return queue.qsize(), queue.full()


async def incomparable(aio, loop):
    """Puts what cannot be compared into a priority queue."""
    queue = aio.PriorityQueue()
    queue.put_nowait(1)
    try:
        queue.put_nowait("a")
    finally:
        queue.put_nowait(0)
        assert queue.get_nowait() == 0


async def comparison_raises(aio, loop):
    """Puts in what raises when it is compared."""

    class Odd:
        def __lt__(self, other):
            raise ArithmeticError("compared")

    queue = aio.PriorityQueue()
    queue.put_nowait(Odd())
    await queue.put(Odd())


async def putter_cancelled(aio, loop):
    """Cancels a putter and puts in what it could not."""
    queue = aio.Queue(1)
    queue.put_nowait(1)
    putter = loop.create_task(queue.put(2))
    await aio.sleep(0)
    putter.cancel()
    await aio.gather(putter, return_exceptions=True)
    got = queue.get_nowait()
    queue.put_nowait(3)
    return got, queue.get_nowait(), queue.qsize()


def after_shutdown(call, immediate=False):
    """Makes the call on a queue with one item that was shut down."""

    async def made(aio, loop):
        queue = aio.Queue()
        queue.put_nowait(1)
        queue.shutdown(immediate)
        return await call(queue)

    return made


async def waiting_at_shutdown(aio, loop):
    """Shuts a queue down for which tasks wait."""
    empty, full = aio.Queue(), aio.Queue(1)
    full.put_nowait(1)
    tasks = [loop.create_task(empty.get()), loop.create_task(full.put(2))]
    tasks.append(loop.create_task(full.join()))
    await aio.sleep(0)
    empty.shutdown()
    full.shutdown(immediate=True)
    return await aio.gather(*tasks, return_exceptions=True)


async def get_twice(queue):
    """Gets what is there, and what is not."""
    got = await queue.get()
    return got, await queue.get()


async def get_nowait(queue):
    """Gets without waiting."""
    return queue.get_nowait()


async def put_nowait(queue):
    """Puts without waiting."""
    return queue.put_nowait(1)


CALLS: dict[str, Call] = {
    "task_done on a fresh one": lambda aio, loop: aio.Queue().task_done(),
    "task_done too often": done_too_often,
    "get_nowait from an empty one": lambda aio, loop: aio.Queue().get_nowait(),
    "get_nowait from an empty stack": lambda aio, loop: aio.LifoQueue().get_nowait(),
    "put_nowait into a full one": overfull,
    "a size of less than nothing": lambda aio, loop: sized(aio, -3),
    "a size that is a string": lambda aio, loop: sized(aio, "1"),
    "a size that is a float": lambda aio, loop: sized(aio, 1.5),
    "a size that is None": lambda aio, loop: sized(aio, None),
    "a size beyond all bounds": lambda aio, loop: sized(aio, 2**70),
    "a loop as an argument": lambda aio, loop: aio.Queue(loop=loop),
    "items that cannot be compared": incomparable,
    "items that raise when compared": comparison_raises,
    "a putter cancelled": putter_cancelled,
    "in two loops": two_loops(lambda aio: aio.Queue(), lambda queue: queue.get()),
    "its length": lambda aio, loop: len(aio.Queue()),
}
if sys.version_info >= (3, 13):
    CALLS |= {
        "get twice after shutdown": after_shutdown(get_twice),
        "put after shutdown": after_shutdown(lambda queue: queue.put(2)),
        "put_nowait after shutdown": after_shutdown(put_nowait),
        "get after immediate shutdown": after_shutdown(lambda queue: queue.get(), True),
        "get_nowait after immediate shutdown": after_shutdown(get_nowait, True),
        "join after immediate shutdown": after_shutdown(lambda queue: queue.join(), True),
        "shutdown with waiters": waiting_at_shutdown,
    }
