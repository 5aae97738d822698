"""Which part of the accelerator runs which node: the array, its depthwise engine, its vector unit, or the host, and then why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import onnx_ir as ir

from spcompile.costs.fpga.tiling import fits
from spcompile.costs.fpga.work import Work, row_tiles, work_of
from spcompile.ir.constants import constant
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.ir.rewiring import sole_reader
from spcompile.targets.accelerator import Accelerator
from spcompile.verdict import Verdict

ARRAY, DEPTHWISE, VIEW, HOST = "array", "depthwise", "view", "host"
ADD, CONCAT, MAX_POOL, AVERAGE_POOL = "add", "concat", "max-pool", "average-pool"  # of the vector unit
VIEWS = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout")
NO_VECTOR_UNIT = "the accelerator has no vector unit"
OTHER_CONCAT = "the vector unit puts images side by side along their channels only"


@dataclass(frozen=True)
class Step:
    """One node with what follows it in the same pass. `layer` of what multiplies by weights; `why` of host steps."""

    unit: str
    name: str  # of the node
    op_type: str
    inputs: tuple[str, ...]  # activations, no constants
    outputs: tuple[str, ...]
    nodes: tuple[str, ...]  # all nodes that the step stands for
    layer: Layer | None = None
    why: str = ""
    limits: tuple[float | None, float | None] = (None, None)  # least and most of the results, by the activation that follows

    @property
    def macs(self) -> int:
        """Of the dense layer; 0 of what is none."""
        return self.layer.macs if self.layer is not None else 0


def partition(model: ir.Model, target: Accelerator) -> tuple[Step, ...]:
    """Every node of a prepared model, in graph order."""
    layers = {layer.name: layer for layer in find_layers(model)}
    steps, done = [], set()
    for node in model.graph:
        if node.name not in done:
            steps.append(_step(node, layers.get(node.name), target))
            done.update(steps[-1].nodes)
    return _without_detours(steps)


def _without_detours(steps: list[Step]) -> tuple[Step, ...]:
    """The host's own numbers stay what they are: a view that neither takes nor hands on the accelerator's would round them for nothing."""
    made, read = ({name for step in steps if step.unit not in (HOST, VIEW) for name in getattr(step, names)} for names in ("outputs", "inputs"))
    views = [step for step in steps if step.unit == VIEW]
    for step in views:
        made.update(step.outputs if made & {*step.inputs} else ())
    for step in reversed(views):
        read.update(step.inputs if read & {*step.outputs} else ())
    detours = {step.name for step in views if not made & {*step.inputs} and not read & {*step.outputs}}
    return tuple(replace(step, unit=HOST, why="the host makes and reads these numbers") if step.name in detours else step for step in steps)


def shapes(model: ir.Model) -> dict[str, tuple[int, ...]]:
    """Of every activation."""
    values = [*model.graph.inputs, *(value for node in model.graph for value in node.outputs)]
    return {value.name: tuple(value.shape.numpy()) for value in values if value.shape is not None}


def dense_work(layer: Layer, known: Mapping[str, tuple[int, ...]], target: Accelerator) -> Work:
    """Of a layer with every weight stored."""
    rows = layer.rows // layer.groups
    return work_of(layer, known[layer.input], known[layer.output], rows, 1, (1,) * row_tiles(rows, target))


def pooling_work(node: ir.Node) -> tuple[Work, tuple[int, int]]:
    """Of a MaxPool: windows of one channel each; and its padding, top and left."""
    source, result = (tuple(value.shape.numpy()) for value in (node.inputs[0], node.outputs[0]))
    kernel, strides, dilations = (tuple(node.attributes.get_ints(name, (1, 1))) for name in ("kernel_shape", "strides", "dilations"))
    work = Work(1, math.prod(kernel), 1, (1,), source[2:], result[2:], 1, kernel, strides, dilations, source[0] * source[1])
    return work, tuple(node.attributes.get_ints("pads", (0, 0, 0, 0))[:2])


def host_bytes(step: Step, known: Mapping[str, tuple[int, ...]]) -> int:
    """fp32 numbers that a host step reads and writes."""
    return 4 * sum(math.prod(known.get(name, ())) for name in (*step.inputs, *step.outputs))


def _step(node: ir.Node, layer: Layer | None, target: Accelerator) -> Step:
    unit, refusal = _unit(node, layer, target)
    if not refusal:
        inputs = tuple(dict.fromkeys(value.name for value in node.inputs if value is not None and constant(value) is None))
        return Step(HOST, node.name, node.op_type, inputs, tuple(value.name for value in node.outputs), (node.name,), layer, refusal.reason)
    absorbed = _absorbed(node, layer, unit)
    inputs = tuple(value.name for value in node.inputs if value is not None and constant(value) is None)
    outputs = (absorbed[-1].outputs[0].name,)
    return Step(unit, node.name, node.op_type, inputs, outputs, tuple(member.name for member in absorbed), layer, limits=_limits(absorbed[-1]))


def _unit(node: ir.Node, layer: Layer | None, target: Accelerator) -> tuple[str, Verdict]:
    if layer is not None:
        return (DEPTHWISE, _depthwise(layer, target)) if layer.depthwise else (ARRAY, fits(dense_work(layer, _around(node), target), target))
    if node.op_type in VIEWS:
        return VIEW, _moves_nothing(node)
    if node.op_type in VECTOR:
        unit, able = VECTOR[node.op_type]
        return unit, able(node) if target.vector_lanes else Verdict.no(NO_VECTOR_UNIT)
    return HOST, Verdict.no(f"{node.op_type} is none of the accelerator's operations")


def _around(node: ir.Node) -> dict[str, tuple[int, ...]]:
    return {value.name: tuple(value.shape.numpy()) for value in (node.inputs[0], node.outputs[0])}


def _depthwise(layer: Layer, target: Accelerator) -> Verdict:
    if layer.rows != layer.groups:
        return Verdict.no(f"{layer.rows // layer.groups} out channels for each in channel: the depthwise engine makes one")
    return Verdict.yes() if target.depthwise_macs_per_cycle else Verdict.no("the accelerator has no engine for depthwise layers")


def _plain_addition(node: ir.Node) -> Verdict:
    known = [constant(value) is None and tuple(value.shape.numpy()) == tuple(node.outputs[0].shape.numpy()) for value in node.inputs]
    return Verdict.yes() if all(known) else Verdict.no("the vector unit adds two activations of one shape")


def _channels_side_by_side(node: ir.Node) -> Verdict:
    computed = all(constant(value) is None for value in node.inputs)
    return Verdict.yes() if computed and len(node.outputs[0].shape) == 4 and node.attributes.get_int("axis") in (1, -3) else Verdict.no(OTHER_CONCAT)


def _whole_image(node: ir.Node) -> Verdict:
    source, result = (tuple(value.shape.numpy()) for value in (node.inputs[0], node.outputs[0]))
    image = len(source) == 4 and math.prod(result) == source[0] * source[1] and not any(node.attributes.get_ints("pads", ()))
    if node.op_type == "AveragePool":
        image = image and tuple(node.attributes.get_ints("kernel_shape")) == source[2:] and set(node.attributes.get_ints("dilations", ())) <= {1}
    axes = constant(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] is not None else None
    spatial = node.op_type != "ReduceMean" or sorted(int(axis) % 4 for axis in (axes if axes is not None else node.attributes.get_ints("axes", ()))) == [2, 3]
    return Verdict.yes() if image and spatial else Verdict.no("the vector unit averages whole images only")


def _moves_nothing(node: ir.Node) -> Verdict:
    """Channels-last and channels-first are one order where only one size exceeds 1. Whole numbers (ids, masks) never were the accelerator's."""
    if node.inputs[0].dtype != ir.DataType.FLOAT:
        return Verdict.no(f"{node.op_type} moves {node.inputs[0].dtype.name.lower()} numbers, the accelerator holds none")
    sizes = [size for size in node.inputs[0].shape.numpy() if size > 1] if node.inputs[0].shape is not None else [2, 2]
    still = len(sizes) <= 1 or node.op_type in ("Identity", "Dropout")
    return Verdict.yes() if still and len(node.outputs) == 1 else Verdict.no(f"{node.op_type} changes the order of an image that lies channels last")


def _absorbed(node: ir.Node, layer: Layer | None, unit: str) -> list[ir.Node]:
    """The node; the Add of a MatMul's bias; a Relu, or a Clip from 0, which int8 outputs that start at 0 do by themselves and bf16 ones by their limits."""
    found = [node]
    if unit not in (ARRAY, DEPTHWISE, ADD):
        return found
    if layer is not None and layer.op_type == "MatMul" and layer.bias is not None:
        found.append(node.outputs[0].consumers()[0])
    reader = sole_reader(found[-1].outputs[0])
    if reader is not None and _rectifies(reader):
        found.append(reader)
    return found


VECTOR = {  # operator -> its unit, and whether a node of it will do
    "Add": (ADD, _plain_addition),
    "Concat": (CONCAT, _channels_side_by_side),
    "MaxPool": (MAX_POOL, lambda node: Verdict.yes()),
    **dict.fromkeys(("GlobalAveragePool", "AveragePool", "ReduceMean"), (AVERAGE_POOL, _whole_image)),
}


def _rectifies(node: ir.Node) -> bool:
    return _limits(node)[0] == 0.0


def _limits(node: ir.Node) -> tuple[float | None, float | None]:
    if node.op_type == "Relu":
        return 0.0, None
    if node.op_type != "Clip":
        return None, None
    values = [*node.inputs[1:3], None, None][:2]
    found = [constant(value) if value is not None else None for value in values]
    return tuple(float(limit.item()) if limit is not None and limit.size == 1 else None for limit in found)
