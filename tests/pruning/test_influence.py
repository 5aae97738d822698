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
from spcompile.patterns import Unstructured, parse_choice
from spcompile.pruning import PRUNERS, Admm, Calibration, LeastSquares, Obc, SparseGPT, Wanda, gradients, measure_errors, prune
from spcompile.pruning.calibration import parted
from spcompile.pruning.evidence import diagonal
from spcompile.pruning.gradients import output_fisher
from spcompile.pruning.influence import SAMPLES, influence
from spcompile.pruning.network import Network
from tests.pruning.samples import images, network
from tests.pruning.test_solvers import evidence

STEP = 1e-3


def exact(model: ir.Model, feeds, name: str) -> np.ndarray:
    """Sum over samples, positions and outputs of (dy / dz)^2 for every row of a layer's output z, by central differences."""
    walked = Network(model, torch.float64)
    samples = {key: value.double() for key, value in walked.samples(feeds).items()}
    at = next(number for number, step in enumerate(walked.steps) if step.name == name)
    frontier, output = walked.run(samples, steps=walked.steps[: at + 1]), walked.steps[at].outputs[0]
    rows = frontier[output].reshape(len(frontier[output]), frontier[output].shape[2], -1)
    totals = torch.zeros(rows.shape[1], dtype=torch.float64)
    for row in range(rows.shape[1]):
        for position in range(rows.shape[2]):
            moved = []
            for sign in (1, -1):
                changed = rows.clone()
                changed[:, row, position] += sign * STEP
                moved.append(walked.run({**frontier, output: changed.reshape(frontier[output].shape)}, steps=walked.steps[at + 1 :])["scores"])
            totals[row] += ((moved[0] - moved[1]) / (2 * STEP)).square().sum()
    return totals.numpy()


@pytest.mark.parametrize("name", ["last", "head"])
def test_the_mean_over_draws_is_what_finite_differences_give(monkeypatch, name):
    monkeypatch.setattr(gradients, "BATCH", 8)
    model, feeds = network(), {"image": images(8)}
    layers = [layer for layer in find_layers(model) if layer.name == name]
    draws = [diagonal(output_fisher(Network(model), feeds, layers, seed, slice(8))[name][0]) for seed in range(200)]
    np.testing.assert_allclose(np.mean(draws, axis=0), exact(model, feeds, name), rtol=0.3)


def test_only_the_first_samples_are_looked_at():
    model, x = network(), images(gradients.SPREAD_SAMPLES + 8)
    layers = find_layers(model)
    few, many = (output_fisher(Network(model), {"image": x[:n]}, layers, 0, slice(8)) for n in (gradients.SPREAD_SAMPLES, len(x)))
    for layer in layers:
        np.testing.assert_allclose(few[layer.name][0], many[layer.name][0], rtol=1e-6)


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
PRUNERS_THAT_SOLVE = [pruner for pruner in PRUNERS if isinstance(pruner.solver, LeastSquares)]


def test_a_row_counts_by_the_square_of_what_follows():
    found = diagonal(influence(followed_by(GAIN), vectors())[0]["one"])
    assert found.mean() == pytest.approx(1)
    assert found[::2].mean() / found[1::2].mean() == pytest.approx(9, rel=0.4)


def moved(model: ir.Model, pruned: ir.Model) -> float:
    """Squared error of the output on inputs that were not seen."""
    fresh = vectors(256, seed=2).feeds
    return float(np.square(run(model, fresh)["y"] - run(pruned, fresh)["y"]).sum())


def mixed() -> ir.Model:
    """A product whose 16 rows come together in 3 sums: errors of rows can make up for one another."""
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]> g (float[1, 32] x) => (float[1, 3] y) { [one] h = MatMul (x, w)  [two] y = MatMul (h, mix) }"""
    )
    rng = np.random.default_rng(0)
    for name, shape in (("w", (32, 16)), ("mix", (16, 3))):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name))
    return prepare(ir.from_proto(proto))


def test_pairs_of_rows_count_as_what_follows_joins_them():
    model = mixed()
    found = influence(model, vectors(256))[0]["one"]
    mix = next(array for array in (weight(model, layer) for layer in find_layers(model) if layer.name == "two"))
    expected = mix.T @ mix
    assert np.corrcoef(found[np.triu_indices(16, 1)], expected[np.triu_indices(16, 1)])[0, 1] > 0.9


@pytest.mark.parametrize("pruner", PRUNERS_THAT_SOLVE, ids=lambda pruner: pruner.name)
def test_rows_make_up_for_one_another(pruner):
    model, choices, rows = mixed(), {"one": parse_choice("unstructured@0.5")}, influence(mixed(), vectors())[0]
    together, apart = (prune(model, choices, vectors(), pruner, rows=known) for known in (rows, {name: diagonal(one) for name, one in rows.items()}))
    assert moved(model, together.model) < 0.8 * moved(model, apart.model)


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
    found, calibration = influence(silent, Calibration({"image": images(8)}, "images"))
    np.testing.assert_array_equal(diagonal(found["first"]), np.ones(8))
    assert not calibration.counted


TOKENS = 12


def sentences(count: int = 40, seed: int = 3) -> Calibration:
    """Of 2 to 5 tokens, and behind them padding that is larger and lies elsewhere than any token."""
    rng = np.random.default_rng(seed)
    mask = (np.arange(TOKENS) < rng.integers(2, 6, (count, 1))).astype(np.float32)[..., None]
    tokens, padding = rng.standard_normal((count, TOKENS, 8)), 5 * rng.standard_normal((count, TOKENS, 8)) @ np.diag([0, 0, 0, 0, 1, 1, 1, 1])
    return Calibration({"x": np.where(mask, tokens, padding).astype(np.float32), "mask": mask}, "sentences")


def tagger() -> ir.Model:
    """Two products for every token, then the mean over those that the mask shows."""
    proto = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]> t (float[1, 12, 8] x, float[1, 12, 1] mask) => (float[1, 6] y) {
        [one] h = MatMul (x, w1)  a = Tanh (h)  [two] z = MatMul (a, w2)  shown = Mul (z, mask)  axis = Constant <value_ints = [1]> ()
        y = ReduceSum <keepdims = 0> (shown, axis) }"""
    )
    rng = np.random.default_rng(0)
    for name, shape in (("w1", (8, 8)), ("w2", (8, 6))):
        proto.graph.initializer.append(onnx.numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), name))
    return prepare(ir.from_proto(proto))


def test_padding_does_not_count():
    """More samples than tell what rows count, so both passes are seen."""
    data = sentences(SAMPLES + 16)
    _, found = influence(tagger(), data)
    assert set(found.counted) == {"one", "two"}
    for counted in found.counted.values():
        np.testing.assert_array_equal(counted, data.feeds["mask"][..., 0] > 0)


def test_parts_of_the_samples_take_what_counts_along():
    model = tagger()
    _, found = influence(model, sentences())
    for part in parted(found, model, 10, seed=0):
        np.testing.assert_array_equal(part.counted["one"], part.feeds["mask"][..., 0] > 0)


def test_a_sample_that_moves_nothing_counts_as_a_whole():
    data = sentences()
    data.feeds["mask"][7] = 0
    _, found = influence(tagger(), data)
    assert found.counted["one"][7].all() and not found.counted["one"][6].all()


@pytest.mark.parametrize("pruner", [Admm(), Obc(), SparseGPT()], ids=lambda pruner: pruner.name)
def test_weights_are_fitted_to_what_counts(pruner):
    """Against a calibration set that was told that all positions count."""
    model, choices, data = tagger(), {"one": parse_choice("unstructured@0.5")}, sentences()
    fresh = sentences(200, seed=4).feeds
    dense = run(model, fresh)["y"]
    seen, blind = (prune(model, choices, data, pruner, rows=rows) for rows in (None, influence(model, data)[0]))
    harm = [float(np.square(dense - run(pruned.model, fresh)["y"]).sum()) for pruned in (seen, blind)]
    assert harm[0] < 0.8 * harm[1]


def test_errors_and_sensitivities_are_read_where_it_counts():
    """Whatever lies in the padding, the table is the same."""
    model, data = tagger(), sentences()
    louder = replace(data, feeds={**data.feeds, "x": np.where(data.feeds["mask"] > 0, data.feeds["x"], 1 + data.feeds["x"])})
    tables = [measure_errors(model, one) for one in (data, louder)]
    assert tables[0].sensitivities == pytest.approx(tables[1].sensitivities, rel=1e-3)
    assert tables[0].curves["one"][Unstructured()].errors == pytest.approx(tables[1].curves["one"][Unstructured()].errors, rel=1e-3, abs=1e-9)


def test_errors_add_up_by_the_rows_weights():
    """`Evidence`: energy and misfit of a layer are the weighed sums over its rows."""
    known, counts = evidence(rows=6, columns=9, groups=1, seed=0), np.linspace(0.5, 1.5, 6)
    weighed, new = replace(known, row_factor=counts), known.weight * np.float32(0.9)
    apart = [known.of_rows(np.array([row])) for row in range(6)]
    for measure in ("energy", "misfit"):
        expected = sum(count * getattr(one, measure)(new[row : row + 1]) for row, (count, one) in enumerate(zip(counts, apart, strict=True)))
        assert getattr(weighed, measure)(new) == pytest.approx(expected, rel=1e-4)
