"""Random programs that must be observed to do the same on asyncio and on roundel.

    python -m tests.parity.fuzz --seed 17

shows the program that a seed stands for, and where the logs part.
"""
