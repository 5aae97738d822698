"""What a layer would take on a GPU with a pattern it does not have yet, and why most patterns gain nothing there."""

from dataclasses import replace
from functools import reduce
from operator import add

from spcompile.costs.gpu import predict
from spcompile.costs.latency import Latency
from spcompile.ir.layer import Layer
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.patterns import Choice, Pattern, parse
from spcompile.patterns.n_of_m import NOfM
from spcompile.patterns.unstructured import Unstructured
from spcompile.targets.gpu import Gpu
from spcompile.verdict import Verdict

TWO_OF_FOUR = parse("2:4")
NO_ZEROS = Latency(0.0, 0.0, 0.0, "analytic")


class GpuPredictor:
    """Times of one network's layers under any choice, and of everything that has no choice."""

    def __init__(self, program: GpuProgram, kernels: dict[str, tuple], gpu: Gpu):
        self._kernels, self._gpu, self._bytes = kernels, gpu, float(program.bytes)
        self._fixed = [step.kernel.work() for step in program.steps if step.layer is None]

    @property
    def fixed(self) -> Latency:
        """Of all that is no layer's."""
        return reduce(add, (predict(work, self._gpu, self._bytes) for work in self._fixed), NO_ZEROS)

    def __call__(self, layer: Layer, choice: Choice) -> Latency:
        """A pattern that no kernel gains from takes the time of dense."""
        work = self._kernels[layer.name][0].work()
        if choice.pattern != TWO_OF_FOUR or not takes(layer, TWO_OF_FOUR, self._gpu):
            return predict(replace(work, two_of_four=False) if hasattr(work, "two_of_four") else work, self._gpu, self._bytes)
        return predict(replace(work, two_of_four=True), self._gpu, self._bytes)


def takes(layer: Layer, pattern: Pattern, gpu: Gpu) -> Verdict:
    """Can the layer hold the pattern, and is there a kernel that gains from it?"""
    if pattern.fixed_sparsity != 0 and pattern != TWO_OF_FOUR:
        return Verdict.no(_why_not(pattern))
    if pattern == TWO_OF_FOUR and not gpu.has_sparse:
        return Verdict.no(f"{gpu.name} has no sparse tensor cores")
    if pattern == TWO_OF_FOUR and layer.groups > 1 and not layer.depthwise:
        return Verdict.no("a grouped convolution: 2:4 is compiled for whole matrices only")
    return pattern.fits(layer)


def _why_not(pattern: Pattern) -> str:
    if isinstance(pattern, NOfM):
        return f"sparse tensor cores skip the zeros of 2:4 alone; {pattern.notation} would be no faster"
    if isinstance(pattern, Unstructured):
        return "tensor cores multiply whole tiles: zeros in any place are not skipped at any level"
    return f"there is no GPU kernel that skips the zeros of {pattern.notation}; it would run as dense"
