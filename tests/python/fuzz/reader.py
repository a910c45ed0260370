"""A stream's reader, fed and asked at random, does step by step what asyncio's does."""

import asyncio
import random
import sys

import roundel

SEVERAL_SEPARATORS = sys.version_info >= (3, 13)
LETTERS = b"ab\n\r"
SEPARATORS = (b"\n", b"\r\n", b"ab", b"a\n", b"bab", b"")


class Transport:
    """Notes what the reader wants of it."""

    def __init__(self, can_pause):
        self.can_pause = can_pause
        self.calls = []

    def pause_reading(self):
        if not self.can_pause:
            raise NotImplementedError
        self.calls.append("pause")

    def resume_reading(self):
        self.calls.append("resume")


async def outcome(awaitable):
    """Awaits, and returns what comes of it in a form that can be compared."""
    try:
        return await awaitable
    except Exception as error:
        return plain(error)


def attempt(call, *arguments):
    """Calls, and returns what comes of it in a form that can be compared."""
    try:
        return call(*arguments)
    except Exception as error:
        return plain(error)


def plain(error):
    """An exception as its type and what it says."""
    details = [getattr(error, name, None) for name in ("partial", "expected", "consumed")]
    return type(error).__name__, str(error), details


def random_read(draw):
    """Returns a way to read from any reader, and its name."""
    count = draw.choice([0, 1, 3, 8, 20, 70])
    ends = draw.choice(SEPARATORS)
    if SEVERAL_SEPARATORS and draw.random() < 0.5:
        ends = tuple(draw.choices(SEPARATORS[:-1], k=draw.randint(0, 3)))
    return draw.choice(
        [
            ("readline", lambda reader: reader.readline()),
            ("anext", lambda reader: reader.__anext__()),
            (f"readuntil {ends}", lambda reader: reader.readuntil(ends)),
            (f"readexactly {count}", lambda reader: reader.readexactly(count - (count == 70))),
            (f"read {count}", lambda reader: reader.read(count)),
            ("read all", lambda reader: reader.read()),
        ]
    )


class Session:
    """The same, done to both readers."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        limit = self.draw.choice([1, 4, 10, 64])
        self.readers = (
            asyncio.StreamReader(limit, asyncio.get_running_loop()),
            roundel.StreamReader(limit, asyncio.get_running_loop()),
        )
        can_pause = self.draw.random() < 0.9
        self.transports = (Transport(can_pause), Transport(can_pause))
        self.waiting = []  # pairs of tasks
        # asyncio forgets where to look for a separator if others take bytes meanwhile.
        self.alone = False
        self.reading_all = False  # what asyncio takes for that is no longer in its buffer
        self.steps = []
        self.faults = []
        self.over = False

    async def live(self):
        """Takes some steps, after each of which both must be the same."""
        for _ in range(self.draw.randint(1, 80)):
            self.step()
            for _ in range(4):
                await asyncio.sleep(0)
            self.compare()
            if self.faults or self.over:
                break
        for pair in self.waiting:
            for task in pair:
                task.cancel()
                await asyncio.wait([task])
        return [f"after {self.steps[-8:]}", *self.faults] if self.faults else []

    def step(self):
        step = self.draw.choices(
            (self.feed, self.read, self.cancel, self.rare), weights=(8, 8, 1, 1)
        )[0]
        step()

    def both(self, name, call):
        """Does something to both readers, of which the same must come."""
        self.steps.append(name)
        ours, theirs = (attempt(call, reader) for reader in self.readers)
        if ours != theirs:
            self.faults.append(f"{name}: {ours!r} from asyncio, {theirs!r} from roundel")

    def feed(self):
        data = bytes(self.draw.choices(LETTERS, k=self.draw.choice([0, 1, 2, 5, 12, 40, 200])))
        kind = self.draw.choice([bytes, bytes, bytearray, memoryview])
        self.both(f"feed {data!r}", lambda reader: reader.feed_data(kind(data)))

    def read(self):
        if self.waiting and (self.alone or self.draw.random() < 0.9):
            self.feed()
            return
        name, read = random_read(self.draw)
        if self.waiting and name == "read all":
            return
        self.steps.append(name)
        tasks = [asyncio.ensure_future(outcome(read(reader))) for reader in self.readers]
        self.waiting.append(tasks)
        self.reading_all = name == "read all"
        self.alone = not name.startswith(("read ", "readexactly")) or self.reading_all

    def cancel(self):
        # asyncio loses what a cancelled read() has taken.
        if self.waiting and not self.reading_all:
            self.steps.append("cancel")
            for task in self.waiting[-1]:
                task.cancel()

    def rare(self):
        step = self.draw.choice(("eof", "exception", "transport", "take", "look"))
        if step == "eof":
            self.both("eof", lambda reader: reader.feed_eof())
        elif step == "exception":
            error = self.draw.choice([ValueError("no"), OSError(5, "no"), EOFError()])
            self.over = bool(self.waiting) and self.reading_all  # what asyncio has taken is lost
            self.both("exception", lambda reader: reader.set_exception(error))
        elif step == "transport":
            self.steps.append("transport")
            for reader, transport in zip(self.readers, self.transports, strict=True):
                if reader._transport is None:
                    reader.set_transport(transport)
        elif step == "take" and not self.waiting:
            count = self.draw.choice([0, 1, 5, 50])
            self.both(f"take {count}", lambda reader: reader._buffer.__delitem__(slice(count)))
        else:
            self.both("exception()", lambda reader: reader.exception())

    def compare(self):
        for pair in list(self.waiting):
            ours, theirs = pair
            if ours.done() != theirs.done():
                self.faults.append(f"done: {ours} in asyncio, {theirs} in roundel")
                continue
            if not ours.done():
                continue
            self.waiting.remove(pair)
            results = [task.cancelled() or task.result() for task in pair]
            if results[0] != results[1]:
                self.faults.append(f"{results[0]!r} from asyncio, {results[1]!r} from roundel")
        ours, theirs = self.readers
        if ours._paused and not theirs._paused and len(ours._buffer) <= ours._limit:
            # asyncio forgets to go on after a readexactly() that takes nothing or too little.
            self.over = True
        if self.over or (self.waiting and self.reading_all):
            return
        for look in (
            lambda reader: bytes(reader._buffer),
            lambda reader: reader.at_eof(),
            lambda reader: reader._paused,
            lambda reader: reader.exception(),
        ):
            ours, theirs = (look(reader) for reader in self.readers)
            if ours != theirs:
                self.faults.append(f"{ours!r} in asyncio, {theirs!r} in roundel")
        ours, theirs = self.transports
        if "read all" not in self.steps and ours.calls != theirs.calls:
            self.faults.append(f"{ours.calls} by asyncio, {theirs.calls} by roundel")


def examine(seed):
    """Returns what is wrong with a session."""

    async def main():
        return await Session(seed).live()

    return roundel.run(main())
