"""The executor: batches of samples, overridden weights, frontiers, refusals."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from spcompile.errors import UnsupportedOperator
from spcompile.ir.session import run
from spcompile.pruning.network import Network
from tests.pruning.samples import images, network


def test_many_samples_agree_with_onnx_runtime():
    model, x = network(), images(7)
    walked = Network(model)
    values = walked.run(walked.samples({"image": x}))
    assert set(values) == {"scores"}, "values that nobody needs are dropped"
    np.testing.assert_allclose(values["scores"][:, 0].numpy(), run(model, {"image": x})["scores"], rtol=1e-4, atol=1e-5)


def test_an_input_without_axes_is_the_same_for_all_samples(build):
    model = build("g (float s, float[1,4] x) => (float[1,4] y) { y = Mul(s, x) }")
    walked, x = Network(model), np.arange(12, dtype=np.float32).reshape(3, 4)
    feeds = walked.samples({"s": np.array(2, np.float32), "x": x})
    assert feeds["s"].tolist() == [2, 2, 2]
    np.testing.assert_array_equal(walked.run(feeds)["y"][:, 0].numpy(), 2 * x)


def test_an_output_that_is_a_constant_is_no_answer(build):
    walked = Network(build("g (float[1,4] x) => (float[1,4] y, float[4] w, int64[4] n) { y = Mul(x, w) }", w=np.ones(4, np.float32), n=np.arange(4)))
    assert walked.outputs == walked.fractions == ("y",)


def test_weights_of_one_run_do_not_outlive_it():
    walked = Network(network())
    feeds = walked.samples({"image": images(2)})
    before = walked.run(feeds)["scores"]
    weights = {"w4": torch.zeros(5, 16)}
    torch.testing.assert_close(walked.run(feeds, weights)["scores"], walked.constants["b4"].expand(2, 1, 5))
    torch.testing.assert_close(walked.run(feeds)["scores"], before)


def test_a_run_can_begin_at_any_frontier():
    walked = Network(network())
    whole = walked.run(walked.samples({"image": images(3)}))["scores"]
    for place in range(len(walked.steps) + 1):
        frontier = walked.run(walked.samples({"image": images(3)}), steps=walked.steps[:place])
        torch.testing.assert_close(walked.run(frontier, steps=walked.steps[place:])["scores"], whole)


def test_gradients_reach_overridden_weights():
    walked = Network(network())
    weight = walked.constants["w0"].clone().requires_grad_()
    walked.run(walked.samples({"image": images(3)}), {"w0": weight})["scores"].square().sum().backward()
    assert weight.grad.abs().max() > 0


def test_alive_is_what_later_steps_read():
    walked = Network(network())
    alive, later = walked.alive(), set(walked.outputs)
    assert alive[0] == {"image"} and alive[-1] == {"scores"}
    for step, before in zip(reversed(walked.steps), reversed(alive[:-1]), strict=True):
        later = (later - set(step.outputs)) | {name for name in step.inputs if name is not None and name not in walked.constants}
        assert before == later


def test_an_unknown_operator_is_named_with_its_node():
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) { [odd] y = Acos (x) }')
    with pytest.raises(UnsupportedOperator, match="node 'odd': operator Acos"):
        Network(ir.from_proto(model))
