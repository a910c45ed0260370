"""A TLS connection, whatever its peer and its program do: it ends once, and with the truth."""

import asyncio
import gc
import random
import socket
import weakref
from dataclasses import dataclass

from tests.parity.fuzz.reference import VirtualLoop

import roundel

from .program import BufferedProgram, Program, describe
from .wire import CONTEXTS, Peer

CALM_TURNS = 200  # in which the system is asked what has come by roundel, too, and no time passes
ATTENTION = 0.8  # how likely the peer reads at a step
HANDSHAKE_SECONDS, SHUTDOWN_SECONDS = 5.0, 3.0
TIME_IS_UP = "time is up"


class Session:
    """One connection from its beginning to its end."""

    def __init__(self, seed, *, hasty):
        self.draw = random.Random(seed)
        self.hasty = hasty
        self.faults = []
        self.handled = []
        self.begun = False
        self.in_vain = False
        draw = self.draw
        self.server_side = draw.random() < 0.5
        self.contexts = draw.choice(CONTEXTS)
        self.hostility = draw.choice((0, 0, 0.05, 0.3))
        self.kind = draw.choice((Program, Program, BufferedProgram))

    async def settle(self):
        """Lets everything happen that can; or, in haste, some."""
        for _ in range(self.draw.randrange(4) if self.hasty else CALM_TURNS):
            await asyncio.sleep(0)

    async def live(self):
        """Returns all that can be compared."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.handled.append(context))
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        with theirs, ours:
            self.peer = Peer(
                theirs,
                self.contexts[0 if self.server_side else 1],
                self.hostility,
                server_side=not self.server_side,
            )
            self.program = self.kind(self.draw)
            connecting = loop.create_task(self.connect(ours))
            for _ in range(self.draw.randrange(4, 40)):
                await self.step(connecting)
            await self.end(connecting)
            if self.begun and ours.fileno() != -1:
                self.faults.append("the socket was left open")
        return self.report(connecting)

    async def connect(self, sock):
        self.begun = True
        loop = asyncio.get_running_loop()
        options = {
            "ssl": self.contexts[1 if self.server_side else 0],
            "ssl_handshake_timeout": HANDSHAKE_SECONDS,
            "ssl_shutdown_timeout": SHUTDOWN_SECONDS,
        }
        if self.server_side:
            await loop.connect_accepted_socket(lambda: self.program, sock, **options)
        else:
            await loop.create_connection(
                lambda: self.program, sock=sock, server_hostname="localhost", **options
            )

    async def step(self, connecting):
        """Has the peer or the program do something."""
        draw, peer, program = self.draw, self.peer, self.program
        transport = program.transport
        kind = draw.choices(
            ("talk", "send", "write", "flow", "wait", "rare"), weights=(12, 4, 4, 2, 1, 1)
        )[0]
        size = draw.choice((0, 1, 100, 5000, 70_000, 300_000))
        choice, data = draw.randrange(1 << 16), draw.randbytes(size)
        peer.draw = random.Random(choice)
        if kind == "send":
            peer.write(data)
        elif kind == "write" and transport is not None:
            program.try_to("write", data)
        elif kind == "flow" and transport is not None:
            program.try_to(("pause", "resume", "resume")[choice % 3])
        elif kind == "wait":
            await asyncio.sleep((0.01, 1, HANDSHAKE_SECONDS + 1)[choice % 3])
        elif kind == "rare":
            self.rare(choice, connecting)
        if draw.random() < ATTENTION:
            peer.pump()
        for _ in peer.pieces():
            await self.settle()
        await self.settle()

    def rare(self, choice, connecting):
        """Has one of them begin the end."""
        peer, transport = self.peer, self.program.transport
        rares = ("goodbye", "half close", "hang up", "close", "abort", "cancel", "limits", "lines")
        rare = rares[choice % len(rares)]
        if rare == "goodbye":
            peer.say_goodbye()
        elif rare == "half close":
            peer.half_close()
        elif rare == "hang up":
            peer.close()
        elif rare == "cancel":
            connecting.cancel()
        elif transport is not None:
            self.program.try_to(rare, bytes(choice % 10_000))

    async def end(self, connecting):
        """Ends it, however it stands; nobody waits for the peer for longer than was agreed."""
        program = self.program
        await asyncio.wait([connecting], timeout=HANDSHAKE_SECONDS + 1)
        if not connecting.done():
            self.faults.append("the handshake had no end")
            connecting.cancel()
            await asyncio.wait([connecting])
        if program.transport is not None:
            program.try_to("resume")
            program.try_to("close")
            await asyncio.sleep(SHUTDOWN_SECONDS + 1)
            program.calls.append(TIME_IS_UP)
            program.try_to("abort")
        await asyncio.sleep(0.01)
        self.in_vain = program.transport is not None and not program.is_lost()
        self.peer.close()
        await asyncio.sleep(SHUTDOWN_SECONDS + 1)

    def report(self, connecting):
        """Checks what must be so in any case, and returns the rest."""
        program, peer = self.program, self.peer
        calls = [call for call in program.calls if call != TIME_IS_UP]
        if not connecting.cancelled() and (error := connecting.exception()):
            outcome = describe(error)
        else:
            outcome = "cancelled" if connecting.cancelled() else "made"
        lost = [index for index, call in enumerate(calls) if call.startswith("lost")]
        if "made" in calls and lost != [len(calls) - 1]:
            self.faults.append(f"connection_lost is not the last call: {calls}")
        if "made" not in calls and calls:
            self.faults.append(f"called before connection_made: {calls}")
        if not peer.sent.startswith(program.data):
            self.faults.append("the program got what the peer has not sent")
        if self.in_vain:
            self.faults.append("abort() was in vain")
        if not program.written.startswith(peer.got):
            self.faults.append("the peer got what the program has not sent")
        handled = []
        for context in self.handled:
            if context["message"].startswith("Exception in callback"):
                self.faults.append(str(context))
            message = context["message"].replace("buffer_updated()", "data_received()")
            handled.append(f"{message}: {describe(context.get('exception'))}")
        return Report(
            outcome,
            merged(program.calls),
            handled,
            bytes(program.data),
            bytes(peer.sent),
            self.in_vain,
        )


@dataclass(frozen=True)
class Report:
    """What came of a session."""

    outcome: str
    calls: list[str]
    handled: list[str]
    data: bytes
    sent: bytes
    aborted_in_vain: bool

    def differences(self, expected):
        """Returns how this is not what asyncio has made of it."""
        if expected.aborted_in_vain:
            return  # as it is with asyncio where it was closed twice, or closed after the peer
        for name in ("outcome", "calls", "handled"):
            ours, theirs = getattr(self, name), getattr(expected, name)
            if name == "calls" and len(self.data) < len(expected.data):
                # asyncio may give a program data after it has closed the connection.
                ours, theirs = (
                    [call for call in calls if call != "data"] for calls in (ours, theirs)
                )
            if ours != theirs:
                yield f"{name}: {theirs} by asyncio, {ours} by roundel"
        # With an error or an end goes what the program has not been given before, more or less.
        data = sorted((self.data, expected.data), key=len)
        if self.sent == expected.sent and not data[1].startswith(data[0]):
            yield f"{len(self.data)} bytes that are not the {len(expected.data)} of asyncio's"


def merged(calls):
    """The calls, of which as many as you like in a row may say that data has come."""
    return [
        call
        for index, call in enumerate(calls)
        if call != "data" or index == 0 or calls[index - 1] != "data"
    ]


def run(seed, factory, *, hasty):
    """Returns the report of a session, its faults, and what of it was left behind."""
    session = Session(seed, hasty=hasty)
    with asyncio.Runner(loop_factory=factory) as runner:
        report = runner.run(session.live())
    left = weakref.ref(session.program)
    return report, session.faults, left


def virtual():
    return roundel.new_event_loop(clock="virtual")


def examine(seed):
    """Returns what is wrong with a session."""
    hasty = seed % 3 == 0
    report, faults, left = run(seed, virtual, hasty=hasty)
    if left() is not None:
        gc.collect()
        if left() is not None:
            faults.append("the program's protocol was left in memory")
    if not hasty:
        expected, _, _ = run(seed, VirtualLoop, hasty=False)
        faults += report.differences(expected)
    return faults
