"""Data for a model: arrays [N, ...] by input name, in batches of the model's own size. An input without axes has one number, for all batches."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from spcompile.errors import DataError

Arrays = Mapping[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]  # of the model's inputs, as written in the graph


def input_shapes(model: ir.Model) -> Shapes:
    return {value.name: value.shape.numpy() for value in model.graph.inputs}


def has_shape(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Is it of that shape but for N?"""
    return array.ndim == len(shape) and array.shape[1:] == shape[1:]


def length(arrays: Arrays) -> int:
    """N, the largest of them; 1 where no input has axes."""
    return max((len(array) for array in arrays.values() if array.ndim), default=1)


def whole_batches(arrays: Arrays, shapes: Shapes, source: str = "") -> int:
    """How many whole batches there are. DataError where inputs have different numbers of them."""
    counts = {name: len(arrays[name]) // shape[0] for name, shape in shapes.items() if shape}
    if len(set(counts.values())) > 1:
        raise DataError(f"{source}the inputs have different numbers of samples: {', '.join(f'{name} {len(arrays[name])}' for name in counts)}")
    return next(iter(counts.values()), 1)


def part(arrays: Arrays, shapes: Shapes, start: int, stop: int) -> dict[str, np.ndarray]:
    """Batches `start` to `stop`, without the latter."""
    return {name: arrays[name][start * shape[0] : stop * shape[0]] if shape else arrays[name] for name, shape in shapes.items()}


def batches(arrays: Arrays, shapes: Shapes) -> Iterator[dict[str, np.ndarray]]:
    """One by one."""
    return (part(arrays, shapes, at, at + 1) for at in range(whole_batches(arrays, shapes)))
