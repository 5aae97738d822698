"""What a layer would take with a pattern it does not have yet."""

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

from spcompile.costs.cpu import predict
from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.kernels.cpu.border import Border
from spcompile.kernels.cpu.offset_gemm import OffsetGemm
from spcompile.kernels.cpu.reach import BYTES
from spcompile.kernels.cpu.subset_spmm import SUBSET_ROWS
from spcompile.kernels.kernel import Kernel
from spcompile.lowering.choosing import fastest
from spcompile.lowering.lowered import Lowered
from spcompile.lowering.site import BLOCK_ROWS, Site
from spcompile.patterns import Choice
from spcompile.patterns.channel import Channel
from spcompile.targets.target import Target

NOTHING = Latency(0.0, 0.0, 0.0, "measured")


class Predictor:
    """Times of a lowered network's layers under any choice, and of everything that has no choice."""

    def __init__(self, lowered: Lowered, target: Target, threads: int):
        self._sites, self._target, self._threads = lowered.sites, target, threads
        self._workspace_bytes = BYTES * lowered.program.workspace_elements
        layers = [layer for layer in find_layers(lowered.model) if layer.name in lowered.sites]
        self._weight_bytes = sum(_weight_bytes(layers).values())
        self._shares = passed_by(layers)
        self._present: dict[str | None, Latency] = {None: NOTHING}
        self._borders: dict[str, Latency] = {}  # that layers' kernels of pixels leave to be filled; the others fill theirs
        for step in lowered.program.steps:
            latency = self._time(step.kernel, lowered.program.bytes * self._shares.get(step.layer, 1.0))
            self._present[step.layer] = self._present.get(step.layer, NOTHING) + latency
            if step.layer is not None and isinstance(step.kernel, Border):
                self._borders[step.layer] = self._borders.get(step.layer, NOTHING) + latency

    @property
    def fixed(self) -> Latency:
        """Of all steps that are no layer's."""
        return self._present[None]

    @property
    def total(self) -> Latency:
        """Of the network as it was lowered."""
        return reduce(add, self._present.values())

    def __call__(self, layer: Layer, choice: Choice) -> Latency:
        """In a network thinned everywhere as this layer is: the less the others weigh, the more of the caches is left to its activations.

        A layer that no pattern fits (depthwise) takes what it takes.
        """
        if layer.name not in self._sites:
            assert choice.sparsity == 0, layer.name
            return self._present[layer.name]
        site = self._sites[layer.name]
        whole_rows = isinstance(choice.pattern, Channel) and site.scatters
        widest = BLOCK_ROWS[-1] if whole_rows else max(2 * choice.pattern.block_rows, SUBSET_ROWS[-1])
        kernel, rows, _ = fastest(site, lambda rows: expected_blocks(site, choice, rows), self._target, self._threads, widest, whole_rows)
        listed = 1.0 if rows is None else expected_blocks(site, choice, rows) * (rows + 1) / (site.rows * site.columns)  # an offset for each block
        network_bytes = self._workspace_bytes + self._weight_bytes * min(1.0, listed)
        latency = self._time(kernel, network_bytes * self._shares[layer.name]).scaled(site.calls)
        return latency + self._borders.get(layer.name, NOTHING) if isinstance(kernel, OffsetGemm) else latency

    def _time(self, kernel: Kernel, network_bytes: float) -> Latency:
        """Of one call in the midst of a network, whose data it shares the caches with."""
        return predict(kernel.work(), self._target, self._threads, network_bytes=network_bytes)


def passed_by(layers: Sequence[Layer]) -> dict[str, float]:
    """Layer -> the share of the network's weights that pass by since its own were used last, these included: 1, but where layers share a weight.

    layers: in the order in which they run, again and again.
    """
    sizes, twice, last, shares = _weight_bytes(layers), (*layers, *layers), {}, {}
    for place, layer in enumerate(twice):
        if layer.weight in last:
            between = {other.weight for other in twice[last[layer.weight] : place]}
            shares[layer.name] = sum(sizes[weight] for weight in between) / sum(sizes.values())
        last[layer.weight] = place
    return shares


def _weight_bytes(layers: Sequence[Layer]) -> dict[str, int]:
    """Of each weight, however many layers use it."""
    return {layer.weight: BYTES * layer.rows * layer.columns for layer in layers}


def expected_blocks(site: Site, choice: Choice, rows: int) -> float:
    """How many blocks of `rows` x 1 keep a weight under a choice, if its units are kept independently of each other.

    A kernel's block covers rows / block_rows units of the pattern and is empty only if all are. Empty channels are gathered in blocks.
    """
    total = site.rows // rows * site.columns
    if isinstance(choice.pattern, Channel):
        kept = site.rows * choice.density
        return math.ceil(kept / rows) * site.columns if site.scatters else total * (1 - choice.sparsity**rows)
    units = max(1.0, rows / choice.pattern.block_rows)
    sparsity = choice.pattern.fixed_sparsity if choice.pattern.fixed_sparsity is not None else choice.sparsity
    return total * (1 - sparsity**units)
