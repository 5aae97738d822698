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


def squared_gradients(network: Network, feeds: Mapping[str, np.ndarray], layers: Iterable[Layer], seed: int) -> dict[str, np.ndarray]:
    """The diagonal of the Fisher information of each layer's weight, float64 [rows, columns] by layer name, summed over samples.

    The network's answer is taken for the mean of a normal distribution, as a squared error does; an answer drawn from it instead of a label has the gradient
    J' e, with e standard normal and J the derivatives of all outputs, so its squares have the expectation sum_o J_o^2: half the second derivative of the
    squared distance to the dense outputs, whose own gradient is zero here. Draws of different samples are independent, and one backward pass over a batch
    is an unbiased draw of their sum. Outputs count relative to how much samples differ in them. Raises DataError when a gradient is not finite.
    """
    layers, generator = list(layers), torch.Generator().manual_seed(seed)
    samples = {name: network.cast(values[:SAMPLES]) for name, values in network.samples(feeds).items()}
    spreads = _spreads(network, {name: values[:SPREAD_SAMPLES] for name, values in samples.items()})
    weights = {name: network.constants[name].clone().requires_grad_() for name in {layer.weight: None for layer in layers}}
    totals = {name: torch.zeros(weight.shape, dtype=torch.float64) for name, weight in weights.items()}
    for start in range(0, len(next(iter(samples.values()))), BATCH):
        with torch.enable_grad():
            values = network.run({name: array[start : start + BATCH] for name, array in samples.items()}, weights)
            probed = [(values[name] * torch.randn(values[name].shape, generator=generator)).sum() / spread for name, spread in spreads.items()]
            reached = [value for value in probed if value.requires_grad]
            gradients = torch.autograd.grad(reached, list(weights.values()), allow_unused=True) if reached else [None] * len(weights)
        for total, gradient in zip(totals.values(), gradients, strict=True):
            total += gradient.double() ** 2 if gradient is not None else 0
    if blown := [layer.name for layer in layers if not totals[layer.weight].isfinite().all()]:
        raise DataError(f"gradients at layer '{blown[0]}' are not finite on the calibration data; check its scale and preprocessing, or choose another pruner")
    return {layer.name: layer.to_matrix(totals[layer.weight].numpy()) for layer in layers}


def _spreads(network: Network, samples: Values) -> dict[str, float]:
    """By output of fractions: by how much samples differ, all its values together; 1 where they do not."""
    with torch.no_grad():
        values = network.run(samples)
    fractions = {name: values[name].double() for name in network.outputs if values[name].is_floating_point()}
    lengths = {name: float((value - value.mean(0)).square().sum(tuple(range(1, value.dim()))).mean().sqrt()) for name, value in fractions.items()}
    return {name: length or 1.0 for name, length in lengths.items()}
