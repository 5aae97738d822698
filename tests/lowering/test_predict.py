"""A layer is predicted among others that are as thin as itself."""

import numpy as np
import onnx_ir as ir
import pytest

from spcompile import passes
from spcompile.costs.cpu import predict
from spcompile.ir.layers import find_layers
from spcompile.kernels.cpu.subset_spmm import partly_kept
from spcompile.lowering import predict as module
from spcompile.lowering.choosing import _best_tile
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor, passed_by
from spcompile.lowering.site import BLOCK_ROWS
from spcompile.patterns import parse_choice
from spcompile.pruning import Magnitude, prune
from spcompile.targets import load_target
from tests.costs.samples import chain, convolution

TARGET = load_target("cortex-a72")


def surrounding_bytes(notation: str, monkeypatch) -> float:
    """What a choice is predicted to share the caches with."""
    seen = []

    def spy(work, target, threads, network_bytes=0.0):
        seen.append(network_bytes)
        return predict(work, target, threads, network_bytes=network_bytes)

    model = passes.prepare(ir.from_proto(convolution(64, 96, 14, 3)))
    predictor, (layer,) = Predictor(lower(model, TARGET), TARGET, 1), find_layers(model)
    monkeypatch.setattr(module, "predict", spy)
    predictor(layer, parse_choice(notation))
    return seen[-1]


def test_the_thinner_a_choice_the_less_lies_around_it(monkeypatch):
    dense, half, tenth = (surrounding_bytes(notation, monkeypatch) for notation in ("dense", "block4x1@0.5", "block4x1@0.9"))
    weights = 64 * 96 * 9 * 4
    assert dense > half > tenth > dense - weights
    assert dense - half == pytest.approx(weights * (1 - 0.5 * 5 / 4), rel=0.02), "an offset beside four values"


def test_lists_longer_than_the_weights_are_no_more_than_dense(monkeypatch):
    assert surrounding_bytes("unstructured@0.3", monkeypatch) == surrounding_bytes("dense", monkeypatch)


def test_weights_that_were_used_just_now_are_near(build):
    """A recurrent layer's matrix stays in the caches from step to step; that of its inputs has seen all others pass."""
    arrays = {"w": np.ones((1, 64, 32), np.float32), "r": np.ones((1, 64, 64), np.float32), "f": np.ones((64, 32), np.float32)}
    text = "g (float[3,1,32] x) => (float[a,b,c,d] y) { h = RNN<hidden_size=64>(x, w, r)  y = MatMul(h, f) }"
    layers = find_layers(passes.prepare(build(text, **arrays)))
    of_x, *of_h, after = (passed_by(layers)[layer.name] for layer in layers)
    assert of_x == after == 1
    assert of_h == [1, 0.5]
    assert set(passed_by(find_layers(passes.prepare(ir.from_proto(chain(5))))).values()) == {1}


def test_equal_layers_are_worked_out_once():
    model = passes.prepare(ir.from_proto(chain(5)))
    predictor, layers = Predictor(lower(model, TARGET), TARGET, 1), find_layers(model)
    choices = [parse_choice(notation) for notation in ("dense", "unstructured@0.7", "block4x1@0.9", "2:4")]
    times = []
    for layer in layers[1:-1]:  # the first reads the input, the last writes no border
        before = _best_tile.cache_info().misses
        times.append([predictor(layer, choice).expected_s for choice in choices])
        assert len(times) == 1 or _best_tile.cache_info().misses == before
    assert times[0] == times[1] == times[2]


@pytest.mark.parametrize("device", ["x86-avx512", "cortex-a72"])
@pytest.mark.parametrize("notation", ["dense", "block2x1@0.75"])
def test_parts_add_up_to_the_network_that_is_lowered(device, notation):
    """What a layer's kernel asks of others goes where the choice is made: kernels of pixels leave a border to be filled, sparse ones do not."""
    target, model, choice = load_target(device), passes.prepare(ir.from_proto(chain(4))), parse_choice(notation)
    predictor, layers = Predictor(lower(model, target), target, 1), find_layers(model)
    pruned = prune(model, {layer.name: choice for layer in layers if choice.sparsity}, None, Magnitude()).model
    added_s = predictor.fixed.expected_s + sum(predictor(layer, choice).expected_s for layer in layers)
    assert added_s == pytest.approx(Predictor(lower(pruned, target), target, 1).total.expected_s, rel=0.015)


@pytest.mark.parametrize("shape", [(64, 96, 14, 3), (32, 48, 28, 1), (16, 16, 32, 3), (128, 64, 7, 1)])
@pytest.mark.parametrize("device", ["zen5", "zen4", "x86-avx2", "cortex-a76", "cortex-a53"])
def test_tiles_left_out_are_never_the_fastest(device, shape):
    """All tiles, at every level, are the oracle of the few that are weighed."""
    target, model = load_target(device), passes.prepare(ir.from_proto(convolution(*shape)))
    (site,) = lower(model, target).sites.values()
    for rows in BLOCK_ROWS:
        for kept in (0.9, 0.5, 0.4, 0.3, 0.15, 0.1, 0.05):
            # Weights dropped one by one, and whole blocks.
            for blocks, weights in ((1 - (1 - kept) ** rows, kept), (kept, kept)):
                counts = round(blocks * site.dense_blocks(rows)), round(weights * site.dense_blocks(1))
                kernels = site.kernels(rows, counts[0], target, 1, False, counts[1])
                oracle_s = [predict(kernel.work(), target, 1).expected_s for kernel in kernels]
                found = _best_tile(site, rows, counts[0], target, 1, False, counts[1] if partly_kept(rows, *counts) else 0)
                assert found[2].expected_s <= 1.01 * min(oracle_s) if oracle_s else found is None, (rows, kept)
