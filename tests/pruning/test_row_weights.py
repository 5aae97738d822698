"""What an error in a row of a layer's output counts, against the harm that such errors really do."""

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.pruning import Admm, Calibration, Obc, Wanda, gradients, prune
from spcompile.pruning.gradients import squared_output_gradients
from spcompile.pruning.network import Network
from spcompile.pruning.row_weights import row_weights
from tests.pruning.samples import images, network
from tests.pruning.test_solvers import evidence

STEP = 1e-3


def exact(model: ir.Model, feeds, name: str) -> np.ndarray:
    """Sum over samples, positions and outputs of (dy / dz)^2 for every row of a layer's output z, by central differences, relative to the outputs' spread."""
    walked = Network(model, torch.float64)
    samples = {key: value.double() for key, value in walked.samples(feeds).items()}
    at = next(number for number, step in enumerate(walked.steps) if step.name == name)
    frontier, output = walked.run(samples, steps=walked.steps[: at + 1]), walked.steps[at].outputs[0]
    dense = walked.run(frontier, steps=walked.steps[at + 1 :])["scores"]
    spread = (dense - dense.mean(0)).square().sum((1, 2)).mean()
    rows = frontier[output].reshape(len(dense), frontier[output].shape[2], -1)
    totals = torch.zeros(rows.shape[1], dtype=torch.float64)
    for row in range(rows.shape[1]):
        for position in range(rows.shape[2]):
            moved = []
            for sign in (1, -1):
                changed = rows.clone()
                changed[:, row, position] += sign * STEP
                moved.append(walked.run({**frontier, output: changed.reshape(frontier[output].shape)}, steps=walked.steps[at + 1 :])["scores"])
            totals[row] += ((moved[0] - moved[1]) / (2 * STEP)).square().sum() / spread
    return totals.numpy()


@pytest.mark.parametrize("name", ["last", "head"])
def test_the_mean_over_draws_is_what_finite_differences_give(monkeypatch, name):
    monkeypatch.setattr(gradients, "BATCH", 8)
    model, feeds = network(), {"image": images(8)}
    layers = [layer for layer in find_layers(model) if layer.name == name]
    draws = [squared_output_gradients(Network(model), feeds, layers, seed, 8)[name] for seed in range(200)]
    np.testing.assert_allclose(np.mean(draws, axis=0), exact(model, feeds, name), rtol=0.3)


def test_only_the_first_samples_are_looked_at():
    model, x = network(), images(gradients.SPREAD_SAMPLES + 8)
    layers = find_layers(model)
    few, many = (squared_output_gradients(Network(model), {"image": x[:n]}, layers, 0, 8) for n in (gradients.SPREAD_SAMPLES, len(x)))
    for layer in layers:
        np.testing.assert_allclose(few[layer.name], many[layer.name], rtol=1e-6)


def followed_by(gain: np.ndarray) -> ir.Model:
    """A product whose rows count for the output by `gain`."""
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[1, 32] x) => (float[1, 16] y) { [one] h = MatMul (x, w)  y = Mul (h, gain) }"""
    )
    rng = np.random.default_rng(0)
    for name, array in (("w", rng.standard_normal((32, 16))), ("gain", gain)):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    return prepare(ir.from_proto(proto))


def vectors(count: int = 64, seed: int = 1) -> Calibration:
    return Calibration({"x": np.random.default_rng(seed).standard_normal((count, 32)).astype(np.float32)}, "vectors")


GAIN = np.array([3.0, 1.0] * 8)


def test_a_row_counts_by_the_square_of_what_follows():
    found = row_weights(followed_by(GAIN), vectors())["one"]
    assert found.mean() == pytest.approx(1)
    assert found[::2].mean() / found[1::2].mean() == pytest.approx(9, rel=0.4)


def moved(model: ir.Model, pruned: ir.Model) -> float:
    """Squared error of the output on inputs that were not seen."""
    fresh = vectors(256, seed=2).feeds
    return float(np.square(run(model, fresh)["y"] - run(pruned, fresh)["y"]).sum())


@pytest.mark.parametrize("pruner", [Admm(), Wanda(), Obc()], ids=lambda pruner: pruner.name)
def test_masks_spare_rows_that_count(pruner):
    model = followed_by(GAIN)
    choices = {"one": parse_choice("unstructured@0.5")}
    seen, blind = prune(model, choices, vectors(), pruner), prune(model, choices, vectors(), pruner, rows={})
    kept = seen.masks["one"].mean(axis=1)
    assert kept[::2].mean() > 1.2 * kept[1::2].mean()
    assert moved(model, seen.model) < 0.9 * moved(model, blind.model)


def test_a_layer_that_moves_nothing_has_equal_rows():
    model = network()
    silent = with_weights(model, {layer.name: 0 * weight(model, layer) for layer in find_layers(model) if layer.name == "head"})
    found = row_weights(silent, Calibration({"image": images(8)}, "images"))
    np.testing.assert_array_equal(found["first"], np.ones(8))


def test_errors_add_up_by_the_rows_weights():
    """`Evidence`: energy and misfit of a layer are the weighed sums over its rows."""
    known, counts = evidence(rows=6, columns=9, groups=1, seed=0), np.linspace(0.5, 1.5, 6)
    weighed, new = replace(known, row_weights=counts), known.weight * np.float32(0.9)
    apart = [known.of_rows(np.array([row])) for row in range(6)]
    for measure in ("energy", "misfit"):
        expected = sum(count * getattr(one, measure)(new[row : row + 1]) for row, (count, one) in enumerate(zip(counts, apart, strict=True)))
        assert getattr(weighed, measure)(new) == pytest.approx(expected, rel=1e-4)
