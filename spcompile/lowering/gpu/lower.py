"""From a prepared model to a program of launches for one GPU."""

import math

import onnx_ir as ir

from spcompile.errors import UnsupportedOperator
from spcompile.ir.layers import find_layers
from spcompile.kernels.gpu.kernel import GpuKernel
from spcompile.lowering import operators as cpu
from spcompile.lowering import shapes
from spcompile.lowering.emitter import DTYPES
from spcompile.lowering.gpu.emitter import Choose, GpuEmitter
from spcompile.lowering.gpu.forms import fastest
from spcompile.lowering.gpu.layers import lower_conv, lower_linear
from spcompile.lowering.gpu.products import fits_product, lower_matmul
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.lowering.gpu.rows import lower_gather, lower_layer_norm, lower_pool, lower_reduce, lower_softmax
from spcompile.lowering.memory import place
from spcompile.lowering.program import Tensor
from spcompile.lowering.refusals import check_operators, refuse_copies_of_whole_numbers
from spcompile.lowering.tasks import Task, group, shape_of
from spcompile.lowering.view import View, row_major
from spcompile.targets.gpu import Gpu

INDEXABLE = 2**31 - 1  # elements
BLOCKS_YZ = 65535  # CUDA C++ Programming Guide, technical specifications per compute capability
OPERATORS = {
    **shapes.OPERATORS,
    **{name: lower_reduce for name in cpu.OPERATORS if name.startswith(("Reduce", "Global"))},
    "AveragePool": lower_pool,
    "Gather": lower_gather,
    "LayerNormalization": lower_layer_norm,
    "LogSoftmax": lower_softmax,
    "MatMul": lower_matmul,
    "MaxPool": lower_pool,
    "Softmax": lower_softmax,
}


def lower_for_gpu(model: ir.Model, gpu: Gpu, dtype: str, choose: Choose = fastest) -> tuple[GpuProgram, dict[str, GpuKernel]]:
    """-> (program, layer -> its kernel). Kernels are chosen among those that the zeros found in the weights allow: sparse where it is predicted to pay.

    Raises UnsupportedOperator for the first node that cannot be compiled.
    """
    check_operators(model)
    graph, emitter = model.graph, GpuEmitter(gpu, dtype, choose)
    for index, value in enumerate(graph.inputs):
        shape = shape_of(value)
        buffer = emitter.buffer("input", math.prod(shape), DTYPES[value.dtype], index)
        emitter.views[value] = View(buffer, 0, shape, row_major(shape), DTYPES[value.dtype])
    layers = {layer.name: layer for layer in find_layers(model)}
    for task in group(graph, fits_product):
        emitter.node = task.name
        _lower_task(emitter, task, layers)
    for index, value in enumerate(graph.outputs):
        shape = shape_of(value)
        emitter.node = value.name
        emitter.elementwise(View(emitter.buffer("output", math.prod(shape), index=index), 0, shape, row_major(shape)), [emitter.view(value)])
    return _finish(emitter, graph), emitter.layers


def _lower_task(emitter: GpuEmitter, task: Task, layers: dict) -> None:
    node = task.node
    if node is None:
        inputs = [emitter.view(value) for value in task.operands]
        out = emitter.like(task.shape, inputs)
        emitter.elementwise(out, inputs, task.expression)
        emitter.views[task.output] = out
    elif node.name in layers:
        (lower_conv if node.op_type == "Conv" else lower_linear)(emitter, task, layers[node.name])
    else:
        OPERATORS[node.op_type](emitter, task)
        refuse_copies_of_whole_numbers(emitter, task)


def _check_sizes(emitter: GpuEmitter, workspace: int) -> None:
    """Kernels count elements in 32 bits, and CUDA takes fewer thread blocks along y and z than along x."""
    if workspace > INDEXABLE:
        raise UnsupportedOperator(f"the activations of this network take {workspace} numbers at once; code for GPUs reaches {INDEXABLE}: use a smaller batch")
    for step in emitter.steps:
        if max(step.kernel.grid[1:], default=0) > BLOCKS_YZ:
            raise UnsupportedOperator(f"node '{step.node}' takes {step.kernel.grid} thread blocks; {BLOCKS_YZ} along y and z are allowed: use a smaller batch")


def _finish(emitter: GpuEmitter, graph: ir.Graph) -> GpuProgram:
    starts, total = place(emitter.buffers, emitter.steps)
    constant_starts, constants = emitter.constant_regions()
    _check_sizes(emitter, total)
    tensors = [tuple(Tensor(value.name, shape_of(value), DTYPES[value.dtype]) for value in side) for side in (graph.inputs, graph.outputs)]
    return GpuProgram(emitter.dtype, tuple(emitter.steps), tuple(emitter.buffers), starts | constant_starts, total, constants, *tensors)
