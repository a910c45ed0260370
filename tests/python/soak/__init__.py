"""Many clients at a time, most of them rude: `python -m tests.python.soak` is the program.

The server sends back line by line what it gets. Each byte is accounted for on both sides, and what
the process takes must stay the same.
"""
