"""The programs under test: ordinary asyncio programs, a module for each way to write them."""
