"""From which share of zeros on a pattern pays is a result of the device's numbers, and comes late on cores that work in order."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from spcompile import passes
from spcompile.compiler import inspect
from spcompile.ir.layers import find_layers
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import Choice, parse
from spcompile.targets import load_target
from tests.costs.samples import convolution

SHAPES = ((64, 64, 56, 3), (256, 256, 14, 3), (256, 256, 14, 1), (512, 128, 28, 1))  # in-channels, out-channels, image size, kernel
LEVELS = np.arange(0.1, 0.96, 0.05)
A53, A55, A76 = (load_target(name) for name in ("cortex-a53", "cortex-a55", "cortex-a76"))


def shares(shape, target, pattern="unstructured"):
    """Of dense's time, at each of LEVELS, as predicted."""
    model = passes.prepare(ir.from_proto(convolution(*shape)))
    predictor, (layer,) = Predictor(lower(model, target, 1), target, 1), find_layers(model)
    dense_s = predictor(layer, Choice(parse("dense"), 0.0)).expected_s
    return np.array([predictor(layer, Choice(parse(pattern), float(level))).expected_s / dense_s for level in LEVELS])


def crossover(shape, target, pattern="unstructured"):
    """The least sparsity from which on the sparse kernel is predicted faster than dense; 1.0 if none is."""
    return float(max(LEVELS[shares(shape, target, pattern) >= 1], default=0.0)) + 0.05


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("core", [A53, A55], ids=lambda core: core.name)
def test_unstructured_zeros_pay_later_in_order_than_out_of_order(core, shape):
    assert crossover(shape, core) >= crossover(shape, A76) + 0.1


@pytest.mark.parametrize("core", [A53, A55, A76], ids=lambda core: core.name)
def test_blocks_pay_earlier_and_more_than_single_weights(core):
    for shape in SHAPES:
        assert crossover(shape, core, "block4x1") <= crossover(shape, core)
        blocks, single = shares(shape, core, "block4x1"), shares(shape, core)
        assert (blocks <= single).all() and (blocks < single)[LEVELS >= 0.5].all()


def test_what_zeros_gain_moves_with_the_numbers_of_the_device():
    """The same layer on an A76 that waits for its loads, and on one that loads half as fast."""
    shape = SHAPES[0]
    in_order = replace(A76, name="in-order", out_of_order=False)
    slow_loads = replace(A76, name="slow-loads", loads_per_cycle=A76.loads_per_cycle / 2, broadcasts_per_cycle=A76.broadcasts_per_cycle / 2)
    assert crossover(shape, in_order) > crossover(shape, A76)
    assert (shares(shape, slow_loads) > shares(shape, A76)).all()


def test_inspect_shows_it():
    found = {}
    for core in ("cortex-a53", "cortex-a76"):
        (layer,) = inspect(convolution(*SHAPES[0]), target=core, patterns="unstructured").layers
        found[core] = layer.crossover("unstructured").sparsity
    assert found["cortex-a53"] > found["cortex-a76"]
