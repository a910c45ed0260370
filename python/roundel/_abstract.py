"""Classes that native types derive from, where asyncio combines several of its own."""

from asyncio import transports


class DatagramTransport(transports._FlowControlMixin, transports.DatagramTransport):
    """A transport of datagrams whose protocol can be told to pause sending."""

    __slots__ = ()
