"""Connections that are cancelled and aborted at random while descriptors are used again and again.

Every connection has an identity, of which every byte that it sends is part. Not one byte may reach
another connection, no descriptor may be closed twice, used after its end, or left open; and whoever
was not disturbed gets an answer. `python -m tests.python.descriptors` is the program that does so;
`watched.py` runs it where each use of a closed descriptor is seen.
"""
