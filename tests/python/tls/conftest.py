"""Loops to compare."""

import asyncio

import pytest

import roundel


@pytest.fixture(params=[asyncio, roundel], ids=["asyncio", "roundel"])
def both(request):
    """Runs a coroutine on asyncio's loop and on ours: what both must do."""

    def run(main):
        with asyncio.Runner(loop_factory=request.param.new_event_loop) as runner:
            reports = []
            runner.get_loop().set_exception_handler(lambda _, context: reports.append(context))
            return runner.run(main(reports))

    return run
