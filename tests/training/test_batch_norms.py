"""Norms in and out of a network."""

import onnx
import onnx_ir as ir
import pytest
import torch

from spcompile.ir.layers import find_layers
from spcompile.passes import prepare
from spcompile.pruning.network import Network
from spcompile.training.batch_norms import NormalisedNetwork, scale_of
from tests.pruning.samples import images, network


@pytest.fixture
def case():
    made = NormalisedNetwork(network(), torch.float32)
    feeds = made.samples({"image": images(48)})
    weights = {name: made.constants[name] for layer in find_layers(network()) for name in (layer.weight, layer.bias) if name is not None}
    return made, feeds, weights


def test_convolutions_with_a_bias_are_normed(case):
    assert set(case[0].normed) == {"first", "deep", "point"}, "not 'last', which has no bias, nor 'head', which is no convolution"


def test_one_position_is_too_few_for_statistics():
    model = ir.from_proto(
        onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 18]> g (float[1, 2, 6, 6] x) => (float[1, 2, 1, 1] y)
        <float[2, 2, 1, 1] w = {1, 2, 3, 4}, float[2] b = {1, 2}, float[2, 2, 1, 1] v = {1, 2, 3, 4}, float[2] c = {1, 2}>
        { [wide] a = Conv (x, w, b)  r = Relu (a)  m = GlobalAveragePool (r)  [single] y = Conv (m, v, c) }""")
    )
    assert set(NormalisedNetwork(prepare(model), torch.float32).normed) == {"wide"}


def test_norms_as_they_begin_change_nothing_on_the_same_samples(case):
    made, feeds, weights = case
    begun = {**weights, **made.unfolded(made.moments([feeds], {}))}
    torch.testing.assert_close(made.run(feeds, begun)["scores"], Network(network()).run(feeds)["scores"], rtol=1e-4, atol=1e-5)


def test_folded_norms_give_what_they_gave(case):
    made, feeds, weights = case
    tuned = {**weights, **made.unfolded(made.moments([feeds], {}))}
    random = torch.Generator().manual_seed(0)
    tuned = {name: tensor * (1 + 0.3 * torch.randn(tensor.shape, generator=random)) for name, tensor in tuned.items()}
    folded = made.folded(tuned, made.moments([feeds], tuned))
    assert folded.keys() == weights.keys()
    torch.testing.assert_close(Network(network()).run(feeds, folded)["scores"], made.run(feeds, tuned)["scores"], rtol=1e-4, atol=1e-4)


def test_a_dead_row_stays_finite_and_dead(case):
    made, feeds, weights = case
    weights["w0"] = weights["w0"].clone()
    weights["w0"][3] = 0
    made.constants["w0"] = weights["w0"]
    tuned = {**weights, **made.unfolded(made.moments([feeds], {}))}
    folded = made.folded(tuned, made.moments([feeds], tuned))
    assert all(torch.isfinite(tensor).all() for tensor in folded.values()) and not folded["w0"][3].any()
    first = next(layer for layer in find_layers(network()) if layer.name == "first")
    assert tuned[scale_of(first)][3] > 0
