"""What every pattern promises."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.ir.layer import Layer
from spcompile.patterns import PATTERNS, Choice, parse, parse_choice

every_pattern = pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.notation)
layers = st.builds(
    lambda groups, rows, channels, kernel: Layer("l", "Conv", "w", None, "x", "y", rows * groups, channels * kernel**2, 9, groups, (kernel, kernel)),
    groups=st.sampled_from([1, 1, 2, 3]),
    rows=st.integers(1, 40),
    channels=st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16, 24, 32]),
    kernel=st.sampled_from([1, 2, 3]),
)


def test_the_first_is_dense_and_notations_differ():
    assert PATTERNS[0].notation == "dense"
    assert len({pattern.notation for pattern in PATTERNS}) == len(set(PATTERNS)) == len(PATTERNS)


@every_pattern
def test_notation_round_trips(pattern):
    assert parse(pattern.notation) == pattern
    for level in pattern.levels:
        assert parse_choice(Choice(pattern, level).notation) == Choice(pattern, level)


@every_pattern
@given(layer=layers, seed=st.integers(0, 2**32 - 1))
def test_every_level_on_offer_gives_a_mask_of_that_sparsity_that_obeys(pattern, layer, seed):
    if not pattern.fits(layer):
        assert pattern.fits(layer).reason
        return
    saliency = np.random.default_rng(seed).random((layer.rows, layer.columns), np.float32)
    levels = pattern.sparsities(layer)
    assert list(levels) == sorted(set(levels))
    for level in levels:
        mask = pattern.mask(saliency, level)
        units = pattern.partition(mask.shape, level).units
        assert mask.dtype == bool and mask.shape == saliency.shape and mask.any()
        assert pattern.check(mask), pattern.check(mask).reason
        assert abs((1 - mask.mean()) - level) <= max(0.005, 0.5 / units) + 1e-9
        assert pattern.partition(mask.shape, parse_choice(Choice(pattern, level).notation).sparsity).drop == pattern.partition(mask.shape, level).drop


@every_pattern
@given(layer=layers)
def test_levels_give_different_masks(pattern, layer):
    if pattern.fits(layer):
        dropped = [pattern.partition((layer.rows, layer.columns), level).drop for level in pattern.sparsities(layer)]
        assert len(set(dropped)) == len(dropped)


@every_pattern
@given(layer=layers)
def test_every_nominal_level_is_on_offer_as_some_share(pattern, layer):
    if pattern.fits(layer):
        shares = [pattern.share(layer, level) for level in pattern.levels]
        assert {share for share in shares if share > 0} <= set(pattern.sparsities(layer)) and shares == sorted(shares)


@every_pattern
@given(seed=st.integers(0, 2**32 - 1))
def test_zeros_that_are_there_already_are_found_and_go_first(pattern, seed):
    if pattern.fixed_sparsity is not None:
        return
    weight = np.random.default_rng(seed).uniform(1, 2, (64, 192)) * pattern.mask(np.random.default_rng(seed).random((64, 192)), 0.6)
    present = pattern.present(weight)
    assert abs(present - 0.6) <= 0.5 / pattern.partition(weight.shape, 0.0).units_per_pool + 1e-9
    np.testing.assert_array_equal(pattern.mask(np.abs(weight), present), weight != 0)


@every_pattern
@given(seed=st.integers(0, 2**32 - 1), level=st.floats(0.05, 0.98))
def test_no_swap_of_two_units_of_a_pool_raises_the_kept_saliency(pattern, seed, level):
    level = level if pattern.fixed_sparsity is None else pattern.fixed_sparsity
    saliency = np.random.default_rng(seed).random((64, 192))
    partition = pattern.partition(saliency.shape, level)
    kept, totals = partition.totals(pattern.mask(saliency, level)) > 0, partition.totals(saliency)
    worst_kept = np.where(kept, totals, np.inf).min(axis=1)
    best_dropped = np.where(kept, -np.inf, totals).max(axis=1)
    assert (worst_kept >= best_dropped).all()
    assert ((~kept).sum(axis=1) == partition.drop).all()


@every_pattern
def test_block_rows_keep_the_same_columns(pattern):
    mask = pattern.mask(np.random.default_rng(0).random((64, 192)), 0.5 if pattern.fixed_sparsity is None else pattern.fixed_sparsity)
    blocks = mask.reshape(-1, pattern.block_rows, 192)
    assert (blocks == blocks[:, :1]).all()


@every_pattern
def test_a_pattern_has_groups_where_pools_are_neighbouring_columns(pattern):
    rows, columns = pattern.pool((64, 64))
    in_groups = rows == 1 and columns < 64
    assert (pattern.group is not None) == in_groups
    if in_groups:
        kept, of = pattern.group
        assert of == columns and kept == of - pattern.partition((64, 64), pattern.levels[0]).drop


@every_pattern
def test_a_layer_is_never_emptied(pattern):
    if pattern.fixed_sparsity is None:
        assert pattern.mask(np.ones((64, 64)), 0.999).any()
    assert not pattern.check(np.zeros((64, 64), bool))


@every_pattern
def test_depthwise_layers_stay_dense(pattern):
    verdict = pattern.fits(Layer("dw", "Conv", "w", None, "x", "y", 64, 9, 49, groups=64, kernel=(3, 3)))
    assert bool(verdict) == (pattern.notation == "dense")
    assert verdict.reason == "" or verdict.reason.startswith("depthwise: 9 weights a channel")


@every_pattern
def test_fast_on_the_largest_layers(pattern):
    saliency = np.random.default_rng(0).random((2048, 4608), np.float32)
    start = time.perf_counter()
    pattern.check(pattern.mask(saliency, 0.8 if pattern.fixed_sparsity is None else pattern.fixed_sparsity))
    assert time.perf_counter() - start < 5  # a fraction of a second on an idle core; loops in Python would take a minute
