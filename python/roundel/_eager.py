"""Factories of eager tasks: asyncio's own functions, which make native tasks.

Libraries look into a factory for the constructor that it calls, so it is a function of Python with
the code and the closure of asyncio's.
"""

from __future__ import annotations

import sys

from roundel._roundel import Task

if sys.version_info >= (3, 12):
    from asyncio import create_eager_task_factory
else:

    def create_eager_task_factory(custom_task_constructor):  # noqa: ANN001, ANN202
        """Returns a task factory that makes its tasks by a constructor and has them start at once.

        Args:
            custom_task_constructor: Takes what `Task` takes.
        """

        def factory(loop, coro, *, name=None, context=None):  # noqa: ANN001, ANN202
            return custom_task_constructor(
                coro, loop=loop, name=name, context=context, eager_start=True
            )

        return factory


eager_task_factory = create_eager_task_factory(Task)
