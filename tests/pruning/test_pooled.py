"""Layers that share a weight: one evidence, one error for all."""

import numpy as np
import onnx_ir as ir
import pytest
import torch

from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.patterns import PATTERNS, parse_choice
from spcompile.pruning import calibration_from, measure_errors, prune
from spcompile.pruning.distortion import distortion
from spcompile.pruning.network import Network
from spcompile.pruning.pooled import ahead, pooled, visits_by_weight
from spcompile.pruning.streams import Streams

STEPS, WIDTH, HALF = 12, 32, parse_choice("block4x1@0.5")


@pytest.fixture(scope="module")
def recurrent() -> ir.Model:
    """A GRU over a dozen steps whose first ones see a quarter of what the others see."""
    torch.manual_seed(0)
    layer = torch.nn.GRU(16, WIDTH)
    with torch.no_grad():
        layer.weight_hh_l0 *= 2
    weights = {name: getattr(layer, f"{name}_l0").detach().numpy() for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    return prepare(_gru(weights))


def _gru(weights) -> ir.Model:
    import onnx

    text = f"""<ir_version: 10, opset_import: ["" : 18]> gru (float[{STEPS}, 1, 16] x) => (float[1, 1, {WIDTH}] y)
    {{ all, y = GRU<hidden_size={WIDTH}, linear_before_reset=1>(x, w, r, b) }}"""
    model = onnx.parser.parse_model(text)
    matrices = {"w": weights["weight_ih"][None], "r": weights["weight_hh"][None], "b": np.concatenate([weights["bias_ih"], weights["bias_hh"]])[None]}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in matrices.items())
    return ir.from_proto(model)


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((256, STEPS, 1, 16)).astype(np.float32)
    x[:, : STEPS // 3] *= 0.25
    return x.reshape(-1, 1, 16)


def test_moments_are_those_of_all_uses(recurrent, samples):
    network, calibration, layers = Network(recurrent), calibration_from(samples, recurrent), find_layers(recurrent)
    visits = max(visits_by_weight(network, layers).values(), key=len)
    assert len(visits) == STEPS - 1  # the first multiplies zeros
    streams, seen = Streams(network, calibration, [at for at, _ in visits]), []
    streams.advance(visits[0][0])
    for walk, layer in ahead(streams, visits):
        seen.append((layer, walk.dense[layer.input].reshape(-1, WIDTH).double().numpy()))
    assert streams.at == visits[0][0] and streams.dense[visits[0][1].input].shape[0] == len(samples) // STEPS
    rng = np.random.default_rng(0)
    found = pooled(walk.moments(layer, rng).evidence_with_halves(weight(recurrent, layer)) for walk, layer in ahead(streams, visits))
    everything = np.concatenate([x for _, x in seen])
    np.testing.assert_allclose(found.gram[0], everything.T @ everything / len(everything), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.cross, found.gram)
    assert found.positions == len(everything) == sum(half.positions for half in found.halves)
    assert found.layer == visits[0][1]


def test_recurrent_weights_are_pruned_for_all_steps(recurrent, samples):
    """Far nearer to the dense network than by the magnitude of weights, though the first steps see little and nothing like the rest."""
    choices = {layer.name: HALF for layer in find_layers(recurrent) if layer.columns == WIDTH}
    calibration, fresh = calibration_from(samples, recurrent), np.random.default_rng(1).standard_normal((64, STEPS, 1, 16)).astype(np.float32)
    fresh[:, : STEPS // 3] *= 0.25
    pruned, blind = prune(recurrent, choices, calibration).model, prune(recurrent, choices).model
    harms = [distortion([(run(recurrent, {"x": x}), run(model, {"x": x})) for x in fresh]) for model in (pruned, blind)]
    assert harms[0] < 0.08 * harms[1]  # by what the first step sees alone: 0.11


def test_the_error_is_that_of_all_uses_together(recurrent, samples):
    """Each use carries its share, so that a sum over layers tells what one mask in all of them does."""
    calibration = calibration_from(samples, recurrent)
    errors, layers = measure_errors(recurrent, calibration, PATTERNS), [layer for layer in find_layers(recurrent) if layer.columns == WIDTH]
    shares = [errors.error(layer, HALF) for layer in layers]
    assert len(set(shares)) == 1
    pruned = prune(recurrent, {layer.name: HALF for layer in layers}, calibration).model
    true = distortion([(run(recurrent, {"x": x}), run(pruned, {"x": x})) for x in samples.reshape(-1, STEPS, 1, 16)[:64]])
    assert 0.4 * true < sum(shares) < 2.5 * true
