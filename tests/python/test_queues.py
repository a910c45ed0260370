"""Queues: who is served when, and that no item is lost, whatever happens to those who wait."""

import asyncio
import re
import weakref

import pytest

import roundel

KINDS = [roundel.Queue, roundel.LifoQueue, roundel.PriorityQueue]


async def turns(count=3):
    """Lets everybody else run so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def start(*coroutines):
    """Starts tasks, which begin in this order."""
    return [asyncio.create_task(coroutine) for coroutine in coroutines]


async def waiting(*coroutines):
    """Starts tasks and lets them come to where they wait."""
    tasks = start(*coroutines)
    await turns()
    return tasks


async def outcome(task):
    """Returns the result of a task, or the type of its exception."""
    try:
        return await task
    except (asyncio.CancelledError, Exception) as error:
        return type(error)


async def outcomes(tasks):
    """Returns the outcome of each."""
    return [await outcome(task) for task in tasks]


def test_getters_are_served_in_the_order_in_which_they_came(run_virtual):
    async def main():
        queue = roundel.Queue()
        getters = await waiting(*(queue.get() for _ in range(5)))
        for item in "abcde":
            queue.put_nowait(item)
        assert await outcomes(getters) == list("abcde")

    run_virtual(main())


def test_putters_get_room_in_the_order_in_which_they_came(run_virtual):
    async def main():
        queue = roundel.Queue(1)
        putters = await waiting(*(queue.put(item) for item in "abcde"))
        assert [await queue.get() for _ in putters] == list("abcde")
        assert await outcomes(putters) == [None] * 5
        assert queue.empty()

    run_virtual(main())


def test_put_nowait_does_not_make_room_of_its_own(run_virtual):
    async def main():
        queue = roundel.Queue(1)
        putters = await waiting(queue.put("a"), queue.put("b"))
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait("c")
        assert queue.get_nowait() == "a"
        queue.put_nowait("c")  # before the second putter, which was only told to try
        await turns()
        assert not putters[1].done()
        assert [await queue.get(), await queue.get()] == ["c", "b"]
        await asyncio.gather(*putters)

    run_virtual(main())


def test_a_getter_whose_item_was_taken_waits_on_behind_the_others(run_virtual):
    async def main():
        queue = roundel.Queue()
        first, second = await waiting(queue.get(), queue.get())
        queue.put_nowait("a")
        assert queue.get_nowait() == "a"  # first was woken, and finds nothing
        await turns()
        assert not first.done()
        queue.put_nowait("b")
        queue.put_nowait("c")
        assert await outcomes([first, second]) == ["c", "b"]

    run_virtual(main())


def test_a_getter_that_comes_later_may_take_the_item_of_one_that_was_woken(run_virtual):
    async def main():
        queue = roundel.Queue()
        (woken,) = await waiting(queue.get())
        queue.put_nowait("a")
        assert await queue.get() == "a"
        queue.put_nowait("b")
        assert await woken == "b"

    run_virtual(main())


def test_cancelled_getter_gives_up_its_place(run_virtual):
    async def main():
        queue = roundel.Queue()
        first, second = await waiting(queue.get(), queue.get())
        first.cancel()
        queue.put_nowait("a")
        assert await outcomes([first, second]) == [asyncio.CancelledError, "a"]
        assert len(queue._getters) == 0

    run_virtual(main())


def test_getter_cancelled_after_it_was_woken_leaves_the_item_to_the_next(run_virtual):
    async def main():
        queue = roundel.Queue()
        first, second = await waiting(queue.get(), queue.get())
        queue.put_nowait("a")
        first.cancel()
        assert await outcomes([first, second]) == [asyncio.CancelledError, "a"]
        assert queue.empty()

    run_virtual(main())


def test_only_getter_cancelled_after_it_was_woken_leaves_the_item_in_the_queue(run_virtual):
    async def main():
        queue = roundel.Queue()
        (getter,) = await waiting(queue.get())
        queue.put_nowait("a")
        getter.cancel()
        assert await outcome(getter) is asyncio.CancelledError
        assert queue.get_nowait() == "a"

    run_virtual(main())


def test_cancelled_putter_puts_nothing(run_virtual):
    async def main():
        queue = roundel.Queue(1)
        queue.put_nowait("a")
        first, second = await waiting(queue.put("b"), queue.put("c"))
        first.cancel()
        await turns()
        assert [await queue.get(), await queue.get()] == ["a", "c"]
        assert await outcomes([first, second]) == [asyncio.CancelledError, None]
        assert queue.empty()

    run_virtual(main())


def test_putter_cancelled_after_it_was_woken_leaves_the_room_to_the_next(run_virtual):
    async def main():
        queue = roundel.Queue(1)
        queue.put_nowait("a")
        first, second = await waiting(queue.put("b"), queue.put("c"))
        assert queue.get_nowait() == "a"
        first.cancel()
        assert await outcomes([first, second]) == [asyncio.CancelledError, None]
        assert queue.get_nowait() == "c"

    run_virtual(main())


def test_cancelled_before_its_first_step_takes_nothing(run_virtual):
    async def main():
        queue = roundel.Queue()
        queue.put_nowait("a")

        async def consume():
            return await queue.get()

        (task,) = start(consume())
        task.cancel()
        assert await outcome(task) is asyncio.CancelledError
        assert queue.qsize() == 1

    run_virtual(main())


@pytest.mark.parametrize("end", ["close", "throw", "drop"])
def test_getter_that_ends_after_it_was_woken_passes_its_turn_on(run_virtual, end):
    async def main():
        queue = roundel.Queue()

        async def consume():
            return await queue.get()

        by_hand = consume()
        by_hand.send(None)
        (other,) = await waiting(queue.get())
        queue.put_nowait("a")
        if end == "close":
            by_hand.close()
        elif end == "throw":
            with pytest.raises(ZeroDivisionError):
                by_hand.throw(ZeroDivisionError())
        del by_hand
        assert await other == "a"

    run_virtual(main())


def test_a_time_limit_loses_no_item(run_virtual):
    async def main():
        queue, received = roundel.Queue(2), []

        async def consume():
            while True:
                try:
                    async with asyncio.timeout(0.3):
                        received.append(await queue.get())
                except TimeoutError:
                    await asyncio.sleep(0.1)

        consumers = start(*(consume() for _ in range(3)))
        for item in range(60):
            await queue.put(item)
            await asyncio.sleep(item % 7 / 10)
        await asyncio.sleep(1)
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)
        assert received == list(range(60))

    run_virtual(main())


@pytest.mark.parametrize("seed", range(10))
def test_cancelling_at_random_loses_no_item(run_virtual, seed):
    async def main():
        queue, received = roundel.Queue(1), []

        async def produce(name):
            for number in range(10):
                await queue.put((name, number))

        async def consume():
            while True:
                received.append(await queue.get())
                await asyncio.sleep(0)

        producers = start(*(produce(name) for name in "abc"))
        while len(received) < 30:
            consumers = start(*(consume() for _ in range(3)))
            await turns(seed % 5 + 1)
            for consumer in consumers:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)
        await asyncio.gather(*producers)
        assert sorted(received) == [(name, number) for name in "abc" for number in range(10)]

    run_virtual(main(), order=seed)


def test_shut_down_queue_takes_no_more_and_gives_what_it_has(run_virtual):
    async def main():
        queue = roundel.Queue()
        queue.put_nowait("a")
        queue.shutdown()
        with pytest.raises(roundel.QueueShutDown):
            queue.put_nowait("b")
        with pytest.raises(roundel.QueueShutDown):
            await queue.put("b")
        assert await queue.get() == "a"
        with pytest.raises(roundel.QueueShutDown):
            await queue.get()
        with pytest.raises(roundel.QueueShutDown):
            queue.get_nowait()
        queue.task_done()
        await queue.join()

    run_virtual(main())


def test_shutdown_ends_the_wait_of_getters_and_putters(run_virtual):
    async def main():
        empty, full = roundel.Queue(), roundel.Queue(1)
        full.put_nowait("a")
        waiters = await waiting(empty.get(), empty.get(), full.put("b"), full.put("c"))
        empty.shutdown()
        full.shutdown()
        assert await outcomes(waiters) == [roundel.QueueShutDown] * 4
        assert full.get_nowait() == "a"

    run_virtual(main())


def test_item_put_before_the_shutdown_reaches_the_getter_that_was_woken(run_virtual):
    async def main():
        queue = roundel.Queue()
        first, second = await waiting(queue.get(), queue.get())
        queue.put_nowait("a")
        queue.shutdown()
        assert await outcomes([first, second]) == ["a", roundel.QueueShutDown]

    run_virtual(main())


def test_immediate_shutdown_drops_the_items_and_ends_join(run_virtual):
    async def main():
        queue = roundel.Queue()
        for item in "abc":
            queue.put_nowait(item)
        await queue.get()
        queue.task_done()
        (joiner,) = await waiting(queue.join())
        queue.shutdown(immediate=True)
        await joiner
        assert queue.empty()
        with pytest.raises(roundel.QueueShutDown):
            queue.get_nowait()

    run_virtual(main())


def test_immediate_shutdown_leaves_what_is_being_worked_on_unfinished(run_virtual):
    async def main():
        queue = roundel.Queue()
        for item in "abc":
            queue.put_nowait(item)
        await queue.get()
        queue.shutdown(immediate=True)
        (joiner,) = await waiting(queue.join())
        assert not joiner.done()
        queue.task_done()
        await joiner

    run_virtual(main())


def test_join_waits_for_every_item_put_meanwhile(run_virtual):
    async def main():
        queue = roundel.Queue()
        await queue.join()
        queue.put_nowait("a")
        (joiner,) = await waiting(queue.join())
        queue.put_nowait("b")
        queue.task_done()
        await turns()
        assert not joiner.done()
        queue.task_done()
        await joiner

    run_virtual(main())


@pytest.mark.parametrize("kind", KINDS)
def test_task_done_more_often_than_items_is_refused(kind):
    queue = kind()
    with pytest.raises(ValueError, match=re.escape("task_done() called too many times")):
        queue.task_done()
    queue.put_nowait(1)
    queue.task_done()  # whether it was taken out or not
    with pytest.raises(ValueError, match=re.escape("task_done() called too many times")):
        queue.task_done()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (roundel.Queue, [2, 3, 1, 2]),
        (roundel.LifoQueue, [2, 1, 3, 2]),
        (roundel.PriorityQueue, [1, 2, 2, 3]),
    ],
)
def test_each_kind_has_its_order(run_virtual, kind, expected):
    async def main():
        queue = kind()
        for item in (2, 3, 1, 2):
            await queue.put(item)
        assert [await queue.get() for _ in expected] == expected

    run_virtual(main())


def test_priority_queue_keeps_its_order_while_putters_wait(run_virtual):
    async def main():
        queue = roundel.PriorityQueue(2)
        putters = await waiting(*(queue.put(item) for item in (5, 4, 3, 2, 1)))
        received = []
        for _ in putters:
            await turns()
            received.append(await queue.get())
        assert received == [4, 3, 2, 1, 5]

    run_virtual(main())


def test_what_cannot_be_compared_is_refused_by_a_priority_queue(run_virtual):
    async def main():
        queue = roundel.PriorityQueue()
        await queue.put(1)
        with pytest.raises(TypeError):
            await queue.put("a")

    run_virtual(main())


@pytest.mark.parametrize("maxsize", [0, -1])
def test_queue_without_a_limit_is_never_full(maxsize):
    queue = roundel.Queue(maxsize)
    for item in range(1000):
        queue.put_nowait(item)
    assert not queue.full()
    assert queue.qsize() == 1000
    assert queue.maxsize == maxsize


@pytest.mark.parametrize("kind", KINDS)
def test_full_and_empty_say_so(kind):
    queue = kind(1)
    with pytest.raises(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait(1)
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait(2)
    assert queue.full()
    assert not queue.empty()


class Distinct(roundel.Queue):
    """Holds no item twice, and gives them in sorted order."""

    def _init(self, maxsize):
        self.held = set()

    def _put(self, item):
        self.held.add(item)

    def _get(self):
        item = min(self.held)
        self.held.remove(item)
        return item

    def qsize(self):
        return len(self.held)

    def empty(self):
        return not self.held


def test_derived_queue_keeps_its_items_where_it_wants(run_virtual):
    async def main():
        queue = Distinct()
        (getter,) = await waiting(queue.get())
        for item in (3, 1, 3, 2):
            await queue.put(item)
        assert await getter == 1
        assert [queue.get_nowait(), await queue.get()] == [2, 3]
        with pytest.raises(asyncio.QueueEmpty):
            queue.get_nowait()
        for _ in range(4):
            queue.task_done()
        await queue.join()

    run_virtual(main())


def test_derived_queue_has_its_limit_by_its_own_count(run_virtual):
    async def main():
        queue = Distinct(1)
        queue.put_nowait(1)
        (putter,) = await waiting(queue.put(2))
        assert not putter.done()
        assert await queue.get() == 1
        await putter
        assert queue.held == {2}
        queue.shutdown(immediate=True)
        assert queue.held == set()

    run_virtual(main())


def test_queue_that_was_waited_on_belongs_to_its_loop(run_virtual):
    queue = roundel.Queue()

    async def wait():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.get(), 1)

    async def wait_elsewhere():
        queue.put_nowait("a")
        assert await queue.get() == "a"  # need not wait
        with pytest.raises(RuntimeError, match="is bound to a different event loop"):
            await queue.get()

    run_virtual(wait())
    run_virtual(wait_elsewhere())


def test_item_can_be_given_by_name_and_only_once(run_virtual):
    async def main():
        queue = roundel.Queue()
        await queue.put(item=1)
        queue.put_nowait(item=2)
        assert [await queue.get(), await queue.get()] == [1, 2]
        for put in (queue.put, queue.put_nowait):
            for args, names in [((), {}), ((1, 2), {}), ((1,), {"item": 2}), ((), {"thing": 1})]:
                with pytest.raises(TypeError, match=rf"Queue\.{put.__name__}\(\)"):
                    put(*args, **names)
        assert queue.empty()

    run_virtual(main())


def test_queue_dies_with_the_last_awaitable_that_has_it(run_virtual):
    async def main():
        queue = roundel.Queue()
        queue.put_nowait(1)
        known = weakref.ref(queue)
        getter = queue.get()
        del queue
        assert await getter == 1
        assert known() is not None
        del getter
        assert known() is None

    run_virtual(main())


def test_awaitable_that_is_done_is_gone_for_those_who_know_it_weakly(run_virtual):
    async def main():
        queue = roundel.Queue()
        putter = queue.put(1)
        known = weakref.ref(putter)
        await putter
        assert known() is putter
        del putter
        assert known() is None
        getter = queue.get()  # in the same memory
        assert weakref.getweakrefcount(getter) == 0
        assert await getter == 1

    run_virtual(main())


def test_item_leaves_with_its_receiver(run_virtual):
    class Item:
        pass

    async def main():
        queue = roundel.Queue()
        item = Item()
        known = weakref.ref(item)
        await queue.put(item)
        del item
        assert await queue.get() is known()
        await asyncio.sleep(0)
        assert known() is None

    run_virtual(main())
