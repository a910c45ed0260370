//! A single-threaded dispatcher with asyncio's vocabulary.
