"""What each operation of a random program does; what it returns is logged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .interpreter import Run
    from .program import Op

Operation = Callable[["Run", "Op"], Awaitable[object]]

OPERATIONS: dict[str, Operation] = {}


def operation(function: Operation) -> Operation:
    """Makes the function known by its name."""
    OPERATIONS[function.__name__] = function
    return function


@operation
async def pause(run: Run, op: Op) -> object:
    return await run.aio.sleep(0, op.number)


@operation
async def sleep(run: Run, op: Op) -> object:
    return await run.aio.sleep(op.args[0], op.number)


@operation
async def put(run: Run, op: Op) -> object:
    await run.queues[op.args[0]].put(op.args[1])
    return run.queues[op.args[0]].qsize()


@operation
async def get(run: Run, op: Op) -> object:
    return await run.queues[op.args[0]].get()


@operation
async def put_nowait(run: Run, op: Op) -> object:
    return run.queues[op.args[0]].put_nowait(op.args[1])


@operation
async def get_nowait(run: Run, op: Op) -> object:
    return run.queues[op.args[0]].get_nowait()


@operation
async def task_done(run: Run, op: Op) -> object:
    return run.queues[op.args[0]].task_done()


@operation
async def join(run: Run, op: Op) -> object:
    return await run.queues[op.args[0]].join()


@operation
async def shutdown(run: Run, op: Op) -> object:
    return run.queues[op.args[0]].shutdown(immediate=op.args[1])


@operation
async def lock(run: Run, op: Op) -> object:
    async with run.locks[op.args[0]] as entered:
        run.note(op.number, entered)
        await run.body(op.bodies[0])
    return run.locks[op.args[0]].locked()


@operation
async def semaphore(run: Run, op: Op) -> object:
    async with run.semaphores[op.args[0]] as entered:
        run.note(op.number, entered)
        await run.body(op.bodies[0])
    return run.semaphores[op.args[0]].locked()


@operation
async def semaphore_release(run: Run, op: Op) -> object:
    return run.semaphores[op.args[0]].release()


@operation
async def event_wait(run: Run, op: Op) -> object:
    return await run.events[op.args[0]].wait()


@operation
async def event_set(run: Run, op: Op) -> object:
    return run.events[op.args[0]].set()


@operation
async def event_clear(run: Run, op: Op) -> object:
    return run.events[op.args[0]].clear()


@operation
async def condition(run: Run, op: Op) -> object:
    async with run.condition:
        run.note(op.number, "entered")
        await run.body(op.bodies[0])


@operation
async def condition_wait(run: Run, op: Op) -> object:
    async with run.condition:
        return await run.condition.wait()


@operation
async def condition_wait_for(run: Run, op: Op) -> object:
    async with run.condition:
        return await run.condition.wait_for(lambda: run.notified > op.args[0])


@operation
async def condition_notify(run: Run, op: Op) -> object:
    async with run.condition:
        run.notified += 1
        return run.condition.notify(op.args[0] % 3)


@operation
async def condition_notify_all(run: Run, op: Op) -> object:
    # Refused, as the lock is hardly ever held here.
    return run.condition.notify_all()


@operation
async def barrier_wait(run: Run, op: Op) -> object:
    return await run.barrier.wait()


@operation
async def barrier_abort(run: Run, op: Op) -> object:
    return await run.barrier.abort()


@operation
async def barrier_reset(run: Run, op: Op) -> object:
    return await run.barrier.reset()


@operation
async def future_await(run: Run, op: Op) -> object:
    return await run.futures[op.args[0]]


@operation
async def future_set(run: Run, op: Op) -> object:
    return run.futures[op.args[0]].set_result(op.number)


@operation
async def future_fail(run: Run, op: Op) -> object:
    return run.futures[op.args[0]].set_exception(LookupError(op.number))


@operation
async def future_cancel(run: Run, op: Op) -> object:
    return run.futures[op.args[0]].cancel(f"by {op.number}")


@operation
async def future_renew(run: Run, op: Op) -> object:
    if run.futures[op.args[0]].done():
        run.futures[op.args[0]] = run.loop.create_future()


@operation
async def future_callback(run: Run, op: Op) -> object:
    future = run.futures[op.args[0]]
    return future.add_done_callback(lambda done: run.note(op.number, done is future))


@operation
async def task_callback(run: Run, op: Op) -> object:
    task = run.tasks[op.args[0] % len(run.tasks)]
    return task.add_done_callback(lambda done: run.note(op.number, done.get_name()))


@operation
async def call_soon(run: Run, op: Op) -> object:
    run.handles.append(run.loop.call_soon(run.note, op.number, "called"))


@operation
async def call_later(run: Run, op: Op) -> object:
    run.handles.append(run.loop.call_later(op.args[0], run.note, op.number, "called"))


@operation
async def handle_cancel(run: Run, op: Op) -> object:
    if run.handles:
        handle = run.handles[op.args[0] % len(run.handles)]
        handle.cancel()
        return handle.cancelled()


@operation
async def cancel(run: Run, op: Op) -> object:
    task = run.tasks[op.args[0] % len(run.tasks)]
    if task is not run.main:
        return task.cancel(f"by {op.number}"), task.cancelling()


@operation
async def uncancel(run: Run, op: Op) -> object:
    return run.aio.current_task().uncancel()


@operation
async def fail(run: Run, op: Op) -> object:
    raise ArithmeticError(op.number)


@operation
async def wait(run: Run, op: Op) -> object:
    indexes, return_when, limit = op.args
    chosen = {run.tasks[index % len(run.tasks)] for index in indexes} - {run.main}
    done, pending = await run.aio.wait(
        chosen or {run.start((), "idle")}, timeout=limit, return_when=getattr(run.aio, return_when)
    )
    return names(done), names(pending)


def names(tasks: set[asyncio.Task[object]]) -> list[str]:
    """Returns the names in an order that no set decides."""
    return sorted(task.get_name() for task in tasks)


@operation
async def set_variable(run: Run, op: Op) -> object:
    return run.variable.set(op.number).old_value is not None


@operation
async def reschedule(run: Run, op: Op) -> object:
    if run.timeouts:
        timer = run.timeouts[-1]
        limit = op.args[0]
        timer.reschedule(None if limit is None else run.loop.time() + limit)
        return timer.expired()


@operation
async def timeout(run: Run, op: Op) -> object:
    async with run.aio.timeout(op.args[0]) as timer:
        run.timeouts.append(timer)
        await run.body(op.bodies[0])
    return timer.expired()


@operation
async def wait_for(run: Run, op: Op) -> object:
    return await run.aio.wait_for(run.body(op.bodies[0]), op.args[0])


@operation
async def guard(run: Run, op: Op) -> object:
    swallow, settle = op.args
    task = run.aio.current_task()
    try:
        return await run.body(op.bodies[0])
    except Exception as error:
        run.note(op.number, type(error).__name__)
    except asyncio.CancelledError:
        run.note(op.number, task.cancelling())
        if not swallow:
            raise
        if settle:
            return task.uncancel()


@operation
async def cleanup(run: Run, op: Op) -> object:
    try:
        return await run.body(op.bodies[0])
    finally:
        await run.aio.sleep(0)
        for body in op.bodies[1:]:
            await run.body(body)


@operation
async def spawn(run: Run, op: Op) -> object:
    for number, body in enumerate(op.bodies):
        run.start(body, f"{op.number}.{number}")


@operation
async def spawn_and_await(run: Run, op: Op) -> object:
    return await run.start(op.bodies[0], f"{op.number}")


@operation
async def gather(run: Run, op: Op) -> object:
    tasks = [run.start(body, f"{op.number}.{n}") for n, body in enumerate(op.bodies)]
    results = await run.aio.gather(*tasks, return_exceptions=op.args[0])
    return [
        type(result).__name__ if isinstance(result, BaseException) else result for result in results
    ]


@operation
async def group(run: Run, op: Op) -> object:
    async with run.group() as tasks:
        for number, body in enumerate(op.bodies):
            name = f"{op.number}.{number}"
            coroutine = run.named(name, body)
            try:
                run.tasks.append(tasks.create_task(coroutine, name=name))
            except RuntimeError:
                # An eager task has failed already.
                coroutine.close()
                raise
    return len(op.bodies)


@operation
async def shield(run: Run, op: Op) -> object:
    return await run.aio.shield(run.start(op.bodies[0], f"{op.number}"))


@operation
async def as_completed(run: Run, op: Op) -> object:
    tasks = [run.start(body, f"{op.number}.{n}") for n, body in enumerate(op.bodies)]
    for following in run.aio.as_completed(tasks, timeout=op.args[0]):
        try:
            run.note(op.number, await following)
        except ArithmeticError as error:
            run.note(op.number, str(error))
