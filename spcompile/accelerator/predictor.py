"""What a layer would take on the accelerator under a choice, and everything that has no choice."""

import math
from functools import reduce
from operator import add

import onnx_ir as ir

from spcompile.accelerator.partition import ARRAY, DEPTHWISE, HOST, MAX_POOL, VIEW, Step, dense_work, host_bytes, partition, pooling_work, shapes
from spcompile.costs.fpga.engines import vector_operations
from spcompile.costs.fpga.model import array_cost, depthwise_cost, host_s, in_range, latency, vector_cost
from spcompile.costs.fpga.slots import expected_slots
from spcompile.costs.fpga.work import work_of
from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.patterns import Choice
from spcompile.targets.accelerator import Accelerator


class Predictor:
    """Analytic times of one prepared network; the simulator counts them afterwards."""

    def __init__(self, model: ir.Model, target: Accelerator):
        self.steps = partition(model, target)
        self._target, self._shapes = target, shapes(model)
        self._by_layer = {step.layer.name: step for step in self.steps if step.layer is not None}
        self._nodes = {node.name: node for node in model.graph}

    @property
    def fixed(self) -> Latency:
        """The call of the accelerator, its steps that are no layers, and the host's."""
        others = [self._time(step) for step in self.steps if step.layer is None]
        return reduce(add, others, in_range(self._target.host_call_s))

    def __call__(self, layer: Layer, choice: Choice) -> Latency:
        step = self._by_layer[layer.name]
        if step.unit == HOST:
            return in_range(host_s(host_bytes(step, self._shapes), layer.macs, self._target))
        if step.unit == DEPTHWISE:
            return latency(depthwise_cost(dense_work(layer, self._shapes, self._target), self._target).cycles, self._target)
        work = work_of(layer, self._shapes[layer.input], self._shapes[layer.output], *expected_slots(layer, choice, self._target))
        return latency(array_cost(work, self._target).cycles, self._target)

    def _time(self, step: Step) -> Latency:
        assert step.unit not in (ARRAY, DEPTHWISE), step.name
        if step.unit == VIEW:
            return in_range(0.0)
        if step.unit == HOST:
            return in_range(host_s(host_bytes(step, self._shapes), 0, self._target))
        sizes = [math.prod(self._shapes[name]) for name in (*step.inputs, *step.outputs)]
        work = pooling_work(self._nodes[step.name])[0] if step.unit == MAX_POOL else None
        return latency(vector_cost(sizes[-1], sum(sizes[:-1]), vector_operations(step.unit, sizes, work), self._target).cycles, self._target)
