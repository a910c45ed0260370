import asyncio
import sys
from collections.abc import Coroutine
from contextvars import Context
from typing import Protocol, TypeVar

from roundel._roundel import Task

_T = TypeVar("_T")

if sys.version_info >= (3, 14):
    def eager_task_factory(
        loop: asyncio.AbstractEventLoop | None,
        coro: Coroutine[object, object, _T],
        *,
        eager_start: bool = True,
        name: str | None = None,
        context: Context | None = None,
    ) -> Task[_T]: ...

else:
    def eager_task_factory(
        loop: asyncio.AbstractEventLoop | None,
        coro: Coroutine[object, object, _T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> Task[_T]: ...

if sys.version_info >= (3, 12):
    from asyncio import create_eager_task_factory as create_eager_task_factory
else:
    _TaskT_co = TypeVar("_TaskT_co", bound=Task[object], covariant=True)

    class _TaskConstructor(Protocol[_TaskT_co]):
        def __call__(
            self,
            coro: Coroutine[object, object, object],
            /,
            *,
            loop: asyncio.AbstractEventLoop,
            name: str | None,
            context: Context | None,
            eager_start: bool,
        ) -> _TaskT_co: ...

    class _EagerTaskFactory(Protocol[_TaskT_co]):
        def __call__(
            self,
            loop: asyncio.AbstractEventLoop,
            coro: Coroutine[object, object, object],
            *,
            name: str | None = None,
            context: Context | None = None,
        ) -> _TaskT_co: ...

    def create_eager_task_factory(
        custom_task_constructor: _TaskConstructor[_TaskT_co],
    ) -> _EagerTaskFactory[_TaskT_co]: ...
