"""How much each weight moves the outputs of the dense network, from gradients and without labels."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch

from spcompile.errors import DataError
from spcompile.ir.layer import Layer
from spcompile.pruning.network import Network, Values

SAMPLES = 512  # of the calibration data, the first ones
BATCH = 4  # samples that share a probe: each batch gives one more estimate
SPREAD_SAMPLES = 64  # that tell how much samples differ in an output
ACTIVATION_BYTES = 1e9  # of all values of a batch, which the way back needs
LEAST_VARIANCE = 1e-9  # relative to the outputs' power: less is rounding


def squared_gradients(network: Network, feeds: Mapping[str, np.ndarray], layers: Iterable[Layer], seed: int) -> dict[str, np.ndarray]:
    """The diagonal of the Fisher information of each layer's weight, float64 [rows, columns] by layer name, summed over samples.

    The network's answer is taken for the mean of a normal distribution, as a squared error does; an answer drawn from it instead of a label has the gradient
    J' e, with e standard normal and J the derivatives of all outputs, so its squares have the expectation sum_o J_o^2: half the second derivative of the
    squared distance to the dense outputs, whose own gradient is zero here. Draws of different samples are independent, and one backward pass over a batch
    is an unbiased draw of their sum. Outputs count relative to how much samples differ in them. Raises DataError when a gradient is not finite.
    """
    layers, generator = list(layers), torch.Generator().manual_seed(seed)
    spreads = _spreads(network, feeds)
    weights = {name: network.constants[name].clone().requires_grad_() for name in {layer.weight: None for layer in layers}}
    totals = {name: torch.zeros(weight.shape, dtype=torch.float64) for name, weight in weights.items()}
    for batch in _batches(network, feeds, SAMPLES):
        with torch.enable_grad():
            values = network.run(batch, weights)
            probed = [(values[name] * torch.randn(values[name].shape, generator=generator)).sum() / spread for name, spread in spreads.items()]
            reached = [value for value in probed if value.requires_grad]
            gradients = torch.autograd.grad(reached, list(weights.values()), allow_unused=True) if reached else [None] * len(weights)
        for total, gradient in zip(totals.values(), gradients, strict=True):
            total += gradient.double() ** 2 if gradient is not None else 0
    if blown := [layer.name for layer in layers if not totals[layer.weight].isfinite().all()]:
        raise DataError(f"gradients at layer '{blown[0]}' are not finite on the calibration data; check its scale and preprocessing, or choose another pruner")
    return {layer.name: layer.to_matrix(totals[layer.weight].numpy()) for layer in layers}


def _batches(network: Network, feeds: Mapping[str, np.ndarray], limit: int) -> Iterable[Values]:
    """The first `limit` samples, as many at a time as may be and memory has room for."""
    samples = {name: network.cast(values[:limit]) for name, values in network.samples(feeds).items()}
    size = max(1, min(BATCH, int(ACTIVATION_BYTES // sum(network.bytes.values()))))
    for parts in zip(*(values.split(size) for values in samples.values()), strict=True):
        yield dict(zip(samples, parts, strict=True))


def _spreads(network: Network, feeds: Mapping[str, np.ndarray]) -> dict[str, float]:
    """By output of fractions: the root of the mean squared distance of samples from their mean; 1 where they do not differ."""
    count, sums, squares = 0, {}, {}
    with torch.no_grad():
        for batch in _batches(network, feeds, SPREAD_SAMPLES):
            values = network.run(batch)
            count += len(next(iter(batch.values())))
            for name in (name for name in network.outputs if values[name].is_floating_point()):
                sums[name] = sums.get(name, 0) + values[name].double().sum(0)
                squares[name] = squares.get(name, 0) + float(values[name].double().square().sum())
    variances = {name: squares[name] / count - float((total / count).square().sum()) for name, total in sums.items()}
    return {name: variance**0.5 if variance > LEAST_VARIANCE * squares[name] / count else 1.0 for name, variance in variances.items()}
