"""Random chunks and random reads: a stream's reader does what a naive model of one does."""

import asyncio
import random

import pytest

import roundel


class Model:
    """What is to be read, searched anew each time."""

    def __init__(self, limit):
        self.data, self.eof, self.limit = b"", False, limit

    def take(self, count):
        taken = self.data[:count]
        self.data = self.data[len(taken) :]
        return taken

    def until(self, ends):
        places = [(self.data.find(end) + len(end), len(end)) for end in ends if end in self.data]
        if places:
            stop, width = min(places)
            return ("late", stop - width) if stop - width > self.limit else self.take(stop)
        free = max(0, len(self.data) + 1 - max(map(len, ends)))
        if free > self.limit:
            return ("late", free)
        return ("partial", self.take(None)) if self.eof else None

    def line(self):
        result = self.until([b"\n"])
        if isinstance(result, tuple):
            if result[0] == "partial":
                return result[1]
            self.take(result[1])
            if self.data[:1] == b"\n":
                self.take(1)
            return "too long"
        return result

    def exactly(self, count):
        if len(self.data) < count:
            return ("partial", self.take(None)) if self.eof else None
        return self.take(count)

    def some(self, count):
        if count < 0:
            return self.take(None) if self.eof else None
        return self.take(count) if self.data or self.eof or not count else None


def random_read(draw, reader, model):
    """Returns a way to read, and what the model makes of it."""
    count = draw.choice([0, 1, 3, 8, 20])
    ends = draw.sample([b"\n", b"ab", b"a\n", b"bab"], draw.randint(1, 3))
    return draw.choice(
        [
            (reader.readline, model.line),
            (lambda: anext(reader), lambda: model.line() or StopAsyncIteration),
            (lambda: reader.readuntil(tuple(ends)), lambda: model.until(ends)),
            (lambda: reader.readexactly(count), lambda: model.exactly(count)),
            (lambda: reader.read(count), lambda: model.some(count)),
            (lambda: reader.read(), lambda: model.some(-1)),
        ]
    )


async def outcome(awaitable):
    """Awaits, and returns what comes of it as the model says it."""
    try:
        return await awaitable
    except asyncio.IncompleteReadError as error:
        return ("partial", error.partial)
    except asyncio.LimitOverrunError as error:
        return ("late", error.consumed)
    except ValueError:
        return "too long"
    except StopAsyncIteration:
        return StopAsyncIteration


async def random_session(seed):
    """Feeds and reads at random, and compares with the model."""
    draw = random.Random(seed)
    reader, model = roundel.StreamReader(limit=10), Model(10)
    for _ in range(draw.randint(1, 60)):
        read, expect = random_read(draw, reader, model)
        task = asyncio.ensure_future(outcome(read()))
        await asyncio.sleep(0)
        while (expected := expect()) is None or (expected is StopAsyncIteration and not model.eof):
            assert not task.done()
            if draw.random() < 0.1:
                task.cancel()
                await asyncio.wait([task])
                break
            if draw.random() < 0.1:
                reader.feed_eof()
                model.eof = True
            else:
                piece = bytes(draw.choices(b"ab\n", k=draw.randint(1, 7)))
                reader.feed_data(piece)
                model.data += piece
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        else:
            assert await task == expected
        assert reader._buffer == model.data
        if not model.eof and draw.random() < 0.5:
            piece = bytes(draw.choices(b"ab\n", k=draw.randint(0, 30)))
            reader.feed_data(piece)
            model.data += piece


@pytest.mark.parametrize("block", range(10))
def test_random_chunks_and_calls_are_as_in_a_naive_model(run, block):
    async def main():
        for seed in range(block * 40, block * 40 + 40):
            await random_session(seed)

    run(main())
