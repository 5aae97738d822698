"""The user's own training of a torch module, between pruning and compiling."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from spcompile.errors import ModelError, PatternError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, weight
from spcompile.plan import Plan
from spcompile.pruning import Pruned

Hook = Callable[..., object]  # finetune(module, masks, plan); what it returns is not looked at
CLOSE = 1e-3  # relative: folded weights are rounded once more than the module's


def finetune(module, dense: ir.Model, pruned: Pruned, plan: Plan | None, hook: Hook) -> None:
    """Load the pruned weights into `module`, call `hook(module, masks, plan)`, and prove that every zero is still exactly zero.

    module: the `torch.nn.Module` that `dense`, prepared, was exported from. masks: bool tensors by parameter name, True keeps, in the parameter's shape.
    The module is changed in place; when anything fails it gets its old state back. Raises ModelError for a layer that is no parameter of the module
    or a weight that is not finite afterwards, PatternError when the hook has revived pruned weights.
    """
    import torch

    before = {name: value.detach().clone() for name, value in module.state_dict().items()}
    try:
        ties = _ties(module, dense, pruned)
        with torch.no_grad():
            _load(module, dense, pruned, ties)
        pruned_ties = [tie for tie in ties if tie.layer.name in pruned.masks]
        masks = {tie.parameter: torch.from_numpy(tie.from_matrix(pruned.masks[tie.layer.name])) for tie in pruned_ties}
        hook(module, masks, plan)
        for tie in pruned_ties:
            _prove(tie, _parameters(module)[tie.parameter], masks[tie.parameter])
    except BaseException:
        module.load_state_dict(before)
        raise


def finetuned(module, export: Callable[[], ir.Model], pruned: Pruned, plan: Plan | None, hook: Hook) -> Pruned:
    """`finetune`, then the trained module exported again: the same masks, new weights.

    export: gives the module, as it is when called, as a prepared model. `pruned` must come from the module as it is now.
    """
    finetune(module, export(), pruned, plan, hook)
    return replace(pruned, model=export(), notes=(*pruned.notes, "fine-tuned by the user's own hook"))


@dataclass(frozen=True)
class _Tie:
    """A layer and the module's parameter it came from. Folding a batch norm multiplies rows: exported = scale x parameter."""

    layer: Layer
    parameter: str
    transposed: bool  # the initializer is the parameter's transpose
    scale: np.ndarray  # [rows, 1]

    def from_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """[rows, columns] -> the parameter's shape."""
        array = self.layer.from_matrix(matrix)
        return np.array(array.T if self.transposed else array, order="C")  # a copy: masks are read-only


def _parameters(module) -> dict:
    return dict(module.named_parameters(remove_duplicate=False))


def _ties(module, dense: ir.Model, pruned: Pruned) -> list[_Tie]:
    """Of all layers that were pruned, and of those that were solved anew to make up for it, as far as the module has their weights as they are."""
    found = []
    for layer in find_layers(dense):
        try:
            found.append(_tie(module, dense, layer))
        except ModelError:
            if layer.name in pruned.masks:
                raise
    return found


def _tie(module, dense: ir.Model, layer: Layer) -> _Tie:
    exported, parameters = weight(dense, layer), _parameters(module)
    if layer.weight not in parameters:
        raise ModelError(f"layer '{layer.name}': its weight '{layer.weight}' is no parameter of the module; fine-tuning needs the module it was exported from")
    array, shape = parameters[layer.weight].detach().cpu().numpy(), layer.from_matrix(exported).shape
    for transposed in (False, True):
        candidate = array.T if transposed else array
        if candidate.shape == shape:
            scale = _row_scale(exported, layer.to_matrix(candidate))
            if np.abs(exported - scale * layer.to_matrix(candidate)).max() <= CLOSE * np.abs(exported).max():
                return _Tie(layer, layer.weight, transposed, scale)
    raise ModelError(f"layer '{layer.name}': the module's parameter '{layer.weight}' is not the weight that was exported; was it trained since?")


def _row_scale(exported: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The factor of each row, [rows, 1]; 1 for rows that are zero or were folded to zero."""
    power = (own * own).sum(axis=1, keepdims=True)
    scale = np.divide((exported * own).sum(axis=1, keepdims=True), power, out=np.zeros_like(power), where=power > 0)
    return np.where(scale == 0, np.float32(1), scale)


def _load(module, dense: ir.Model, pruned: Pruned, ties: list[_Tie]) -> None:
    """Pruned weights; and what biases gained, where the module has them or a batch norm that was folded into them."""
    import torch

    layers, parameters = {layer.name: layer for layer in find_layers(pruned.model)}, _parameters(module)
    for tie in ties:
        layer = layers[tie.layer.name]
        parameters[tie.parameter].copy_(torch.from_numpy(tie.from_matrix(weight(pruned.model, layer) / tie.scale)))
        if tie.layer.bias is not None:
            _shift(module, tie, bias(dense, tie.layer), bias(pruned.model, layer))


def _shift(module, tie: _Tie, before: np.ndarray, after: np.ndarray) -> None:
    """Let the module's exported bias [rows] become `after`."""
    import torch

    parameters, gained = _parameters(module), torch.from_numpy(after - before)
    own = parameters.get(tie.layer.bias)
    if own is not None and np.allclose(own.cpu().numpy(), before):
        own.add_(gained)
    elif (norm := _folded_norm(module, tie, before)) is not None:
        if norm.bias is None:
            norm.running_mean.sub_(gained / torch.from_numpy(tie.scale[:, 0]))
        else:
            norm.bias.add_(gained)


def _folded_norm(module, tie: _Tie, folded: np.ndarray):
    """The batch norm whose scale the exported rows carry and whose shift is the exported bias [rows]; None where there is none."""
    import torch

    own = _parameters(module).get(tie.parameter.removesuffix("weight") + "bias")
    for norm in module.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm) and norm.running_var is not None and norm.num_features == len(folded):
            scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
            shift = (0 if own is None else own) - norm.running_mean
            shift = shift * scale + (0 if norm.bias is None else norm.bias)
            if np.allclose(scale.cpu().numpy(), tie.scale[:, 0], CLOSE, CLOSE) and np.allclose(shift.cpu().numpy(), folded, CLOSE, CLOSE):
                return norm
    return None


def _prove(tie: _Tie, parameter, mask) -> None:
    value = parameter.detach().cpu()
    if not value.isfinite().all():
        raise ModelError(f"fine-tuning left NaN or infinity in layer '{tie.layer.name}' (parameter '{tie.parameter}')")
    revived = int((value[~mask] != 0).sum())
    if revived:
        raise PatternError(
            f"fine-tuning revived {revived} of {int((~mask).sum())} pruned weights of layer '{tie.layer.name}'; "
            f"multiply parameter '{tie.parameter}' by its mask after every step of the optimizer"
        )
