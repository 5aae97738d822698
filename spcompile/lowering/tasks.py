"""Nodes grouped into tasks: an anchor and the elementwise nodes that can run while its result is still in registers.

A task leaves exactly one value. `expression` runs over operand 0 = the anchor's raw result (or the first input of a task that is
elementwise from the start) and operands 1... = `operands`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import onnx_ir as ir

from spcompile.kernels.expression import ACCUMULATOR, Expression, constant, operand, operations, substitute
from spcompile.lowering.elementwise_ops import expression_of, scalar_of

IMAGE_ANCHORS = ("Conv", "AveragePool", "MaxPool")
EPILOGUE_ANCHORS = (*IMAGE_ANCHORS, "Gemm", "MatMul")
MOST_OPERATIONS = 120  # in one expression: a value that is used twice is computed twice


@dataclass
class Task:
    """`node` is the anchor, None where the task is elementwise from the start."""

    node: ir.Node | None
    output: ir.Value
    expression: Expression = ACCUMULATOR
    operands: list[ir.Value] = field(default_factory=list)
    absorbed: list[ir.Node] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.output)

    @property
    def row_axis(self) -> int:
        """Of an anchor's result: channels of an image, the last axis of a product."""
        return 1 if self.node.op_type in IMAGE_ANCHORS else len(self.shape) - 1

    @property
    def name(self) -> str:
        return (self.node or self.absorbed[0]).name or self.output.name


def shape_of(value: ir.Value) -> tuple[int, ...]:
    return tuple(value.shape.numpy())


Fits = Callable[[Task, ir.Value], bool]


def group(graph: ir.Graph, fits: Fits | None = None) -> list[Task]:
    """All nodes of a prepared graph as tasks, in an order in which every operand is ready.

    fits(task, value): can the kernel of the task's anchor read the value in its epilogue? `fits_epilogue` unless given.
    """
    places = {node: place for place, node in enumerate(graph)}
    outputs = set(graph.outputs)
    done: set[ir.Node] = set()
    ready = {*graph.inputs, *graph.initializers.values()}
    tasks = []
    for node in places:
        if node in done:
            continue
        task = _seed(node)
        _grow(task, places, done, ready, outputs, fits or fits_epilogue)
        done.update([node, *task.absorbed])
        ready.update(value for member in [node, *task.absorbed] for value in member.outputs)
        tasks.append(task)
    return tasks


def _seed(node: ir.Node) -> Task:
    expression = expression_of(node)
    if expression is None:
        return Task(node, node.outputs[0])
    task = Task(None, node.outputs[0], absorbed=[node])
    task.expression = _bind(task, node, expression, {})
    return task


def _grow(task: Task, places: dict[ir.Node, int], done: set, ready: set, outputs: set, fits: Fits) -> None:
    """Absorb elementwise nodes that read what there is, in the graph's order; keep the longest run that leaves one value alive."""
    if task.node is not None and task.node.op_type not in EPILOGUE_ANCHORS:
        return
    values: dict[ir.Value, Expression] = {task.output: task.expression}
    best = _snapshot(task)
    waiting = _readers(task.output)
    while waiting:
        node = min(waiting, key=places.__getitem__)
        waiting.remove(node)
        if node in done or not _joins(task, node, values, ready, fits):
            continue
        task.absorbed.append(node)
        task.expression = _bind(task, node, expression_of(node), values)
        task.output = node.outputs[0]
        values[task.output] = task.expression
        waiting |= _readers(task.output)
        if _alive(values, task, outputs) == [task.output]:
            best = _snapshot(task)
    task.output, task.expression, task.operands, task.absorbed = best


def _readers(value: ir.Value) -> set[ir.Node]:
    return {use.node for use in value.uses()}


def _snapshot(task: Task):
    return task.output, task.expression, list(task.operands), list(task.absorbed)


def _joins(task: Task, node: ir.Node, values: dict, ready: set, fits: Fits) -> bool:
    expression = expression_of(node)
    if expression is None or shape_of(node.outputs[0]) != task.shape:
        return False
    inside = {index: values[value] for index, value in enumerate(node.inputs) if value in values}
    if operations(substitute(expression, inside)) > MOST_OPERATIONS:
        return False
    others = [value for value in node.inputs if value is not None and value not in values]
    if task.node is None:
        return all(value in ready for value in others)
    return all(value in ready and fits(task, value) for value in others)


def fits_epilogue(task: Task, value: ir.Value) -> bool:
    """One number, one for each row, whole tensors: what every epilogue's strides can express."""
    if scalar_of(value) is not None:
        return True
    own, shape, row_axis = shape_of(value), task.shape, task.row_axis
    if value.dtype != ir.DataType.FLOAT:
        return False
    if own == shape:
        return True
    padded = (1,) * (len(shape) - len(own)) + own
    return padded[row_axis] == shape[row_axis] and math.prod(padded) == shape[row_axis]


def _bind(task: Task, node: ir.Node, expression: Expression, values: dict) -> Expression:
    """Express a node over the task's operands, adding new ones."""
    replacement = {}
    for index, value in enumerate(node.inputs):
        if value is None:
            continue
        if value in values:
            replacement[index] = values[value]
        elif (number := scalar_of(value)) is not None:
            replacement[index] = constant(number)
        else:
            replacement[index] = operand(_slot(task, value))
    return substitute(expression, replacement)


def _slot(task: Task, value: ir.Value) -> int:
    if value not in task.operands:
        task.operands.append(value)
    first = 0 if task.node is None else 1
    return task.operands.index(value) + first


def _alive(values: dict, task: Task, outputs: set) -> list[ir.Value]:
    inside = {task.node, *task.absorbed}
    return [value for value in values if value in outputs or any(user not in inside for user, _ in value.uses())]
