"""The ways to run a program that must all be observed to do the same."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import roundel

from .interpreter import LogLine, Run
from .program import Program
from .reference import OrderedTaskGroup, VirtualLoop


@dataclass(frozen=True)
class Variant:
    """Whose loop runs a program, and whose names it uses."""

    loop: Callable[[], asyncio.AbstractEventLoop]
    aio: ModuleType
    group: type[asyncio.TaskGroup]

    def log(self, program: Program) -> list[LogLine]:
        """Runs the program and returns what was observed."""
        run = Run(self.aio, self.group, program)
        with asyncio.Runner(loop_factory=self.loop) as runner:
            runner.run(run.run())
        return run.log


def virtual_loop() -> roundel.EventLoop:
    """Makes roundel's loop on its own virtual clock."""
    return roundel.new_event_loop(clock="virtual")


GROUP = OrderedTaskGroup if roundel.TaskGroup is asyncio.TaskGroup else roundel.TaskGroup
REFERENCE = Variant(VirtualLoop, asyncio, OrderedTaskGroup)
VARIANTS = {
    "roundel": Variant(virtual_loop, roundel, GROUP),
    "asyncio's primitives on roundel's loop": Variant(virtual_loop, asyncio, OrderedTaskGroup),
    "roundel's primitives on asyncio's loop": Variant(VirtualLoop, roundel, GROUP),
}
