"""ONNX operators (opset 18 and newer) as torch functions, so that one mechanism runs, prunes and trains a graph.

Every entry takes the node's attributes and its inputs (torch tensors, None where an optional input is left out) and returns a tensor, or a
tuple of them. The meaning of each is the ONNX operator specification; the tests compare every entry with ONNX Runtime.
"""

from spcompile.pruning.operators.batched import BATCHED
from spcompile.pruning.operators.elementwise import ELEMENTWISE
from spcompile.pruning.operators.products import PRODUCTS
from spcompile.pruning.operators.reductions import REDUCTIONS
from spcompile.pruning.operators.shapes import SHAPES
from spcompile.pruning.operators.windows import WINDOWS

OPERATORS = {**ELEMENTWISE, **PRODUCTS, **REDUCTIONS, **SHAPES, **WINDOWS}

__all__ = ["BATCHED", "ELEMENTWISE", "OPERATORS"]
