"""From a prepared model to a program of kernel calls for one target."""

import math

import onnx_ir as ir

from spcompile.ir.layers import find_layers
from spcompile.ir.one_input import one_input
from spcompile.lowering.elementwise_ops import BUILDERS
from spcompile.lowering.emitter import DTYPES, Emitter
from spcompile.lowering.images import ImagePlan
from spcompile.lowering.linear import lower_conv, lower_linear
from spcompile.lowering.lowered import TIE, Lowered, repeated
from spcompile.lowering.memory import place
from spcompile.lowering.operators import OPERATORS
from spcompile.lowering.predict import Predictor
from spcompile.lowering.program import Program, Tensor
from spcompile.lowering.refusals import check_operators, refuse_copies_of_whole_numbers
from spcompile.lowering.tasks import Task, group, shape_of
from spcompile.lowering.tuning_store import Pick, user_store
from spcompile.lowering.view import View, row_major
from spcompile.targets.target import Target


def lower(model: ir.Model, target: Target, threads: int = 1, pick: Pick | None = None) -> Lowered:
    """Kernels are chosen by the zeros found in the weights: a network that is not pruned gives the dense program. Several inputs run one after the other
    where that is not predicted slower: what is alive of one fits nearer caches.

    pick: has the last word on each layer's kernel; None asks the user's tuning store.
    Raises UnsupportedOperator for the first node that cannot be compiled.
    """
    check_operators(model)
    pick = pick or user_store().pick(target, threads)
    together, single = lower_together(model, target, threads, pick), one_input(model, frozenset(BUILDERS))
    if single is None:
        return together
    apart = repeated(lower_together(single, target, threads, pick), together.program.inputs, together.program.outputs)
    apart_s, together_s = (Predictor(lowered, target, threads).total.expected_s for lowered in (apart, together))
    return apart if apart_s <= TIE * together_s else together


def lower_together(model: ir.Model, target: Target, threads: int, pick: Pick) -> Lowered:
    """Each step does all inputs of a batch."""
    graph = model.graph
    tasks = group(graph)
    emitter = Emitter(target, threads, ImagePlan(tasks, target.lanes_fp32), pick)
    for index, value in enumerate(graph.inputs):
        shape = shape_of(value)
        buffer = emitter.buffer("input", math.prod(shape), DTYPES[value.dtype], index)
        emitter.views[value] = View(buffer, 0, shape, row_major(shape), DTYPES[value.dtype])
    layers = {layer.name: layer for layer in find_layers(model)}
    for task in tasks:
        emitter.node = task.name
        _lower_task(emitter, task, layers)
    for index, value in enumerate(graph.outputs):
        shape = shape_of(value)
        out = View(emitter.buffer("output", math.prod(shape), index=index), 0, shape, row_major(shape))
        emitter.node = value.name
        emitter.elementwise(out, [emitter.view(value)])
    return Lowered(_finish(emitter, graph), emitter.sites, model)


def _lower_task(emitter: Emitter, task: Task, layers: dict) -> None:
    node = task.node
    if node is None:
        _lower_elementwise(emitter, task)
    elif node.name in layers:
        (lower_conv if node.op_type == "Conv" else lower_linear)(emitter, task, layers[node.name])
    else:
        OPERATORS[node.op_type](emitter, task)
        refuse_copies_of_whole_numbers(emitter, task)


def _lower_elementwise(emitter: Emitter, task: Task) -> None:
    inputs = [emitter.view(value) for value in task.operands]
    image = emitter.plan.images.get(task.output)
    if image is None:
        out = emitter.like(task.shape, inputs)
        emitter.elementwise(out, inputs, task.expression)
    else:
        out = emitter.image_view(image)
        emitter.elementwise(out, inputs, task.expression)
        emitter.border(image, out, columns=True)
    emitter.views[task.output] = out


def _finish(emitter: Emitter, graph: ir.Graph) -> Program:
    starts, total = place(emitter.buffers, emitter.steps)
    constant_starts, constants = emitter.constant_regions()
    return Program(
        tuple(emitter.steps),
        tuple(emitter.buffers),
        starts | constant_starts,
        total,
        constants["values"],
        constants["indices"],
        tuple(_tensor(value) for value in graph.inputs),
        tuple(_tensor(value) for value in graph.outputs),
    )


def _tensor(value: ir.Value) -> Tensor:
    return Tensor(value.name, shape_of(value), DTYPES[value.dtype])
