"""Fixes every input of a model to one static shape, which those inside follow from, or says in one line which shape is missing."""

import re
from collections.abc import Mapping

import onnx_ir as ir

from spcompile.errors import ModelError
from spcompile.ir.shape_inference import infer_shapes

FIXED_BATCH = "spcompile.fixed_batch"  # metadata key: inputs whose open batch dimension was set to 1
_NOT_A_BATCH = re.compile("seq|len|time|token|height|width", re.IGNORECASE)
_NO_NAME = ("", "?", "unk", "None")  # what exporters call dimensions that have nothing to do with each other

Shape = tuple[int | str | None, ...]  # an open dimension is its name, or None


def fix_input_shapes(model: ir.Model, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Make every input of `model` static, in place. Shapes and types inside are inferred from them anew.

    A shape given for one input also settles equally named dimensions of the others. A leading dimension that alone stays open is a batch
    and becomes 1, noted in `model.metadata_props[FIXED_BATCH]`. Raises ModelError naming the input, its shape and the option to give; or a value of another
    type than its operator gives, which ONNX Runtime does not open either.
    """
    inputs = {value.name: value for value in model.graph.inputs if not value.is_initializer()}
    declared = {name: _declared(value) for name, value in inputs.items()}
    given = {name: tuple(int(size) for size in shape) for name, shape in (input_shapes or {}).items()}
    for name, shape in given.items():
        _check_given(name, shape, declared)
    named = _named_sizes(declared, given)
    shapes = {name: given.get(name, tuple(named.get(dim, dim) for dim in shape)) for name, shape in declared.items()}
    batches = tuple(name for name, shape in shapes.items() if _open_batch(shape))
    shapes.update({name: (1, *shapes[name][1:]) for name in batches})
    _check_closed(declared, shapes)
    if batches:
        model.metadata_props[FIXED_BATCH] = ", ".join(batches)
    for name, value in inputs.items():
        value.shape = ir.Shape(shapes[name])
    _infer_anew(model, keep=shapes == declared)


def notation(shape) -> str:
    """[1, N, ?], as messages show a shape; an open dimension of no name is a question mark."""
    return "[" + ", ".join("?" if dim is None else str(dim) for dim in shape) + "]"


def _declared(value: ir.Value) -> Shape:
    if not isinstance(value.type, ir.TensorType):
        raise ModelError(f"input '{value.name}' is not a tensor ({value.type}); only models with tensor inputs can be compiled")
    if value.shape is None:
        raise ModelError(f"input '{value.name}' has no shape in the file, not even a rank; export the model again with input shapes")
    names = [dim if isinstance(dim, int) else dim.value for dim in value.shape]
    return tuple(None if dim in _NO_NAME or (isinstance(dim, int) and dim < 0) else dim for dim in names)


def _is_closed(shape: Shape) -> bool:
    """A size of 0 is as good as none: there would be nothing to compute."""
    return all(isinstance(dim, int) and dim for dim in shape)


def _open_batch(shape: Shape) -> bool:
    return len(shape) > 1 and not isinstance(shape[0], int) and _is_closed(shape[1:]) and not _NOT_A_BATCH.search(shape[0] or "")


def _check_given(name: str, shape: tuple[int, ...], declared: Mapping[str, Shape]) -> None:
    if name not in declared:
        known = ", ".join(f"'{other}' {notation(dims)}" for other, dims in declared.items())
        raise ModelError(f"the model has no input '{name}'; it has {known}")
    dims = declared[name]
    if len(shape) != len(dims):
        raise ModelError(f"input '{name}' has {len(dims)} dimensions {notation(dims)}, the shape given has {len(shape)}: {notation(shape)}")
    if min(shape, default=1) < 1:
        raise ModelError(f"the shape given for input '{name}' is {notation(shape)}; every dimension must be at least 1")
    if any(isinstance(dim, int) and dim not in (0, size) for dim, size in zip(dims, shape, strict=True)):
        raise ModelError(f"input '{name}' is fixed to {notation(dims)} in the file; the shape given, {notation(shape)}, does not fit it")


def _named_sizes(declared: Mapping[str, Shape], given: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Sizes of named dimensions, as far as the given shapes settle them."""
    sizes: dict[str, int] = {}
    for name, shape in given.items():
        for dim, size in zip(declared[name], shape, strict=True):
            if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                raise ModelError(f"dimension '{dim}' is given twice, as {sizes[dim]} and, in input '{name}', as {size}; it must be one number")
    return sizes


def _check_closed(declared: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> None:
    for name, shape in shapes.items():
        if not _is_closed(shape):
            example = ",".join(str(dim if isinstance(dim, int) and dim else _example(shape, axis)) for axis, dim in enumerate(shape))
            what = "dimensions of size 0" if 0 in shape else "open dimensions"
            raise ModelError(f"input '{name}' has {what} {notation(declared[name])}; give its shape, for instance --input-shape {name}={example}")


def _example(shape: Shape, axis: int) -> int:
    """A size to show in a message: 1 for a batch, 128 for tokens, 224 for pixels."""
    if axis == 0 and len(shape) > 1:
        return 1
    return 128 if len(shape) < 4 else 224


def _infer_anew(model: ir.Model, keep: bool) -> None:
    """What the file says of values inside may stem from other inputs. `keep` it where ONNX infers nothing: of operators not its own, of loops."""
    inside = [value for node in ir.traversal.RecursiveGraphIterator(model.graph) for value in node.outputs]
    declared = [(value.type, value.shape) for value in inside]
    for value in inside:
        value.type = value.shape = None
    infer_shapes(model)
    for value, (type_, shape) in zip(inside, declared, strict=True):
        if value.type is None:
            value.type = type_
        if value.shape is None and keep:
            value.shape = shape
        if type_ is not None and value.dtype != type_.dtype:
            raise ModelError(f"'{value.name}' is declared as {type_.dtype}, {value.producer().op_type} gives {value.dtype}; export the model again")
