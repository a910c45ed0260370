"""Random sessions of a stream's reader and of TLS with a hostile peer, beside asyncio's.

`python -m tests.python.fuzz reader` and `… tls` go on for as long as they are told; what they find
they print with its seed, and `--seed N --count 1` repeats it.
"""
