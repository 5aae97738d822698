"""The user's own training of a torch module, between pruning and compiling."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir
import torch

from spcompile.errors import ModelError, PatternError
from spcompile.ir.finite import require_finite
from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, weight
from spcompile.plan import Plan
from spcompile.pruning import Pruned
from spcompile.training.ties import Tie, find_ties, tensors

Hook = Callable[..., object]  # finetune(module, masks, plan); what it returns is not looked at
Export = Callable[[], ir.Model]  # gives the module, as it is when called, as a prepared model


@dataclass(frozen=True)
class Finetuning:
    """The user's function, and where in the module each layer is: known before the work begins, for what cannot be fine-tuned is refused then."""

    hook: Hook
    ties: tuple[Tie, ...]

    @classmethod
    def of(cls, module: torch.nn.Module, export: Export, hook: Hook) -> "Finetuning":
        """Raises ModelError where a layer's weight is no tensor of the module's own."""
        return cls(hook, find_ties(module, export))


def finetuned(module: torch.nn.Module, export: Export, pruned: Pruned, plan: Plan | None, finetuning: Finetuning) -> Pruned:
    """Load the pruned weights into `module`, call `hook(module, masks, plan)`, export it again and prove that every zero is still exactly zero: the same
    masks, new weights.

    masks: bool tensors by parameter name, True keeps, in the parameter's shape. `pruned` must come from the module as it is now.
    The module is changed in place; when anything fails it gets its old state back. Raises ModelError for a parameter that is not finite afterwards and
    for a module of other layers, PatternError when the hook has revived pruned weights.
    """
    layers = find_layers(pruned.model)
    before = {name: value.detach().clone() for name, value in module.state_dict().items()}
    try:
        _check_same(layers, [tie.layer for tie in finetuning.ties])
        ties = {layer.name: tie for layer, tie in zip(layers, finetuning.ties, strict=True)}
        _load(module, pruned, ties)
        finetuning.hook(module, _masks(module, pruned, ties), plan)
        for name, parameter in module.named_parameters():
            require_finite(f"after fine-tuning, parameter '{name}'", parameter.detach().float().cpu().numpy())
        model = _named_as(layers, export())
        for layer in find_layers(model):
            _prove(layer.name, ties[layer.name].name, weight(model, layer), pruned.masks.get(layer.name, np.True_))
    except BaseException:
        module.load_state_dict(before, strict=False)  # the hook may have put other parts into the module
        raise
    return replace(pruned, model=model, notes=(*pruned.notes, "fine-tuned by the user's own hook"))


def _masks(module: torch.nn.Module, pruned: Pruned, ties: dict[str, Tie]) -> dict[str, torch.Tensor]:
    """By parameter. Without those of buffers, which nobody trains."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    tied = [(ties[layer], mask) for layer, mask in pruned.masks.items() if ties[layer].name in parameters]
    return {tie.name: tie.to_tensor(mask, parameters[tie.name].shape) for tie, mask in tied}


@torch.no_grad()
def _load(module: torch.nn.Module, pruned: Pruned, ties: dict[str, Tie]) -> None:
    """Pruned weights, and others that were solved anew to make up for them; and what biases gained, where the module has them."""
    for layer in find_layers(pruned.model):
        tie = ties[layer.name]
        tensor = tensors(module)[tie.name]
        matrix = tie.unscaled(weight(pruned.model, layer), tie.to_matrix(tensor)) * pruned.masks.get(layer.name, np.True_)
        tensor.copy_(tie.to_tensor(matrix, tensor.shape))
        _shift(tie, bias(pruned.model, layer))


def _shift(tie: Tie, after: np.ndarray) -> None:
    """Let the module's exported bias [rows] become `after`."""
    if tie.norm is None:
        if tie.bias is not None:
            tie.bias.copy_(torch.from_numpy(tie.unscaled(after, tie.bias.cpu().numpy())))
        return
    gained = torch.from_numpy(after) - tie.folded_bias.cpu()
    if tie.norm.bias is None:
        tie.norm.running_mean.sub_(gained / torch.from_numpy(tie.scale))
    else:
        tie.norm.bias.add_(gained)


def _prove(layer: str, parameter: str, matrix: np.ndarray, mask: np.ndarray) -> None:
    revived = np.count_nonzero(matrix * ~mask)
    if revived:
        raise PatternError(
            f"fine-tuning revived {revived} of {np.count_nonzero(~mask)} pruned weights of layer '{layer}'; "
            f"multiply parameter '{parameter}' by its mask after every step of the optimizer"
        )


def _named_as(layers: tuple[Layer, ...], model: ir.Model) -> ir.Model:
    """Its layers by the names that plan and masks have for them: torch numbers nodes, and which constants are equal, so one node, changes in training."""
    found = find_layers(model)
    _check_same(layers, found)
    names = {own.name: layer.name for own, layer in zip(found, layers, strict=True)}
    left, wanted = names.keys() - set(names.values()), set(names.values()) - names.keys()
    names.update(zip(sorted(wanted), sorted(left), strict=True))  # other nodes of a name that is wanted get one that is left: all stay unique
    for node in model.graph:
        node.name = names.get(node.name, node.name)
    return model


def _check_same(planned: tuple[Layer, ...], found: tuple[Layer, ...]) -> None:
    sizes, others = ([(layer.rows, layer.columns, layer.groups, layer.kernel) for layer in layers] for layers in (planned, found))
    if sizes != others:
        raise ModelError(f"fine-tuning needs the {len(sizes)} layers that were planned, in their order; exported again the module has others ({len(others)})")
