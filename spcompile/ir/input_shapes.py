"""Fixes every input of a model to one static shape, or says in one line which shape is missing."""

import re
from collections.abc import Mapping

import onnx_ir as ir

from spcompile.errors import ModelError

FIXED_BATCH = "spcompile.fixed_batch"  # metadata key: inputs whose open batch dimension was set to 1
_NOT_A_BATCH = re.compile("seq|len|time|token|height|width", re.IGNORECASE)


def fix_input_shapes(model: ir.Model, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Make every input of `model` static, in place. Values inside forget their shapes when an input changed: inference must run again.

    A shape given for one input also settles equally named dimensions of the others. A leading dimension that alone stays open is a batch
    and becomes 1, noted in `model.metadata_props[FIXED_BATCH]`. Raises ModelError naming the input, its shape and the option to give.
    """
    inputs = {value.name: value for value in model.graph.inputs if not value.is_initializer()}
    _check_tensors(inputs)
    given = {name: tuple(int(size) for size in shape) for name, shape in (input_shapes or {}).items()}
    for name, shape in given.items():
        _check_given(name, shape, inputs)
    named = _named_sizes(inputs, given)
    shapes = {name: given.get(name) or tuple(named.get(_label(dim), dim) for dim in value.shape) for name, value in inputs.items()}
    batches = tuple(name for name, shape in shapes.items() if _open_batch(shape))
    shapes.update({name: (1, *shapes[name][1:]) for name in batches})
    _check_closed(inputs, shapes)
    if batches:
        model.metadata_props[FIXED_BATCH] = ", ".join(batches)
    if any(tuple(inputs[name].shape) != shape for name, shape in shapes.items()):
        _apply(model, inputs, shapes)


def notation(shape) -> str:
    """[1, N, ?] -> "[1, N, ?]", as messages show a shape."""
    return "[" + ", ".join(str(dim) if isinstance(dim, int) else _label(dim) or "?" for dim in shape) + "]"


def _label(dim: int | ir.SymbolicDim) -> str | None:
    """The name of an open dimension; None when it has none, or one that promises nothing."""
    return None if isinstance(dim, int) or dim.value in (None, "", "?", "unk") else str(dim.value)


def _open_batch(shape: tuple) -> bool:
    if len(shape) < 2 or isinstance(shape[0], int) or not all(isinstance(dim, int) for dim in shape[1:]):
        return False
    return not _NOT_A_BATCH.search(_label(shape[0]) or "")


def _check_tensors(inputs: Mapping[str, ir.Value]) -> None:
    for name, value in inputs.items():
        if not isinstance(value.type, ir.TensorType):
            raise ModelError(f"input '{name}' is not a tensor ({value.type}); only models with tensor inputs can be compiled")
        if value.shape is None:
            raise ModelError(f"input '{name}' has no shape in the file, not even a rank; export the model again with input shapes")


def _check_given(name: str, shape: tuple[int, ...], inputs: Mapping[str, ir.Value]) -> None:
    if name not in inputs:
        known = ", ".join(f"'{other}' {notation(value.shape)}" for other, value in inputs.items())
        raise ModelError(f"the model has no input '{name}'; it has {known}")
    declared = inputs[name].shape
    if len(shape) != len(declared):
        raise ModelError(f"input '{name}' has {len(declared)} dimensions {notation(declared)}, the shape given has {len(shape)}: {notation(shape)}")
    if min(shape, default=1) < 1:
        raise ModelError(f"the shape given for input '{name}' is {notation(shape)}; every dimension must be at least 1")
    if any(isinstance(dim, int) and dim != size for dim, size in zip(declared, shape, strict=True)):
        raise ModelError(f"input '{name}' is fixed to {notation(declared)} in the file; the shape given, {notation(shape)}, does not fit it")


def _named_sizes(inputs: Mapping[str, ir.Value], given: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Sizes of named dimensions, as far as the given shapes settle them."""
    sizes: dict[str, int] = {}
    for name, shape in given.items():
        for dim, size in zip(inputs[name].shape, shape, strict=True):
            label = _label(dim)
            if label is not None and sizes.setdefault(label, size) != size:
                raise ModelError(f"dimension '{label}' is given twice, as {sizes[label]} and, in input '{name}', as {size}; it must be one number")
    return sizes


def _check_closed(inputs: Mapping[str, ir.Value], shapes: Mapping[str, tuple]) -> None:
    for name, shape in shapes.items():
        if all(isinstance(dim, int) for dim in shape):
            continue
        example = ",".join(str(dim) if isinstance(dim, int) else str(_example(shape, axis)) for axis, dim in enumerate(shape))
        raise ModelError(f"input '{name}' has open dimensions {notation(inputs[name].shape)}; give its shape, for instance --input-shape {name}={example}")


def _example(shape: tuple, axis: int) -> int:
    """A size to show in a message: 1 for a batch, 128 for tokens, 224 or 32 for pixels."""
    if axis == 0 and len(shape) > 1:
        return 1
    return 128 if len(shape) < 4 else 224


def _apply(model: ir.Model, inputs: Mapping[str, ir.Value], shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, value in inputs.items():
        value.shape = ir.Shape(shapes[name])
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for value in node.outputs:
            value.shape = None
