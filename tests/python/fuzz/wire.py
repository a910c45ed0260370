"""The other end of a TLS connection: a true session whose records come damaged, or none at all."""

import contextlib
import socket
import ssl

from tests.python.tls import client_context, server_context

SHORT_BYTES = 300  # of what is sent byte by byte, perhaps
HEADER_BYTES = 5  # of a record: its type, version, and length in the last two


def contexts(version):
    """Returns a client's and a server's context for one version of TLS."""
    made = client_context(), server_context()
    for context in made:
        context.minimum_version = context.maximum_version = version
    return made


CONTEXTS = [contexts(ssl.TLSVersion.TLSv1_2), contexts(ssl.TLSVersion.TLSv1_3)]


def records(data):
    """Cuts bytes into records, of which the last may be incomplete."""
    found = []
    while data:
        size = HEADER_BYTES + int.from_bytes(data[3:HEADER_BYTES], "big")
        found.append(data[:size])
        data = data[size:]
    return found


class Peer:
    """A peer that keeps to TLS but for what its line does to records."""

    def __init__(self, sock, context, hostility, *, server_side):
        self.sock = sock
        self.draw = None  # a step's own source of chance
        self.hostility = hostility
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server_side else "localhost"
        self.session = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server_side, server_hostname=name
        )
        self.shaken = False
        self.sent, self.got = bytearray(), bytearray()
        self.line = b""  # what is yet to be sent

    def pump(self):
        """Takes what has come, and makes what there is to answer."""
        with contextlib.suppress(OSError):
            while data := self.sock.recv(1 << 16):
                self.incoming.write(data)
        with contextlib.suppress(OSError):
            if not self.shaken:
                self.session.do_handshake()
                self.shaken = True
            while data := self.session.read(1 << 16):
                self.got += data

    def write(self, data):
        """Encrypts bytes, once the handshake is over."""
        if self.shaken:
            with contextlib.suppress(OSError):
                self.session.write(data)
                self.sent += data

    def say_goodbye(self):
        """Sends what says that no more will come."""
        if self.shaken:
            with contextlib.suppress(OSError):
                self.session.unwrap()

    def half_close(self):
        """Ends the line without a word."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        """Ends the line; where something has come that was not read, it is reset."""
        self.sock.close()

    def pieces(self):
        """Yields after each piece of what there is to send, damaged or not."""
        found = records(self.outgoing.read())
        self.line += b"".join(self.damaged(found))
        while self.line:
            small = len(self.line) < SHORT_BYTES
            size = self.draw.choice((1, 7, 100, 1000) if small else (1000, 5000, 1 << 14))
            try:
                sent = self.sock.send(self.line[:size])
            except BlockingIOError:
                return
            except OSError:
                self.line = b""
                return
            self.line = self.line[sent:]
            yield

    def damaged(self, found):
        """Does to records what a line must not do."""
        if not found or self.draw.random() > self.hostility:
            return found
        index = self.draw.randrange(len(found))
        record = bytearray(found[index])
        damage = self.draw.choice(
            ("flip", "flip", "cut", "drop", "twice", "swap", "garbage", "header", "empty")
        )
        if damage == "flip":
            place = self.draw.randrange(len(record))
            record[place] ^= 1 << self.draw.randrange(8)
            found[index] = bytes(record)
        elif damage == "cut":
            found[index] = bytes(record[: self.draw.randrange(len(record))])
        elif damage == "drop":
            del found[index]
        elif damage == "twice":
            found.insert(index, bytes(record))
        elif damage == "swap":
            found.append(found.pop(index))
        elif damage == "garbage":
            found.insert(index, self.draw.randbytes(self.draw.randrange(1, 600)))
        elif damage == "header":
            kind = self.draw.choice((20, 21, 22, 23, 24, 0))
            found.insert(index, bytes([kind, 3, 3, 0, 2]) + self.draw.randbytes(2))
        else:
            found.insert(index, b"\x17\x03\x03\x00\x00")
        return found
