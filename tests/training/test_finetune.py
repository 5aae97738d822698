"""The hook's contract: pruned weights go in, masks come back intact or the module is as it was."""

import copy
from types import SimpleNamespace

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
from spcompile.training import Finetuning, finetuned
from spcompile.training.ties import find_ties

IMAGES = np.random.default_rng(0).standard_normal((64, 3, 8, 8)).astype(np.float32)


class Small(nn.Module):
    """A folded batch norm, a square linear layer (whose transpose has the same shape) and one without bias."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.square, self.head = nn.Linear(8, 8), nn.Linear(8, 4, bias=False)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x))).mean((2, 3))
        return self.head(torch.relu(self.square(x)))


def pruned_case(module: nn.Module, x: np.ndarray, sparsity: float = 0.5, only: str = "") -> SimpleNamespace:
    """`module` pruned with `x`, of which one sample is its batch; `only` layers of this operator, where one is given."""
    module.eval()

    def export():
        return prepare(load(module, example_inputs=torch.from_numpy(x[:1])))

    dense = export()
    choices = {layer.name: parse_choice(f"unstructured@{sparsity}") for layer in find_layers(dense) if only in layer.op_type}
    pruned = prune(dense, choices, calibration_from(x, dense))
    return SimpleNamespace(module=module, export=export, x=x, pruned=pruned, ties=find_ties(module, export))


def tuned(case: SimpleNamespace, hook, plan=None):
    return finetuned(case.module, case.export, case.pruned, plan, Finetuning(hook, case.ties))


def outputs(model, x: np.ndarray) -> np.ndarray:
    return run(model, {model.graph.inputs[0].name: x})[model.graph.outputs[0].name]


def small(affine: bool = True) -> nn.Module:
    """With a batch norm that has something to fold."""
    torch.manual_seed(0)
    module = Small()
    module.norm = nn.BatchNorm2d(8, affine=affine)
    for _ in range(5):
        module(torch.randn(16, 3, 8, 8) * 2 + 1)
    if affine:
        nn.init.uniform_(module.norm.weight, 0.5, 2)
    return module


@pytest.fixture(scope="module")
def small_case():
    return pruned_case(small(), IMAGES)


@pytest.fixture
def case(small_case):
    """The module is as it was afterwards, whatever a test trained."""
    before = copy.deepcopy(small_case.module.state_dict())
    yield small_case
    small_case.module.load_state_dict(before)


class Seen:
    """A hook that trains nothing and keeps what it was given."""

    def __init__(self, x):
        self.x = torch.from_numpy(x)

    def __call__(self, module, masks, plan):
        parameters = dict(module.named_parameters())
        assert all(not parameters[name][~mask].any() for name, mask in masks.items())
        self.masks, self.plan, self.scores = masks, plan, module(self.x).detach().numpy()


def test_the_hook_gets_pruned_weights_masks_and_plan(case):
    seen = Seen(case.x)
    trained = tuned(case, seen, "the plan")
    assert seen.plan == "the plan"
    assert {name: (mask.dtype, mask.shape) for name, mask in seen.masks.items()} == {
        name: (torch.bool, dict(case.module.named_parameters())[name].shape) for name in ("conv.weight", "square.weight", "head.weight")
    }
    for layer in find_layers(trained.model):
        other = next(other for other in find_layers(case.pruned.model) if other.name == layer.name)
        np.testing.assert_allclose(weight(trained.model, layer), weight(case.pruned.model, other), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(seen.scores, outputs(case.pruned.model, case.x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("affine", [True, False])
def test_layers_that_stay_dense_and_folded_biases_arrive_too(affine):
    """They were solved anew to make up for what the pruned layer lost."""
    case, seen = pruned_case(small(affine), IMAGES, 0.8, only="Conv"), Seen(IMAGES)
    tuned(case, seen)
    assert list(seen.masks) == ["conv.weight"]
    np.testing.assert_allclose(seen.scores, outputs(case.pruned.model, case.x), rtol=1e-3, atol=1e-4)


class Tokens(nn.Module):
    """Layers of three dimensions, of which exporting keeps the transposes: projections in one, their biases apart from them; and copies of one block."""

    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8), nn.ReLU())
        self.attend, self.blocks = nn.MultiheadAttention(8, 2, batch_first=True), nn.Sequential(*(copy.deepcopy(block) for _ in range(3)))
        self.out = nn.Parameter(torch.randn(8, 5))

    def forward(self, x):
        x = self.blocks(x + self.attend(x, x, x, need_weights=False)[0])
        return nn.functional.linear(x, self.out.t())


class Fresh(nn.Sequential):
    """Batch norms that are all alike until they are trained, and one that lets nothing of two channels through."""

    def __init__(self):
        first, second = nn.Conv2d(3, 8, 3, bias=False), nn.Conv2d(8, 8, 3, bias=False)
        super().__init__(first, nn.BatchNorm2d(8), nn.ReLU(), second, nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 1))
        nn.init.zeros_(self[4].weight[:2])
        for norm in (self[1], self[4]):
            nn.init.constant_(norm.bias, 0.5)


class Again(nn.Module):
    """One layer twice; and weights that are a buffer, which nobody trains."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Linear(8, 8)
        self.register_buffer("fixed", torch.randn(8, 8))

    def forward(self, x):
        return self.twice(torch.relu(self.twice(x @ self.fixed)))


@pytest.mark.parametrize(
    ("module", "shape", "masked"),
    [
        (Tokens, (6, 8), {"attend.in_proj_weight", "attend.out_proj.weight", "blocks.0.1.weight", "blocks.1.1.weight", "blocks.2.1.weight", "out"}),
        (Fresh, (3, 8, 8), {"0.weight", "3.weight", "7.weight"}),
        (Again, (6, 8), {"twice.weight"}),
    ],
)
def test_weights_are_found_by_what_they_hold_and_layers_keep_their_names(module, shape, masked):
    """Training makes differ what was equal, and was one constant of the exported graph."""
    torch.manual_seed(0)
    x = np.random.default_rng(1).standard_normal((32, *shape)).astype(np.float32)
    case, seen = pruned_case(module(), x), Seen(x)

    def hook(module, masks, plan):
        seen(module, masks, plan)
        module.train()(torch.randn(8, *shape) * 3 + 1)  # only running statistics move
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.add_(torch.randn_like(parameter) / 4).mul_(masks.get(name, torch.tensor(1)))

    trained = tuned(case, hook)
    assert seen.masks.keys() == masked
    before, after = ({layer.name: weight(model, layer) for layer in find_layers(model)} for model in (case.pruned.model, trained.model))
    assert list(before) == list(after)
    assert all(not after[name][~mask].any() and after[name][mask].any() for name, mask in trained.masks.items())
    names = [node.name for node in trained.model.graph]
    assert len(set(names)) == len(names)
    with torch.no_grad():
        np.testing.assert_allclose(outputs(trained.model, x), case.module.eval()(torch.from_numpy(x)).numpy(), rtol=1e-3, atol=1e-4)


def test_what_biases_gained_goes_to_the_right_one_of_equal_norms():
    torch.manual_seed(0)
    case, seen = pruned_case(Fresh(), IMAGES, 0.8), Seen(IMAGES)
    tuned(case, seen)
    np.testing.assert_allclose(seen.scores, outputs(case.pruned.model, IMAGES), rtol=1e-3, atol=1e-3)


def test_the_trained_module_comes_back_as_a_model(case):
    def hook(model, masks, plan):
        model.head.weight.data *= 2

    trained = tuned(case, hook)
    assert trained.masks is case.pruned.masks and trained.notes[-1] == "fine-tuned by the user's own hook"
    before, after = ({layer.name: weight(model, layer) for layer in find_layers(model)} for model in (case.pruned.model, trained.model))
    assert before.keys() == after.keys()
    for name, mask in trained.masks.items():
        assert not after[name][~mask].any()
    head = next(layer.name for layer in find_layers(case.pruned.model) if layer.weight == "head.weight")
    np.testing.assert_allclose(after[head], 2 * before[head], rtol=1e-5)


def test_training_under_masks_passes(case):
    def hook(model, masks, plan):
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.from_numpy(case.x)).square().mean().backward()
            optimizer.step()
            for name, mask in masks.items():
                dict(model.named_parameters())[name].data.mul_(mask)

    before = case.module.square.weight.detach().clone()
    tuned(case, hook)
    assert not torch.equal(before, case.module.square.weight) and (case.module.square.weight == 0).float().mean() == 0.5


def _revive(model, masks, plan):
    model.square.weight.data += 1e-6


def _explode(model, masks, plan):
    model.head.weight.data[masks["head.weight"]] = float("nan")


def _explode_bias(model, masks, plan):
    model.square.bias.data[0] = float("inf")


def _explode_norm(model, masks, plan):
    model.norm.bias.data[0] = float("nan")


def _fail(model, masks, plan):
    model.conv.weight.data.zero_()
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("hook", "error", "message"),
    [
        (_revive, PatternError, r"revived 32 of 32 pruned weights of layer '.*'; multiply parameter 'square.weight'"),
        (_explode, ModelError, "after fine-tuning, parameter 'head.weight' holds NaN or infinity"),
        (_explode_bias, ModelError, "after fine-tuning, parameter 'square.bias' holds NaN or infinity"),
        (_explode_norm, ModelError, "after fine-tuning, parameter 'norm.bias' holds NaN or infinity"),
        (_fail, KeyboardInterrupt, None),
    ],
)
def test_what_goes_wrong_is_named_and_undone(case, hook, error, message):
    before = {name: value.clone() for name, value in case.module.state_dict().items()}
    with pytest.raises(error, match=message):
        tuned(case, hook)
    assert all(torch.equal(before[name], value) for name, value in case.module.state_dict().items())


def test_a_module_that_has_other_layers_afterwards_is_refused(case):
    square = case.module.square

    def hook(model, masks, plan):
        model.square = nn.Identity()

    with pytest.raises(ModelError, match=r"needs the 3 layers that were planned, in their order; exported again the module has others \(2\)"):
        tuned(case, hook)
    case.module.square = square


class Mirror(nn.Module):
    """A layer and its transpose."""

    def __init__(self):
        super().__init__()
        self.there, self.shift = nn.Linear(8, 6), nn.Parameter(torch.zeros(8))

    def forward(self, x):
        return nn.functional.linear(torch.relu(self.there(x)), self.there.weight.t(), self.shift)


class Thrice(nn.Module):
    """One convolution whose batch norm is folded into a weight for each of its calls."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x):
        for _ in range(3):
            x = torch.relu(self.norm(self.conv(x)))
        return x


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), "its weight is no parameter of the module"),
        (lambda: nn.utils.weight_norm(nn.Conv2d(3, 4, 3)), "its weight is no parameter of the module"),
        (Thrice, "layers '.*', '.*', '.*' have one parameter of the module, 'conv.weight'"),
        (Mirror, "layers '.*', '.*' have one parameter of the module, 'there.weight'"),
    ],
    ids=["weight norm", "weight norm by a hook", "one convolution thrice", "a transpose"],
)
def test_what_cannot_be_fine_tuned_is_refused_before_it_begins(module, message):
    module = module().eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ModelError, match=message) as caught:
        Finetuning.of(module, lambda: prepare(load(module, example_inputs=torch.from_numpy(IMAGES[:1]))), _revive)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
