"""Operators that have a function of their own here; those that compute number by number are in `elementwise_ops`."""

from spcompile.lowering import shapes
from spcompile.lowering.attention import lower_gather, lower_matmul
from spcompile.lowering.pooling import lower_pool
from spcompile.lowering.reductions import lower_layer_norm, lower_reduce, lower_softmax

OPERATORS = {
    **shapes.OPERATORS,
    "AveragePool": lower_pool,
    "Gather": lower_gather,
    "GlobalAveragePool": lower_reduce,
    "GlobalMaxPool": lower_reduce,
    "LayerNormalization": lower_layer_norm,
    "LogSoftmax": lower_softmax,
    "MatMul": lower_matmul,
    "MaxPool": lower_pool,
    "ReduceL2": lower_reduce,
    "ReduceMax": lower_reduce,
    "ReduceMean": lower_reduce,
    "ReduceMin": lower_reduce,
    "ReduceSum": lower_reduce,
    "ReduceSumSquare": lower_reduce,
    "Softmax": lower_softmax,
}
