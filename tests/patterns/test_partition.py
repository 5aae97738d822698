import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.patterns.partition import Partition


@st.composite
def partitions(draw):
    small = st.integers(1, 3)
    unit, per_pool, pools = [(draw(small), draw(small)) for _ in range(3)]
    pool = (unit[0] * per_pool[0], unit[1] * per_pool[1])
    units = per_pool[0] * per_pool[1]
    one_pool = pools == (1, 1)
    drop = draw(st.integers(0, units - 1 if one_pool or units > 1 else 0))
    return Partition((pool[0] * pools[0], pool[1] * pools[1]), unit, pool, drop)


def units_of(partition):
    """Pool by pool, the (row slice, column slice) of every unit: the numbering spelled out."""
    for top in range(0, partition.shape[0], partition.pool[0]):
        for left in range(0, partition.shape[1], partition.pool[1]):
            yield [
                (slice(row, row + partition.unit[0]), slice(column, column + partition.unit[1]))
                for row in range(top, top + partition.pool[0], partition.unit[0])
                for column in range(left, left + partition.pool[1], partition.unit[1])
            ]


@given(partitions(), st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_keep_best_drops_the_least_salient_units_of_each_pool_first_of_equals(partition, seed, values):
    saliency = np.random.default_rng(seed).integers(0, values, partition.shape).astype(np.float32)
    expected = np.ones(partition.shape, bool)
    for pool in units_of(partition):
        totals = [saliency[unit].sum() for unit in pool]
        for loser in sorted(range(len(pool)), key=totals.__getitem__)[: partition.drop]:
            expected[pool[loser]] = False
    mask = partition.keep_best(saliency)
    np.testing.assert_array_equal(mask, expected)
    assert partition.check(mask) and mask.any()
    assert partition.full(mask).all()


@given(partitions())
def test_totals_and_spread_number_units_alike(partition):
    numbers = np.arange(partition.units).reshape(partition.pools, partition.units_per_pool)
    spread = partition.spread(numbers)
    size = partition.unit[0] * partition.unit[1]
    np.testing.assert_array_equal(partition.totals(spread), numbers * size)
    for number, unit in enumerate(unit for pool in units_of(partition) for unit in pool):
        assert (spread[unit] == number).all()


def test_a_unit_kept_in_part_is_named():
    mask = np.ones((4, 3), bool)
    mask[1, 2] = False
    assert Partition((4, 3), (2, 1), (4, 3), 0).check(mask).reason == "1 of 6 units of 2x1 weights are kept in part"


def test_full_tells_pools_that_have_given_their_share():
    mask = np.array([[1, 0, 1, 0, 1, 1, 1, 0]], bool)
    np.testing.assert_array_equal(Partition((1, 8), (1, 1), (1, 4), 2).full(mask), [True, False])


def test_infinite_saliency_protects_and_nan_is_our_mistake():
    saliency = np.array([[np.inf, 1.0, np.inf, np.inf]])
    np.testing.assert_array_equal(Partition((1, 4), (1, 1), (1, 4), 1).keep_best(saliency), [[True, False, True, True]])
    saliency[0, 0] = np.nan
    with pytest.raises(AssertionError, match="NaN"):
        Partition((1, 4), (1, 1), (1, 4), 1).keep_best(saliency)


@pytest.mark.parametrize(
    ("shape", "unit", "pool", "drop"),
    [((4, 4), (3, 1), (4, 4), 1), ((4, 6), (1, 1), (1, 4), 2), ((4, 4), (1, 1), (4, 4), 16), ((4, 4), (1, 1), (4, 4), -1)],
)
def test_what_does_not_tile_or_leaves_nothing_cannot_be_made(shape, unit, pool, drop):
    with pytest.raises(AssertionError):
        Partition(shape, unit, pool, drop)
