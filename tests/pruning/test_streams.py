"""The frontier of both networks: whatever memory allows, it is what running them whole gives."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare
from spcompile.pruning import calibration_from, streams
from spcompile.pruning.network import Network
from spcompile.pruning.streams import Streams
from tests.pruning.samples import images, network

SAMPLES = 16
PLENTY = 1e9
SAMPLE_BYTES = 2 * 8 * 144 * 4  # of one value behind the first layer, in both networks


def walked(bytes_, monkeypatch, every_step=False) -> tuple[Network, Streams, list[int]]:
    monkeypatch.setattr(streams, "ACTIVATION_BYTES", bytes_)
    model = network()
    dense, layers = Network(model), {layer.name for layer in find_layers(model)}
    stops = range(len(dense.steps) + 1) if every_step else [at for at, step in enumerate(dense.steps) if step.name in layers]
    return dense, Streams(dense, calibration_from(images(SAMPLES), model), stops), list(stops)


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("bytes_", [1, 2 * SAMPLE_BYTES, 5 * SAMPLE_BYTES, 11 * SAMPLE_BYTES, PLENTY])
def test_the_frontier_is_that_of_both_networks(monkeypatch, bytes_, every_step):
    """The pruned network's first layer is halved once the walk has passed its stop."""
    dense, moving, stops = walked(bytes_, monkeypatch, every_step)
    layers = {layer.name: layer for layer in find_layers(network())}
    weights = {"w0": dense.constants["w0"] * 0.5}
    feeds, rng = dense.samples({"image": images(SAMPLES)}), np.random.default_rng(0)
    for stop in stops:
        moving.advance(stop)
        if stop < len(dense.steps) and (layer := layers.get(dense.steps[stop].name)) is not None:
            moving.fill()
            moving.moments(layer, rng)
        moving.weights.update(weights)
        some = {name: array[: moving.count] for name, array in feeds.items()}
        for found, own in ((moving.dense, {}), (moving.pruned, weights)):
            expected = dense.run(some, own, dense.steps[:stop])
            assert found.keys() == expected.keys() == dense.alive()[stop]
            for name, value in expected.items():
                torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)
    assert moving.count == (1 if bytes_ == 1 else SAMPLES)


def test_what_is_the_same_stays_one_tensor(monkeypatch):
    """However many join on the way."""
    dense, moving, stops = walked(2 * SAMPLE_BYTES, monkeypatch)
    layers, rng = {layer.name: layer for layer in find_layers(network())}, np.random.default_rng(0)
    assert moving.count < SAMPLES
    for stop in stops:
        moving.advance(stop)
        moving.fill()
        moving.moments(layers[dense.steps[stop].name], rng)
        assert all(map(moving.same, moving.dense))
    assert moving.count == SAMPLES


WIDE = """
<ir_version: 10, opset_import: ["" : 18]>
wide (float[1, 8] x) => (float[1, 8] y)
{
  [one] h = MatMul (x, w)
  far = Concat <axis = 0> (h, h, h, h, h, h, h, h)
  r = Relu (far)
  axes = Constant <value_ints = [0]> ()
  m = ReduceMean <keepdims = 1> (r, axes)
  [two] y = MatMul (m, w)
}
"""


def test_as_many_wait_as_stops_hold_whatever_lies_between(monkeypatch):
    proto = onnx.parser.parse_model(WIDE)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.eye(8, dtype=np.float32), "w"))
    model = prepare(ir.from_proto(proto))
    x = np.random.default_rng(0).standard_normal((SAMPLES, 8)).astype(np.float32)
    dense, calibration = Network(model), calibration_from(x, model)
    monkeypatch.setattr(streams, "ACTIVATION_BYTES", SAMPLES * 2 * 2 * 8 * 4)
    last = len(dense.steps) - 1
    moving = Streams(dense, calibration, [0, last])
    moving.advance(last)
    assert moving.count == SAMPLES > Streams(dense, calibration, range(last + 1)).count
    torch.testing.assert_close(moving.dense["m"], torch.from_numpy(x).relu()[:, None])
