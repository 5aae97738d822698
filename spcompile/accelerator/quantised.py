"""A pruned network in the accelerator's numbers: each activation's scale from typical inputs, each layer's int8 weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from spcompile.accelerator.numbers import Affine, QuantisedWeights, Requantiser, quantise_weights
from spcompile.accelerator.partition import ARRAY, DEPTHWISE, HOST, MAX_POOL, VIEW, Step, partition, shapes
from spcompile.ir.layers import bias, weight
from spcompile.ir.session import Session
from spcompile.targets.accelerator import Accelerator

SAMPLES = 64  # batches that ranges are taken from


@dataclass(frozen=True, eq=False)
class Quantised:
    """affines: of every activation that the accelerator reads or writes. weights, requantisers: of array and depthwise steps, by name."""

    model: ir.Model  # prepared and pruned, fp32
    steps: tuple[Step, ...]
    shapes: Mapping[str, tuple[int, ...]]
    affines: Mapping[str, Affine]
    weights: Mapping[str, QuantisedWeights]
    requantisers: Mapping[str, Requantiser]


def quantise(model: ir.Model, feeds: Mapping[str, np.ndarray], target: Accelerator) -> Quantised:
    """feeds: typical inputs, [N, ...] by name; the first SAMPLES batches count."""
    steps = partition(model, target)
    touched = dict.fromkeys(name for step in steps if step.unit != HOST for name in (*step.inputs, *step.outputs))
    affines = {name: Affine.of_range(*limits) for name, limits in ranges(model, tuple(touched), feeds).items()}
    for step in steps:
        if step.unit in (MAX_POOL, VIEW):  # numbers pass through unchanged
            affines[step.outputs[0]] = affines[step.inputs[0]]
    weights, requantisers = {}, {}
    for step in (step for step in steps if step.unit in (ARRAY, DEPTHWISE)):
        source, result = affines[step.inputs[0]], affines[step.outputs[0]]
        found = quantise_weights(weight(model, step.layer), bias(model, step.layer), source, result)
        weights[step.name] = found
        requantisers[step.name] = Requantiser.of(found.scales * source.scale / result.scale, result.zero)
    return Quantised(model, steps, shapes(model), affines, weights, requantisers)


def ranges(model: ir.Model, names: tuple[str, ...], feeds: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Smallest and largest number of each activation."""
    if not names:
        return {}
    found = dict.fromkeys(names, (0.0, 0.0))
    session = Session(model, names)
    batches = min(len(feeds[name]) // max(1, shape[0] if shape else 1) for name, (shape, _) in session.inputs.items())
    first = {name: feeds[name][: min(batches, SAMPLES) * shape[0]] for name, (shape, _) in session.inputs.items()}
    for batch in session.batches(first):
        found = {name: (min(low, float(batch[name].min())), max(high, float(batch[name].max()))) for name, (low, high) in found.items()}
    return found
