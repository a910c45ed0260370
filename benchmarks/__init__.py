"""Measures roundel side by side with asyncio and uvloop: `python -m benchmarks`."""
