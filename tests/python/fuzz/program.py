"""A program that does anything to its connection."""

import asyncio
import contextlib

ACTS = ("close", "abort", "pause", "raise", "write")


class Program(asyncio.Protocol):
    """Notes what it is told, and once in its life does something in the midst of that."""

    def __init__(self, draw):
        self.calls = []
        self.data = bytearray()
        self.transport = None
        self.written = bytearray()
        self.act = draw.choice(ACTS) if draw.random() < 0.2 else None
        self.place = draw.choice(("data", "eof", "made", "pause_writing"))

    def note(self, call):
        self.calls.append(call)
        if call == self.place and self.act is not None:
            act, self.act = self.act, None
            self.do(act)

    def try_to(self, act, *arguments):
        """Does something to the transport, which may refuse."""
        # asyncio's answers, once it was closed twice, or ended by what it calls within.
        with contextlib.suppress(AttributeError, RuntimeError):
            self.do(act, *arguments)

    def do(self, act, data=b"in the midst"):
        """Does something to the transport, or raises."""
        transport = self.transport
        {
            "close": transport.close,
            "abort": transport.abort,
            "pause": transport.pause_reading,
            "resume": transport.resume_reading,
            "write": lambda: self.write(transport.write, data, data),
            "lines": lambda: self.write(transport.writelines, [data, b"", data], data + data),
            "limits": lambda: transport.set_write_buffer_limits(len(data)),
            "raise": self.fail,
        }[act]()

    def write(self, write, argument, data):
        """Writes, and notes what the peer may get."""
        if not self.transport.is_closing():
            self.written += data
        write(argument)

    def fail(self):
        raise LookupError("on purpose")

    def connection_made(self, transport):
        self.transport = transport
        self.note("made")

    def data_received(self, data):
        self.data += data
        self.note("data")

    def eof_received(self):
        self.note("eof")

    def pause_writing(self):
        self.note("pause_writing")

    def resume_writing(self):
        self.note("resume_writing")

    def is_lost(self):
        """Tells whether the connection has ended."""
        return any(call.startswith("lost") for call in self.calls)

    def connection_lost(self, exception):
        self.calls.append(f"lost {describe(exception)}")


class BufferedProgram(Program, asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    data_received = None

    def get_buffer(self, sizehint):
        self.buffer = memoryview(bytearray(3000))
        return self.buffer

    def buffer_updated(self, count):
        Program.data_received(self, bytes(self.buffer[:count]))


def describe(exception):
    """An exception as what can be compared."""
    return f"{type(exception).__name__} {getattr(exception, 'reason', '')}".strip()
