"""A pruned network in the accelerator's numbers: of int8 each activation's scale from typical inputs, each layer's weights; bf16 needs no scales."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import ml_dtypes
import numpy as np
import onnx_ir as ir

from spcompile.accelerator.numbers import Affine, QuantisedWeights, Requantiser, quantise_weights
from spcompile.accelerator.partition import ARRAY, DEPTHWISE, HOST, MAX_POOL, VIEW, Step, partition, shapes
from spcompile.errors import TargetError
from spcompile.ir.layers import bias, weight
from spcompile.ir.session import Session
from spcompile.targets.accelerator import Accelerator

SAMPLES = 64  # batches that ranges are taken from


@dataclass(frozen=True, eq=False)
class Quantised:
    """affines: of every activation that the accelerator reads or writes. weights: of array and depthwise steps, by name; requantisers too, of int8."""

    precision: str
    model: ir.Model  # prepared and pruned, fp32
    steps: tuple[Step, ...]
    shapes: Mapping[str, tuple[int, ...]]
    affines: Mapping[str, Affine]
    weights: Mapping[str, QuantisedWeights]
    requantisers: Mapping[str, Requantiser]


def quantise(model: ir.Model, feeds: Mapping[str, np.ndarray], target: Accelerator) -> Quantised:
    """feeds: typical inputs, [N, ...] by name; the first SAMPLES batches count."""
    steps = partition(model, target)
    if target.precision == "bf16":
        return _rounded(model, steps)
    touched = dict.fromkeys(name for step in steps if step.unit != HOST for name in (*step.inputs, *step.outputs))
    limits = ranges(model, tuple(touched), feeds)
    if endless := [name for name, found in limits.items() if not np.isfinite(found).all()]:
        raise TargetError(f"'{endless[0]}' becomes infinite, and {target.name} computes it in int8: mask with finite numbers, or take a target of bf16 numbers")
    affines = {name: Affine.of_range(*found) for name, found in limits.items()}
    for step in steps:
        if step.unit in (MAX_POOL, VIEW):  # numbers pass through unchanged
            affines[step.outputs[0]] = affines[step.inputs[0]]
    weights, requantisers = {}, {}
    for step in _products(steps):
        source, result = affines[step.inputs[0]], affines[step.outputs[0]]
        found = quantise_weights(weight(model, step.layer), bias(model, step.layer), source, result)
        weights[step.name] = found
        requantisers[step.name] = Requantiser.of(found.scales * source.scale / result.scale, result.zero)
    return Quantised("int8", model, steps, shapes(model), affines, weights, requantisers)


def _rounded(model: ir.Model, steps: tuple[Step, ...]) -> Quantised:
    weights = {}
    for step in _products(steps):
        matrix = weight(model, step.layer).astype(ml_dtypes.bfloat16) + ml_dtypes.bfloat16(0)  # no negative zeros: they would count as weights
        weights[step.name] = QuantisedWeights(matrix, bias(model, step.layer).astype(np.float32), np.ones(len(matrix)))
    touched = dict.fromkeys(name for step in steps if step.unit != HOST for name in (*step.inputs, *step.outputs))
    return Quantised("bf16", model, steps, shapes(model), dict.fromkeys(touched, Affine(1.0, 0)), weights, {})


def _products(steps: tuple[Step, ...]) -> Iterator[Step]:
    return (step for step in steps if step.unit in (ARRAY, DEPTHWISE))


def ranges(model: ir.Model, names: tuple[str, ...], feeds: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """Smallest and largest number of each activation."""
    if not names:
        return {}
    found = dict.fromkeys(names, (0.0, 0.0))
    session = Session(model, names)
    for batch in islice(session.batches(feeds), SAMPLES):
        found = {name: (min(low, float(batch[name].min())), max(high, float(batch[name].max()))) for name, (low, high) in found.items()}
    return found
