"""Who is who, who is to be disturbed, and what went wrong."""

import hashlib
import random
from collections import Counter
from dataclasses import dataclass

IDENTITY_BYTES = 8
FATES = ("left alone", "cancelled", "aborted", "aborted by the server")


@dataclass(frozen=True)
class Life:
    """What is to happen to a connection.

    Attributes:
        number: Its number.
        identity: What it sends, over and over.
        repeats: How often.
        fate: How it ends.
        turns: After how many turns of the loop, or blocks received by the server, it does.
    """

    number: int
    identity: bytes
    repeats: int
    fate: str
    turns: int

    @property
    def message(self):
        """All that it sends."""
        return self.identity * self.repeats


class Ledger:
    """The lives of all connections, and the record of what happened to them."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lives = {}
        self.violations = []
        self.counts = Counter()
        self.moments = Counter()

    def new_life(self):
        """Decides how the next connection lives and ends."""
        number = len(self.lives)
        draw = self.random
        life = Life(
            number,
            hashlib.blake2b(b"%d" % number, digest_size=IDENTITY_BYTES).digest(),
            repeats=16384 if draw.random() < 0.1 else draw.choice((1, 16, 512, 4096)),
            fate=FATES[0] if draw.random() < 0.3 else draw.choice(FATES[1:]),
            turns=draw.randrange(30),
        )
        self.lives[life.identity] = life
        return life

    def disturbed(self, fate, phase):
        """Notes that a connection met its fate, and when."""
        self.moments[f"{fate} while {phase}"] += 1

    def violation(self, text):
        """Notes what must not have happened."""
        self.violations.append(text)


class Received:
    """What a connection's server has received, of which all must be from one client."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.life = None
        self.start = b""
        self.count = 0
        self.blocks = 0

    def feed(self, data):
        """Checks what has come. Tells whether the connection's time has come, too."""
        data = bytes(data)
        self.blocks += 1
        if self.life is None:
            self.start += data
            if len(self.start) < IDENTITY_BYTES:
                return False
            self.life = self.ledger.lives.get(self.start[:IDENTITY_BYTES])
            if self.life is None:
                self.ledger.violation(f"nobody's identity reached a server: {self.start[:16]!r}")
                return True
            data, self.start = self.start, b""
        if not is_of(self.life.identity, self.count, data):
            self.ledger.violation(f"foreign bytes reached the server of {self.life}")
        self.count += len(data)
        if self.life.fate != FATES[3] or self.blocks <= self.life.turns % 3:
            return False
        self.ledger.disturbed(FATES[3], "exchanging")
        return True


def is_of(identity, offset, data):
    """Tells whether data continues the identity, repeated, at an offset."""
    offset %= IDENTITY_BYTES
    repeated = identity * (len(data) // IDENTITY_BYTES + 2)
    return data == repeated[offset : offset + len(data)]
