"""What is raised at an `await` whose future fails or is cancelled: asyncio's, frame by frame."""

import asyncio
import traceback
import types

import pytest

import roundel


def frames(error):
    """Returns the functions that an exception has come through, and those of its context."""
    context = error.__context__
    return (
        type(error).__name__,
        error.args,
        [frame.name for frame in traceback.extract_tb(error.__traceback__)],
        context and (type(context).__name__, error.__suppress_context__),
    )


def fail(future):
    future.set_exception(LookupError("failed"))


def cancel(future):
    future.cancel("enough")


async def direct(future):
    await future


async def nested(future):
    await direct(future)


async def handling(future):
    try:
        raise KeyError("first")
    except KeyError:
        await future


@types.coroutine
def generating(future):
    yield from future


async def by_generator(future):
    await generating(future)


class Wrapper:
    """An awaitable that writes down how it is driven."""

    def __init__(self, future, log):
        self.iterator, self.log = future.__await__(), log

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        self.log.append("next")
        return next(self.iterator)

    def send(self, value):
        self.log.append("send")
        return self.iterator.send(value)

    def throw(self, error):
        self.log.append("throw")
        return self.iterator.throw(error)


WAYS = [direct, nested, handling, by_generator]


def raised(origin, program, end):
    """Returns what two tasks raise that await a future, and what awaiting it again raises."""

    async def main():
        loop = origin.get_running_loop()
        future = loop.create_future()
        tasks = [origin.Task(program(future), loop=loop) for _ in range(2)]
        await origin.sleep(0)
        end(future)
        results = await origin.gather(*tasks, return_exceptions=True)
        with pytest.raises((LookupError, origin.CancelledError)) as again:
            await program(future)
        return [frames(error) for error in results], frames(again.value)

    return run(origin, main)


def run(origin, main):
    factory = {asyncio: asyncio.SelectorEventLoop, roundel: roundel.new_event_loop}[origin]
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


@pytest.mark.parametrize("end", [fail, cancel])
@pytest.mark.parametrize("program", WAYS, ids=lambda program: program.__name__)
def test_a_failure_comes_through_the_same_frames(program, end):
    assert raised(roundel, program, end) == raised(asyncio, program, end)


@pytest.mark.parametrize("end", [fail, cancel])
def test_whoever_stands_between_hears_the_same(end):
    def driven(origin):
        log = []

        async def main():
            future = origin.get_running_loop().create_future()

            async def wait():
                await Wrapper(future, log)

            task = origin.create_task(wait())
            await origin.sleep(0)
            end(future)
            (error,) = await origin.gather(task, return_exceptions=True)
            return frames(error)

        return run(origin, main), log

    assert driven(roundel) == driven(asyncio)


@pytest.mark.parametrize("catches", [False, True])
def test_a_failure_and_a_cancellation_at_once(catches):
    def outcome(origin):
        async def main():
            future = origin.get_running_loop().create_future()

            async def wait():
                try:
                    await future
                except origin.CancelledError as error:
                    if not catches:
                        raise
                    return ("caught", frames(error))

            task = origin.create_task(wait())
            await origin.sleep(0)
            fail(future)
            task.cancel("now")
            (result,) = await origin.gather(task, return_exceptions=True)
            return (
                frames(result) if isinstance(result, BaseException) else result,
                task.cancelled(),
                task.cancelling(),
            )

        return run(origin, main)

    assert outcome(roundel) == outcome(asyncio)
