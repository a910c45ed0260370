"""Measures networking side by side with asyncio, uvloop and C: `python -m benchmarks.io`."""
