"""Parameters are numbers."""

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from spcompile.ir.constants import constant
from spcompile.ir.finite import is_mask, require_finite
from spcompile.ir.rewiring import sole_reader
from spcompile.passes.base import Pass, nodes_of

LAYERS = ("BatchNormalization", "Conv", "ConvTranspose", "Gemm", "MatMul")  # and what is folded into them


class RequireFinite(Pass):
    """Before: any model -> after: the same model, or a ModelError that names the first weight or bias of a layer that is not finite, or other parameter
    that holds NaN. A constant that is added after a layer and holds -infinity is a mask; a single number may be NaN, where the network's code wants it.
    """

    def apply(self, model: ir.Model) -> bool:
        for value in _of_layers(model):
            require_finite(f"initializer '{value.name}'", constant(value))
        for value in model.graph.initializers.values():
            if value.uses() and _holds_nan(constant(value)):
                require_finite(f"initializer '{value.name}'", constant(value))
        return False

    def ensures(self, model: ir.Model) -> None:
        assert all(np.isfinite(constant(value)).all() for value in _of_layers(model))


def _of_layers(model: ir.Model) -> Iterator[ir.Value]:
    """Weights and biases, in graph order."""
    for node in nodes_of(model, LAYERS):
        yield from (value for value in node.inputs if constant(value) is not None)
        reader = sole_reader(node.outputs[0])
        if reader is not None and reader.op_type == "Add":
            yield from (value for value in reader.inputs if constant(value) is not None and not is_mask(constant(value)))


def _holds_nan(array: np.ndarray) -> bool:
    return array.dtype == np.float32 and array.ndim > 0 and bool(np.isnan(array).any())
