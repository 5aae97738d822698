"""Squared gradients against finite differences, and masks that know what lies behind a layer."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from spcompile.errors import DataError
from spcompile.ir.layers import find_layers, weight
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.pruning import Calibration, Evidence, Fisher, LeastSquares, Magnitude, Wanda, calibration_from, gradients, prune
from spcompile.pruning.gradients import squared_gradients
from spcompile.pruning.network import Network
from tests.pruning.samples import images, network
from tests.pruning.test_sequential import choices, distance
from tests.pruning.test_solvers import evidence

STEP = 1e-3


def exact(walked: Network, feeds, name: str, places: list[tuple[int, ...]]) -> list[float]:
    """Sum over samples and outputs of (dy / dw)^2 by central differences."""
    samples = {key: value.double() for key, value in walked.samples(feeds).items()}
    found = []
    for place in places:
        moved = []
        for sign in (1, -1):
            weight = walked.constants[name].clone()
            weight[place] += sign * STEP
            moved.append(walked.run(samples, {name: weight})["scores"])
        found.append(float((((moved[0] - moved[1]) / (2 * STEP)) ** 2).sum()))
    return found


PLACES = {"first": [(0, 0, 0, 0), (5, 2, 1, 2)], "last": [(3, 4, 1, 1)], "head": [(2, 7), (4, 0)]}


def test_the_mean_over_draws_is_what_finite_differences_give(monkeypatch):
    monkeypatch.setattr(gradients, "BATCH", 8)
    model, feeds = network(), {"image": images(8)}
    layers = [layer for layer in find_layers(model) if layer.name in PLACES]
    walked, precise = Network(model), Network(model, torch.float64)
    draws = [squared_gradients(walked, feeds, layers, seed) for seed in range(200)]
    for layer in layers:
        mean = layer.from_matrix(np.mean([draw[layer.name] for draw in draws], axis=0))
        expected = exact(precise, feeds, layer.weight, PLACES[layer.name])
        np.testing.assert_allclose([mean[place] for place in PLACES[layer.name]], expected, rtol=0.25, err_msg=layer.name)


def test_however_samples_are_batched_the_mean_is_the_same(monkeypatch):
    model, feeds = network(), {"image": images(8)}
    last = next(layer for layer in find_layers(model) if layer.name == "last")
    sums = {}
    for batch in (2, 8):
        monkeypatch.setattr(gradients, "BATCH", batch)
        sums[batch] = np.mean([squared_gradients(Network(model), feeds, [last], seed)["last"].sum() for seed in range(60)])
    assert sums[2] == pytest.approx(sums[8], rel=0.15)


def test_scarce_memory_means_smaller_batches(monkeypatch):
    walked, sizes = Network(network()), []
    original = walked.step

    def noted(step, values, weights):
        if step is walked.steps[0]:
            sizes.append(len(values["image"]))
        original(step, values, weights)

    monkeypatch.setattr(walked, "step", noted)
    monkeypatch.setattr(gradients, "ACTIVATION_BYTES", 3 * sum(walked.bytes.values()))
    squared_gradients(walked, {"image": images(8)}, find_layers(network()), 0)
    assert sizes == [3, 3, 2]


def test_outputs_count_relative_to_their_spread():
    """An output a thousand times as large has no more say, and one of whole numbers does no harm."""
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[1, 6] x) => (float[1, 4] y, float[1, 4] z, int64[1] best) {
            [one] y = MatMul (x, w)  [two] h = MatMul (x, v)  z = Mul (h, thousand)  best = ArgMax <axis = 1, keepdims = 0> (y) }"""
    )
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((6, 4)).astype(np.float32)
    for name, array in (("w", shared), ("v", shared), ("thousand", np.array(1000, np.float32))):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    model = prepare(ir.from_proto(proto))
    x = rng.standard_normal((256, 6)).astype(np.float32)
    found = squared_gradients(Network(model), {"x": x}, find_layers(model), 0)
    assert found["one"].sum() == pytest.approx(found["two"].sum(), rel=0.3)


def test_the_last_layer_has_the_power_of_its_inputs():
    """Of a single linear layer the information is known: the same in every row."""
    proto = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 18]> g (float[1, 6] x) => (float[1, 4] y) { [only] y = MatMul (x, w) }')
    rng = np.random.default_rng(0)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal((6, 4)).astype(np.float32), "w"))
    model = prepare(ir.from_proto(proto))
    x = (rng.standard_normal((512, 6)) * np.arange(1, 7)).astype(np.float32)
    found = squared_gradients(Network(model), {"x": x}, find_layers(model), 0)["only"]
    power = np.tile((x**2).sum(0), (4, 1))
    np.testing.assert_allclose(found / found.sum(), power / power.sum(), rtol=0.4, err_msg="128 draws: their mean varies by an eighth")


def test_the_walk_hands_it_to_the_pruners_that_ask(monkeypatch):
    seen = {}
    for pruner in (Fisher, Wanda):
        original = pruner.mask

        def watched(self, known, choice, original=original):
            seen.setdefault(self.name, []).append(known.fisher)
            return original(self, known, choice)

        monkeypatch.setattr(pruner, "mask", watched)
    model = network()
    for pruner in (Fisher(), Wanda()):
        prune(model, choices(model), calibration_from(images(8), model), pruner)
    assert seen["wanda"] == [None] * 4
    assert [known.shape for known in seen["fisher"]] == [weight(model, layer).shape for layer in find_layers(model) if layer.name in choices(model)]
    assert all((known >= 0).all() and known.any() for known in seen["fisher"])


def test_rows_that_nobody_reads_go_first():
    """Half of the first layer's channels end at the second's zeros: all of their weights go, however large."""
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 18]> g (float[1, 8] x) => (float[1, 4] y) { [one] h = MatMul (x, w)  r = Relu (h)  [two] y = MatMul (r, v) }'
    )
    rng = np.random.default_rng(0)
    inner, outer = rng.standard_normal((8, 16)).astype(np.float32), rng.standard_normal((16, 4)).astype(np.float32)
    inner[:, ::2] *= 3
    outer[::2] = 0
    proto.graph.initializer.extend([onnx.numpy_helper.from_array(array, name) for array, name in ((inner, "w"), (outer, "v"))])
    model = prepare(ir.from_proto(proto))
    x = rng.standard_normal((64, 8)).astype(np.float32)
    mask = prune(model, {"one": parse_choice("unstructured@0.5")}, calibration_from(x, model), Fisher()).masks["one"]
    assert not mask[::2].any() and mask[1::2].all()


def test_without_any_gradient_the_smallest_go():
    known = evidence(8, 16, 1, 0)
    silent = Evidence(known.layer, known.weight, known.gram, known.cross, known.mean_dense, known.mean_pruned, np.zeros((8, 16)))
    half = parse_choice("unstructured@0.5")
    assert np.array_equal(Fisher().mask(silent, half), Magnitude().mask(silent, half))


def test_it_pays_off_in_a_whole_network():
    model, fresh = network(), images(32, seed=9)
    calibration = calibration_from(images(), model)
    chosen = choices(model, parse_choice("unstructured@0.7"))
    blind, seen = (distance(model, prune(model, chosen, calibration, pruner).model, fresh) for pruner in (Magnitude(solver=LeastSquares()), Fisher()))
    assert seen < blind


def test_gradients_that_overflow_are_the_datas_fault():
    model = network()
    with pytest.raises(DataError, match=r"gradients at layer 'first' are not finite"):
        prune(model, choices(model), Calibration({"image": images() * np.float32("nan")}, "NaN"), Fisher())
