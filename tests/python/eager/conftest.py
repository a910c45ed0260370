"""Loops whose tasks are eager."""

import asyncio

import pytest

import roundel

# asyncio has had them since 3.12, roundel has them everywhere.
APIS = [api for api in (asyncio, roundel) if hasattr(api, "eager_task_factory")]


@pytest.fixture(params=APIS, ids=lambda api: api.__name__)
def api(request):
    """Whose names a test uses."""
    return request.param


@pytest.fixture
def run_eagerly(api, run_own):
    """Runs a coroutine on a loop whose tasks are eager from then on."""

    async def with_factory(main):
        asyncio.get_running_loop().set_task_factory(api.eager_task_factory)
        return await main

    return lambda main: run_own(with_factory(main))
