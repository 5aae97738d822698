"""What a layer would take on a GPU with a pattern it does not have yet, and why most patterns gain nothing there."""

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
from scipy.stats import binom

from spcompile.costs.gpu import WHOLE, predict
from spcompile.costs.latency import Latency
from spcompile.formats.column_vectors import REACH, ROWS, SLOTS
from spcompile.ir.layer import Layer
from spcompile.kernels.gpu.kernel import GpuKernel
from spcompile.kernels.gpu.vector_product import words_of
from spcompile.kernels.gpu.work import ELEMENT, Product, Sweep
from spcompile.lowering.gpu.forms import BLOCK_TILE_ROWS, MOST_KEPT, TWO_OF_FOUR
from spcompile.lowering.gpu.program import GpuProgram
from spcompile.lowering.gpu.vectors import STAGES
from spcompile.patterns import Choice, Pattern
from spcompile.patterns.block import Block
from spcompile.patterns.channel import Channel
from spcompile.patterns.n_of_m import NOfM
from spcompile.patterns.tile import Tile
from spcompile.patterns.unstructured import Unstructured
from spcompile.targets.gpu import Gpu
from spcompile.verdict import Verdict

NO_ZEROS = Latency(0.0, 0.0, 0.0, "analytic")


class GpuPredictor:
    """Times of one network's layers under any choice, and of everything that has no choice."""

    def __init__(self, program: GpuProgram, kernels: dict[str, GpuKernel], gpu: Gpu):
        self._kernels, self._gpu, self._bytes = kernels, gpu, float(program.bytes)
        self._fixed = [step.kernel.work() for step in program.steps if step.layer is None]

    @property
    def fixed(self) -> Latency:
        """Of all that is no layer's."""
        return reduce(add, (predict(work, self._gpu, self._bytes) for work in self._fixed), NO_ZEROS)

    def __call__(self, layer: Layer, choice: Choice) -> Latency:
        """A pattern that no kernel gains from takes the time of dense."""
        work = self._kernels[layer.name].work()
        if not isinstance(work, Product):
            return self._predict(work)
        dense = replace(work, two_of_four=False, vectors=False, kept=1.0)
        if not takes(layer, choice.pattern, self._gpu):
            return self._predict(dense)
        if isinstance(choice.pattern, Block):
            inputs = Sweep(2.0 * work.positions * work.columns * ELEMENT)
            vectors = self._predict(replace(dense, vectors=True, kept=expected_steps(choice))) + self._predict(inputs)
            return min(self._predict(dense), vectors, key=lambda latency: latency.expected_s)
        kept = expected_kept(choice)
        return self._predict(replace(dense, two_of_four=choice.pattern == TWO_OF_FOUR, kept=kept if kept <= MOST_KEPT else 1.0))

    def _predict(self, work: Product | Sweep) -> Latency:
        return predict(work, self._gpu, self._bytes, splits=WHOLE)


def expected_kept(choice: Choice) -> float:
    """Share of a layer's 64-row blocks of columns that keep a weight, if units are kept independently of each other; empty rows share tiles."""
    if isinstance(choice.pattern, Channel):
        return choice.density
    if not isinstance(choice.pattern, Tile):
        return 1.0
    return 1 - choice.sparsity ** max(1.0, BLOCK_TILE_ROWS / choice.pattern.rows)


def expected_steps(choice: Choice) -> float:
    """Share of a layer's weights that is multiplied in whole steps of vectors, if vectors are kept independently of each other."""
    kept = np.arange(REACH + 1)
    return float(binom.pmf(kept, REACH, choice.density) @ -(-kept // SLOTS)) * SLOTS / REACH


def takes(layer: Layer, pattern: Pattern, gpu: Gpu) -> Verdict:
    """Can the layer hold the pattern, and is there a kernel that gains from it?"""
    if pattern.fixed_sparsity == 0:
        return Verdict.yes()
    vectors = isinstance(pattern, Block) and pattern.block_rows % ROWS == 0
    if not (vectors or pattern == TWO_OF_FOUR or isinstance(pattern, (Tile, Channel))):
        return Verdict.no(_why_not(pattern))
    if vectors and 4 * words_of(0, STAGES[-1]) >= gpu.shared_bytes:
        return Verdict.no(f"the shared memory of {gpu.name} is too small for the kernel that skips {pattern.notation}")
    if vectors and not layer.depthwise and (layer.taps > 1 or layer.strides != (1, 1)):
        return Verdict.no(f"the kernel that skips {pattern.notation} reads positions side by side: linear layers and 1x1 convolutions of stride 1 have them so")
    if pattern == TWO_OF_FOUR and not gpu.has_sparse:
        return Verdict.no(f"{gpu.name} has no sparse tensor cores")
    if layer.groups > 1 and not layer.depthwise:
        return Verdict.no(f"a grouped convolution: {pattern.notation} is compiled for whole matrices only")
    return pattern.fits(layer)


def _why_not(pattern: Pattern) -> str:
    if isinstance(pattern, NOfM):
        return f"sparse tensor cores skip the zeros of 2:4 alone; {pattern.notation} would be no faster"
    if isinstance(pattern, Unstructured):
        return "tensor cores multiply whole tiles: zeros in any place are not skipped at any level"
    return f"there is no GPU kernel that skips the zeros of {pattern.notation}; one for blocks of {ROWS} rows is the smallest"
