"""Where in a torch module each layer's weight and bias are."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from spcompile.errors import ModelError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import bias, find_layers, weight

CLOSE = 1e-3  # relative: folded weights are rounded once more than the module's


@dataclass(frozen=True)
class Tie:
    """A layer and the module's tensor that its weight came from. Folding a batch norm multiplies rows: exported = scale x own."""

    layer: Layer
    name: str  # of the parameter, or buffer
    transposed: bool  # it is [columns, rows]
    scale: np.ndarray  # [rows]
    bias: torch.nn.Parameter | None  # the layer's own
    norm: _BatchNorm | None  # the one that was folded into the layer

    def to_matrix(self, tensor: torch.Tensor) -> np.ndarray:
        """[rows, columns] of a tensor of the parameter's shape."""
        return _matrix(self.layer, tensor, self.transposed)

    def to_tensor(self, matrix: np.ndarray, shape: torch.Size) -> torch.Tensor:
        """Its inverse; a copy."""
        array = matrix.T if self.transposed else self.layer.from_matrix(matrix) if self.layer.op_type == "Conv" else matrix
        return torch.from_numpy(np.array(array, order="C").reshape(shape))

    def unscaled(self, exported: np.ndarray, own: np.ndarray) -> np.ndarray:
        """[rows, ...] as exported -> as the module has it. Rows that were folded to zero stay its own."""
        scale = self.scale.reshape(-1, *(1,) * (own.ndim - 1))
        return np.divide(exported, scale, out=own.copy(), where=scale != 0)

    @property
    def folded_bias(self) -> torch.Tensor:
        """What exporting makes of the layer's bias and its norm's, [rows]; there must be a norm."""
        return _folded(self.norm, self.bias)


def tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers, by all their names."""
    return {**dict(module.named_buffers(remove_duplicate=False)), **dict(module.named_parameters(remove_duplicate=False))}


def find_ties(module: torch.nn.Module, export: Callable[[], ir.Model]) -> tuple[Tie, ...]:
    """Of all layers, in their order. The module is as it was afterwards.

    export: gives the module, as it is when called, as a prepared model. Tensors are known by their contents: exporting leaves names to few of them.
    Raises ModelError for a layer whose weight the module does not hold, and for layers that are pruned apart and are one parameter there.
    """
    with _told_apart(module):
        model = export()
        ties = tuple(_tie(module, model, layer) for layer in find_layers(model))
    users: dict[int, list[Tie]] = {}
    for tie in ties:
        users.setdefault(id(tensors(module)[tie.name]), []).append(tie)
    for shared in users.values():
        if len({tie.layer.weight for tie in shared}) > 1:
            names = ", ".join(f"'{tie.layer.name}'" for tie in shared)
            raise ModelError(
                f"layers {names} have one parameter of the module, '{shared[0].name}', and would be pruned each by itself, to zeros that one parameter "
                "cannot hold; give each a parameter of its own, or leave finetune out"
            )
    return ties


@contextmanager
def _told_apart(module: torch.nn.Module) -> Iterator[None]:
    """Copies of one block are equal at first, and so are all biases that begin as zeros: they hold random numbers meanwhile. What scales rows stays."""
    changed = [tensor for part in module.modules() for tensor in _without_scales(part)]
    before, random = [tensor.detach().clone() for tensor in changed], torch.Generator().manual_seed(0)
    try:
        _write(changed, (torch.randn(tensor.shape, generator=random) for tensor in changed))
        yield
    finally:
        _write(changed, before)


@torch.no_grad()
def _write(changed: Iterable[torch.Tensor], values: Iterable[torch.Tensor]) -> None:
    for tensor, value in zip(changed, values, strict=True):
        tensor.copy_(value)


def _without_scales(part: torch.nn.Module) -> list[torch.Tensor]:
    """Its own tensors but those that may scale rows: a norm's weight, its variance, the scale of a residual. These are vectors."""
    own = dict(part.named_parameters(recurse=False))
    if not isinstance(part, (torch.nn.Linear, _ConvNd)):
        own = {name: tensor for name, tensor in own.items() if name.endswith("bias") or sum(size > 1 for size in tensor.shape) > 1}
    return [*own.values(), *(buffer for name, buffer in part.named_buffers(recurse=False) if name == "running_mean")]


def _tie(module: torch.nn.Module, model: ir.Model, layer: Layer) -> Tie:
    exported, found = weight(model, layer), []
    for name, tensor in tensors(module).items():
        if tensor.dtype == torch.float32 and tensor.numel() == exported.size and _is_used_as_it_is(module, name):
            scales = ((transposed, _row_scale(exported, _matrix(layer, tensor, transposed))) for transposed in (False, layer.op_type != "Conv"))
            found += [(name, transposed, scale) for transposed, scale in scales if scale is not None]
    if not found:
        raise ModelError(
            f"layer '{layer.name}': its weight is no parameter of the module, nor one's transpose, but computed or constant, so finetune cannot keep "
            "zeros in it; make it a parameter (of a weight norm: torch.nn.utils.parametrize.remove_parametrizations), or leave finetune out"
        )
    name, transposed, scale = min(found, key=lambda match: (match[0] != layer.weight, np.abs(match[2] - 1).max()))
    own, norm = (None, None) if layer.bias is None else _bias(module, name, scale, bias(model, layer))
    return Tie(layer, name, transposed, scale, own, norm)


def _matrix(layer: Layer, tensor: torch.Tensor, transposed: bool) -> np.ndarray:
    array = tensor.detach().cpu().numpy()
    if transposed:
        return array.reshape(layer.columns, layer.rows).T
    return layer.to_matrix(array) if layer.op_type == "Conv" else array.reshape(layer.rows, layer.columns)


def _is_used_as_it_is(module: torch.nn.Module, name: str) -> bool:
    """Not so where a parametrization, or a hook of the older kind, computes `weight` from `weight_v`, `weight_g` and the like."""
    owner, _, own = name.rpartition(".")
    computed = vars(module.get_submodule(owner)).get(own.rpartition("_")[0])
    return ".parametrizations." not in f".{name}" and not isinstance(computed, torch.Tensor)


def _row_scale(exported: np.ndarray, own: np.ndarray) -> np.ndarray | None:
    """[rows], or None where the two differ in more than that."""
    if len(own) > 1 and _row_scale(exported[:1], own[:1]) is None:  # few do not differ here already
        return None
    power = (own * own).sum(axis=1)
    scale = np.divide((exported * own).sum(axis=1), power, out=np.zeros_like(power), where=power > 0)
    return scale if np.abs(exported - scale[:, None] * own).max() <= CLOSE * np.abs(exported).max() else None


def _bias(module: torch.nn.Module, weight_name: str, scale: np.ndarray, exported: np.ndarray) -> tuple[torch.nn.Parameter | None, _BatchNorm | None]:
    """The layer's own bias, and the norm that was folded into it; None for what there is not."""
    vectors = {name: vector for name, vector in module.named_parameters(remove_duplicate=False) if vector.shape == exported.shape}
    for vector in vectors.values():
        if _close(vector.detach().cpu() * torch.from_numpy(scale), exported):
            return vector, None
    own = vectors.get(weight_name.removesuffix("weight") + "bias")
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.running_var is not None and part.num_features == len(exported)]
    return next(((own, norm) for norm in norms if _close(_folded(norm, own), exported)), (None, None))


def _folded(norm: _BatchNorm, own: torch.Tensor | None) -> torch.Tensor:
    scale = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    return ((0 if own is None else own) - norm.running_mean) * scale + (0 if norm.bias is None else norm.bias)


def _close(own: torch.Tensor, exported: np.ndarray) -> bool:
    return np.allclose(own.detach().cpu().numpy(), exported, CLOSE, CLOSE)
