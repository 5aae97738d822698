"""Whole networks: choices obeyed, harm reduced, nothing touched that should not be."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from spcompile.errors import DataError, PatternError
from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.pruning import Admm, Calibration, Evidence, LeastSquares, Magnitude, Pruner, Random, Solver, calibration_from, prune, streams
from spcompile.pruning.sequential import BLIND
from tests.pruning.samples import images, network

HALF = parse_choice("unstructured@0.5")


def choices(model, choice=HALF):
    return {layer.name: choice for layer in find_layers(model) if choice.pattern.fits(layer)}


def distance(model, pruned, x) -> float:
    """Relative squared error of the output on inputs that were not seen."""
    dense, sparse = run(model, {"image": x})["scores"], run(pruned, {"image": x})["scores"]
    return float(((dense - sparse) ** 2).sum() / ((dense - dense.mean(0)) ** 2).sum())


@pytest.mark.parametrize("text", ["unstructured@0.5", "block4x1@0.5", "2:4", "channel@0.3"])
def test_choices_are_obeyed(text):
    model, choice = network(), parse_choice(text)
    chosen = choices(model, choice)
    pruned = prune(model, chosen, calibration_from(images(), model))
    assert pruned.masks.keys() == chosen.keys()
    for layer in find_layers(pruned.model):
        if layer.name in chosen:
            matrix = weight(pruned.model, layer)
            assert not matrix[~pruned.masks[layer.name]].any()
            assert choice.pattern.check(pruned.masks[layer.name])
            assert choice.pattern.check(matrix != 0) or text == "channel@0.3"
            assert (matrix == 0).mean() >= choice.sparsity - 0.06, "small layers round to whole channels"


def test_data_and_updates_each_reduce_the_harm():
    model = network()
    calibration, fresh = calibration_from(images(), model), images(32, seed=9)
    blind, corrected, default = (
        distance(model, prune(model, choices(model), calibration, pruner).model, fresh) for pruner in (Magnitude(), Magnitude(solver=LeastSquares()), Admm())
    )
    assert default < corrected < blind


def test_layers_without_a_choice_make_up_for_the_others():
    """Only the first layer is pruned; correcting the layers behind it brings the output closer."""
    model = network()
    calibration, chosen = calibration_from(images(), model), {"first": parse_choice("unstructured@0.8")}
    pruned = prune(model, chosen, calibration)
    assert pruned.masks.keys() == {"first"}
    alone = {layer.name: weight(pruned.model, layer) for layer in find_layers(pruned.model) if layer.name == "first"}
    from spcompile.ir.layers import bias, with_weights

    first = next(layer for layer in find_layers(pruned.model) if layer.name == "first")
    only = with_weights(model, alone, {"first": bias(pruned.model, first)})
    assert distance(model, pruned.model, images(32, seed=9)) < distance(model, only, images(32, seed=9))


def test_the_dense_model_is_left_alone():
    model = network()
    before = {name: value.const_value.numpy().copy() for name, value in model.graph.initializers.items()}
    prune(model, choices(model), calibration_from(images(), model))
    assert all(np.array_equal(model.graph.initializers[name].const_value.numpy(), array) for name, array in before.items())


def test_nothing_chosen_nothing_changed():
    model = network()
    pruned = prune(model, {}, calibration_from(images(), model))
    assert not pruned.masks
    for layer in find_layers(model):
        assert np.array_equal(weight(pruned.model, layer), weight(model, layer))


def test_without_data_magnitude_and_a_note():
    model = network()
    pruned = prune(model, choices(model))
    assert pruned.notes == (BLIND,)
    for layer in find_layers(model):
        if layer.name in pruned.masks:
            assert np.array_equal(weight(pruned.model, layer), weight(model, layer) * Magnitude().mask(Evidence(layer, weight(model, layer)), HALF))


def test_zeros_of_a_sparse_network_are_kept_and_used():
    model = network(zeros=0.6)
    pruned = prune(model, choices(model), calibration_from(images(), model))
    for layer in find_layers(model):
        assert not weight(pruned.model, layer)[weight(model, layer) == 0].any()
    assert distance(model, pruned.model, images(32, seed=9)) < 1e-6, "half of the weights could go without losing any that is not zero already"


def test_the_seed_decides():
    model = network()
    one, again, other = (prune(model, choices(model), pruner=Random(), seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(one.masks[name], again.masks[name]) for name in one.masks)
    assert any(not np.array_equal(one.masks[name], other.masks[name]) for name in one.masks)


def test_the_same_seed_gives_the_same_weights():
    model = network()
    weights = [
        [weight(pruned.model, layer) for layer in find_layers(pruned.model)]
        for pruned in (prune(model, choices(model), calibration_from(images(), model), seed=3) for _ in range(2))
    ]
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))


def test_samples_that_do_not_fit_at_first_join_later(monkeypatch):
    """With room for two samples at the input, the result is as good as with room for all."""
    model, fresh = network(), images(32, seed=9)
    plenty = distance(model, prune(model, choices(model), calibration_from(images(), model)).model, fresh)
    monkeypatch.setattr(streams, "ACTIVATION_BYTES", 2 * 2 * 3 * 8 * 144 * 4)
    seen = []
    original = streams.Streams.moments
    monkeypatch.setattr(streams.Streams, "moments", lambda self, layer, rng: (original(self, layer, rng), seen.append(len(self.dense[layer.input])))[0])
    scarce = distance(model, prune(model, choices(model), calibration_from(images(), model)).model, fresh)
    assert seen == sorted(seen) and seen[0] == 2 and seen[-1] == 32
    assert scarce < 2 * plenty + 0.01


SHARED = """
<ir_version: 10, opset_import: ["" : 18]>
tied (float[1, 16] x) => (float[1, 16] y)
{
  [one] h = MatMul (x, w)
  g = Relu (h)
  [two] y = MatMul (g, w)
}
"""


def shared() -> ir.Model:
    proto = onnx.parser.parse_model(SHARED)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.random.default_rng(0).standard_normal((16, 16)).astype(np.float32), "w"))
    return prepare(ir.from_proto(proto))


def test_layers_that_share_a_weight_are_pruned_as_one():
    model = shared()
    x = np.random.default_rng(1).standard_normal((64, 16)).astype(np.float32)
    pruned = prune(model, {"one": HALF, "two": HALF}, calibration_from(x, model))
    one, two = (weight(pruned.model, layer) for layer in find_layers(pruned.model))
    assert np.array_equal(one, two) and (one == 0).mean() == 0.5
    with pytest.raises(PatternError, match="share the weight 'w'"):
        prune(model, {"one": HALF}, calibration_from(x, model))


BRANCHES = """
<ir_version: 10, opset_import: ["" : 18]>
branches (float[1, 16] x) => (float[1, 16] y, float[1, 16] z)
{
  [near] y = MatMul (x, w)
  [first] h = MatMul (x, v)
  g = Relu (h)
  [far] z = MatMul (g, w)
}
"""


def test_a_weight_that_layers_share_stays_where_they_stay_dense():
    """One of them sees pruned inputs, the other does not: what suits one would harm the other."""
    proto, rng = onnx.parser.parse_model(BRANCHES), np.random.default_rng(0)
    proto.graph.initializer.extend(onnx.numpy_helper.from_array(rng.standard_normal((16, 16)).astype(np.float32), name) for name in "vw")
    model = prepare(ir.from_proto(proto))
    pruned = prune(model, {"first": HALF}, calibration_from(rng.standard_normal((64, 16)).astype(np.float32), model)).model
    layers = {layer.name: layer for layer in find_layers(model)}
    assert (weight(pruned, layers["first"]) == 0).mean() == 0.5
    assert all(np.array_equal(weight(pruned, layers[name]), weight(model, layers[name])) for name in ("near", "far"))


@dataclass(frozen=True)
class Torn(Pruner):
    """A user's pruner with a mistake."""

    name = "torn"

    def mask(self, evidence, choice):
        return np.arange(evidence.weight.size).reshape(evidence.weight.shape) % 3 > 0


def test_a_pruner_of_ones_own_is_held_to_the_pattern():
    model = network()
    assert prune(model, choices(model), pruner=Torn()).masks
    with pytest.raises(PatternError, match=r"pruner torn gave layer 'point' a mask that is not block4x1@0.5"):
        prune(model, choices(model, parse_choice("block4x1@0.5")), pruner=Torn())


@dataclass(frozen=True)
class Wrong(Solver):
    """A user's solver with a mistake."""

    needs_data = False
    mistake: str

    def solve(self, evidence, mask):
        new = evidence.weight * mask
        wrong = {"nan": np.where(mask, np.float32("nan"), new), "revived": evidence.weight, "double": new.astype(np.float64), "shape": new[1:]}
        return wrong[self.mistake]


@pytest.mark.parametrize("pruner", [Magnitude, Admm])
@pytest.mark.parametrize("mistake", ["nan", "revived", "double", "shape"])
def test_a_solver_of_ones_own_is_held_to_its_promise(pruner, mistake):
    model = network()
    own = pruner(solver=Wrong(mistake))
    with pytest.raises(PatternError, match=rf"the solver of pruner {own.name} gave layer 'first' weights .* that are not finite float32 \(8, 27\), zero"):
        prune(model, choices(model), calibration_from(images(), model) if own.needs_data else None, own)


def test_refusals_are_one_line():
    model = network()
    with pytest.raises(PatternError, match=r"layer 'deep' cannot be pruned to unstructured@0.5 by auto: depthwise"):
        prune(model, {"deep": HALF})
    with pytest.raises(PatternError, match="no layer is called nobody; layers are first"):
        prune(model, {"nobody": HALF})


def test_overflow_is_the_datas_fault():
    model = network()
    huge = Calibration({"image": images() * np.float32(1e30)}, "huge")
    with pytest.raises(DataError, match="layer 'first' overflow"):
        prune(model, choices(model), huge)
