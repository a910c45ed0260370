"""Some sessions of the fuzzers, always the same ones: `make fuzz` has others, and more of them."""

import pytest

from . import reader, tls


@pytest.mark.parametrize("block", range(4))
def test_readers_do_as_asyncios(block):
    for seed in range(block * 100, block * 100 + 100):
        assert (seed, reader.examine(seed)) == (seed, [])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("block", range(4))
def test_tls_connections_end_as_asyncios(block):
    for seed in range(block * 15, block * 15 + 15):
        assert (seed, tls.examine(seed)) == (seed, [])


def test_a_peer_that_leaves_what_is_sent_unread_can_be_aborted():
    # It says goodbye first. asyncio's transport counts as closed twice then; abort() is in vain.
    assert tls.examine(1795812515291622233) == []
