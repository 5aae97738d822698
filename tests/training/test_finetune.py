"""The hook's contract: pruned weights go in, masks come back intact or the module is as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from spcompile.errors import ModelError, PatternError
from spcompile.ir.frontend import load
from spcompile.ir.layers import find_layers, weight
from spcompile.ir.session import run
from spcompile.passes import prepare
from spcompile.patterns import parse_choice
from spcompile.pruning import calibration_from, prune
from spcompile.training import finetune, finetuned


class Small(nn.Module):
    """A folded batch norm, a square linear layer (whose transpose has the same shape) and one without bias."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.square, self.head = nn.Linear(8, 8), nn.Linear(8, 4, bias=False)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.head(torch.relu(self.square(x)))


@pytest.fixture
def case():
    torch.manual_seed(0)
    module = Small()
    for _ in range(5):
        module(torch.randn(16, 3, 8, 8) * 2 + 1)  # gives the batch norm something to fold
    nn.init.uniform_(module.norm.weight, 0.5, 2)
    module.eval()
    dense = prepare(load(module, example_inputs=(torch.randn(1, 3, 8, 8),)))
    choice = parse_choice("unstructured@0.5")
    x = np.random.default_rng(0).standard_normal((64, 3, 8, 8)).astype(np.float32)
    choices = {layer.name: choice for layer in find_layers(dense)}
    assert {layer.weight for layer in find_layers(dense)} == {"conv.weight", "square.weight", "head.weight"}
    return module, dense, prune(dense, choices, calibration_from(x, dense)), x


def test_the_hook_gets_pruned_weights_masks_and_plan(case):
    module, dense, pruned, x = case
    seen = {}

    def hook(model, masks, plan):
        seen.update(masks=masks, plan=plan, scores=model(torch.from_numpy(x)).detach().numpy())
        assert all(not dict(model.named_parameters())[name][~mask].any() for name, mask in masks.items())

    finetune(module, dense, pruned, "the plan", hook)
    assert seen["plan"] == "the plan"
    assert {name: (mask.dtype, mask.shape) for name, mask in seen["masks"].items()} == {
        name: (torch.bool, dict(module.named_parameters())[name].shape) for name in ("conv.weight", "square.weight", "head.weight")
    }
    exported = prepare(load(module, example_inputs=(torch.randn(1, 3, 8, 8),)))
    for layer in find_layers(exported):
        other = next(other for other in find_layers(pruned.model) if other.name == layer.name)
        np.testing.assert_allclose(weight(exported, layer), weight(pruned.model, other), rtol=1e-3, atol=1e-4)
    corrected = run(pruned.model, {pruned.model.graph.inputs[0].name: x})[pruned.model.graph.outputs[0].name]
    np.testing.assert_allclose(seen["scores"], corrected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("affine", [True, False])
def test_layers_that_stay_dense_and_folded_biases_arrive_too(affine):
    """They were solved anew to make up for what the pruned layer lost."""
    torch.manual_seed(0)
    module = Small()
    module.norm = nn.BatchNorm2d(8, affine=affine)
    for _ in range(5):
        module(torch.randn(16, 3, 8, 8) * 2 + 1)
    module.eval()
    dense = prepare(load(module, example_inputs=(torch.randn(1, 3, 8, 8),)))
    x = np.random.default_rng(0).standard_normal((64, 3, 8, 8)).astype(np.float32)
    conv = next(layer.name for layer in find_layers(dense) if layer.weight == "conv.weight")
    pruned = prune(dense, {conv: parse_choice("unstructured@0.8")}, calibration_from(x, dense))
    found = {}
    finetune(module, dense, pruned, None, lambda model, masks, plan: found.update(masks=masks, scores=model(torch.from_numpy(x)).detach().numpy()))
    assert list(found["masks"]) == ["conv.weight"]
    expected = run(pruned.model, {pruned.model.graph.inputs[0].name: x})[pruned.model.graph.outputs[0].name]
    np.testing.assert_allclose(found["scores"], expected, rtol=1e-3, atol=1e-4)


def test_the_trained_module_comes_back_as_a_model(case):
    module, dense, pruned, _ = case

    def hook(model, masks, plan):
        model.head.weight.data *= 2

    trained = finetuned(module, lambda: prepare(load(module, example_inputs=(torch.randn(1, 3, 8, 8),))), pruned, None, hook)
    assert trained.masks is pruned.masks and trained.notes[-1] == "fine-tuned by the user's own hook"
    before, after = ({layer.name: weight(model, layer) for layer in find_layers(model)} for model in (pruned.model, trained.model))
    assert before.keys() == after.keys()
    for name, mask in trained.masks.items():
        assert not after[name][~mask].any()
    head = next(layer.name for layer in find_layers(dense) if layer.weight == "head.weight")
    np.testing.assert_allclose(after[head], 2 * before[head], rtol=1e-5)


def test_training_under_masks_passes(case):
    module, dense, pruned, x = case

    def hook(model, masks, plan):
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.from_numpy(x)).square().mean().backward()
            optimizer.step()
            for name, mask in masks.items():
                dict(model.named_parameters())[name].data.mul_(mask)

    before = module.square.weight.detach().clone()
    finetune(module, dense, pruned, None, hook)
    assert not torch.equal(before, module.square.weight) and (module.square.weight == 0).float().mean() == 0.5


def _revive(model, masks, plan):
    model.square.weight.data += 1e-6


def _explode(model, masks, plan):
    model.head.weight.data[masks["head.weight"]] = float("nan")


def _fail(model, masks, plan):
    model.conv.weight.data.zero_()
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("hook", "error", "message"),
    [
        (_revive, PatternError, r"revived 32 of 32 pruned weights of layer '.*'; multiply parameter 'square.weight'"),
        (_explode, ModelError, r"NaN or infinity in layer '.*' \(parameter 'head.weight'\)"),
        (_fail, KeyboardInterrupt, None),
    ],
)
def test_what_goes_wrong_is_named_and_undone(case, hook, error, message):
    module, dense, pruned, _ = case
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(error, match=message):
        finetune(module, dense, pruned, None, hook)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_another_module_is_refused(case):
    _, dense, pruned, _ = case
    with pytest.raises(ModelError, match="was it trained since"):
        finetune(Small(), dense, pruned, None, _revive)
    with pytest.raises(ModelError, match="is no parameter of the module"):
        finetune(nn.Linear(2, 2), dense, pruned, None, _revive)
