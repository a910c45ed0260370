"""A thousand random programs do the same on asyncio and on roundel."""

import pytest
from tests.parity.fuzz.compare import difference
from tests.parity.fuzz.variants import VARIANTS

SEEDS = 1000
AT_ONCE = 100


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
@pytest.mark.parametrize("variant", VARIANTS)
def test_random_programs_are_observed_to_do_the_same(variant, first):
    for seed in range(first, first + AT_ONCE):
        found = difference(seed, variant)
        assert not found, f"python -m tests.parity.fuzz --seed {seed}\n{found}"
