"""A training step of one layer on an array: forward, backward to the inputs, and the weights' gradients.

Bidirectional N:M (Fang et al. 2023, "Efficient N:M Sparse DNN Training Using Algorithm, Architecture, and Dataflow Co-Design", section III): weights keep N of
every M neighbouring in-channels for the forward pass, and of the same dense weights N of every M neighbouring out-channels for the backward pass, so both
products skip zeros. The gradients of weights are a dense product. Cycles are those of the
array's own numbers; batches follow one another, weights stay dense in memory.
"""

from dataclasses import dataclass

from spcompile.costs.fpga.model import Cost, array_cost
from spcompile.costs.fpga.work import Work, row_tiles, work_of
from spcompile.ir.layer import Layer
from spcompile.patterns.n_of_m import NOfM
from spcompile.targets.accelerator import Accelerator
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class TrainingStep:
    """One layer, one batch."""

    forward: Cost
    backward: Cost
    update: Cost

    @property
    def cycles(self) -> float:
        return self.forward.cycles + self.backward.cycles + self.update.cycles


def trains(layer: Layer, pattern: NOfM | None, target: Accelerator) -> Verdict:
    """Can both passes hold the pattern? None is dense. The reason names what does not divide or is not decoded."""
    if layer.groups > 1:
        return Verdict.no(f"{layer.groups} groups of channels: training steps are counted for ungrouped layers")
    if pattern is None:
        return Verdict.yes()
    if pattern.notation not in target.decodes:
        return Verdict.no(f"{target.name} does not decode {pattern.notation}")
    if layer.rows % pattern.of:
        return Verdict.no(f"{layer.rows} out channels are not a multiple of {pattern.of}: the backward pass groups them")
    return pattern.fits(layer)


def training_step(layer: Layer, in_shape: tuple[int, ...], out_shape: tuple[int, ...], pattern: NOfM | None, target: Accelerator) -> TrainingStep:
    """in_shape, out_shape: of the layer's activations, channels first for Conv. `trains` must hold. pattern None: dense."""
    assert trains(layer, pattern, target), trains(layer, pattern, target).reason
    kept, of = (pattern.kept, pattern.of) if pattern is not None else (1, 1)

    def packed(rows: int) -> tuple[int, ...]:
        return (kept,) * row_tiles(rows, target)

    forward = work_of(layer, in_shape, out_shape, layer.rows, of, packed(layer.rows))
    strides = forward.strides[0] * forward.strides[1]  # each input is under taps / strides of the windows
    taps = -(-layer.taps // strides)
    backward = Work(layer.in_channels, layer.rows * taps, of, packed(layer.in_channels), forward.out_size, forward.in_size, layer.rows)
    update = Work(layer.rows, layer.positions, 1, (1,) * row_tiles(layer.rows, target), (1, layer.columns), (1, layer.columns), layer.positions)
    return TrainingStep(array_cost(forward, target), array_cost(backward, target), array_cost(update, target))
