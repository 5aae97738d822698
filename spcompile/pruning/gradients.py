"""How much the outputs of the dense network owe to each weight and to each row of a layer's output, from gradients and without labels.

The network's answer is taken for the mean of a normal distribution, as a squared error does; an answer drawn from it instead of a label has the gradient
J' e, with e standard normal and J the derivatives of all outputs, so its squares have the expectation sum_o J_o^2: half the second derivative of the
squared distance to the dense outputs, whose own gradient is zero here. Draws of different samples are independent, and one backward pass over a batch
is an unbiased draw of their sum. Several outputs count relative to how much samples differ in them.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch

from spcompile.errors import DataError
from spcompile.ir.layer import Layer
from spcompile.pruning.memory import release
from spcompile.pruning.network import Network, Values
from spcompile.pruning.row_sums import RowSums

SAMPLES = 512  # of the calibration data, the first ones
BATCH = 4  # samples that share a probe: each batch gives one more estimate
SPREAD_SAMPLES = 64  # that tell how much samples differ in an output
ACTIVATION_BYTES = 1e9  # of all values of a batch, which the way back needs
LEAST_VARIANCE = 1e-9  # relative to the outputs' power: less is rounding


def squared_gradients(network: Network, feeds: Mapping[str, np.ndarray], layers: Iterable[Layer], seed: int) -> dict[str, np.ndarray]:
    """The diagonal of the Fisher information of each layer's weight, float64 [rows, columns] by layer name, summed over samples.

    Raises DataError when a gradient is not finite.
    """
    layers = list(layers)
    totals = {layer.weight: torch.zeros_like(network.constants[layer.weight], dtype=torch.float64) for layer in layers}
    for _, gradients in _gradients(network, feeds, layers, seed, slice(SAMPLES), at_outputs=False):
        for name, gradient in gradients.items():
            totals[name] += gradient.double() ** 2
    return {layer.name: layer.to_matrix(_finite(layer, totals[layer.weight])) for layer in layers}


def output_fisher(
    network: Network, feeds: Mapping[str, np.ndarray], layers: Iterable[Layer], seed: int, samples: slice, paired: bool = True
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The Fisher information of each layer's output, by layer name: `RowSums.estimate` over some samples and all positions; and
    bool [samples, positions], whether any output owes anything to what the layer puts there. paired: look at pairs of rows at all.

    Raises DataError when a gradient is not finite.
    """
    layers = list(layers)
    sums = {layer.output: RowSums(layer, paired) for layer in layers}
    owed = {layer.output: [torch.zeros(0, layer.positions, dtype=torch.bool)] for layer in layers}
    for size, gradients in _gradients(network, feeds, layers, seed, samples, at_outputs=True):
        for layer in layers:
            gradient = gradients.get(layer.output)
            if gradient is None:
                owed[layer.output].append(torch.zeros(size, layer.positions, dtype=torch.bool))
                continue
            rows_last = (gradient.flatten(0, 1).movedim(1, -1) if layer.op_type == "Conv" else gradient).reshape(size, -1, layer.rows)
            sums[layer.output].add(rows_last.flatten(0, 1))
            owed[layer.output].append((rows_last != 0).any(2))
    return {layer.name: (_finite(layer, sums.pop(layer.output).estimate()), torch.cat(owed[layer.output]).numpy()) for layer in layers}


def _gradients(
    network: Network, feeds: Mapping[str, np.ndarray], layers: list[Layer], seed: int, samples: slice, at_outputs: bool
) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
    """Batch by batch, of one draw each: (samples, gradients by initializer or, `at_outputs`, by layer output, without those that move nothing)."""
    generator, spreads = torch.Generator().manual_seed(seed), _spreads(network, feeds)
    weights = {layer.weight: network.constants[layer.weight].clone().requires_grad_() for layer in layers}
    wanted = {layer.output for layer in layers} if at_outputs else set()
    for batch in _batches(network, feeds, samples):
        with torch.enable_grad():
            values, seen = dict(batch), {}
            for step in network.steps:
                network.step(step, values, weights)
                seen.update({name: values[name] for name in wanted.intersection(step.outputs)})
            probed = [(values[name] * torch.randn(values[name].shape, generator=generator)).sum() / spread for name, spread in spreads.items()]
            reached, sought = [value for value in probed if value.requires_grad], seen if at_outputs else weights
            found = torch.autograd.grad(reached, list(sought.values()), allow_unused=True) if reached else [None] * len(sought)
        gradients = {name: gradient for name, gradient in zip(sought, found, strict=True) if gradient is not None}
        del values, seen, probed, reached, sought, found
        yield len(next(iter(batch.values()))), gradients
        gradients.clear()
        release()


def _finite(layer: Layer, total: torch.Tensor) -> np.ndarray:
    if not total.isfinite().all():
        raise DataError(f"gradients at layer '{layer.name}' are not finite on the calibration data; check its scale and preprocessing, or take another pruner")
    return total.numpy()


def _batches(network: Network, feeds: Mapping[str, np.ndarray], part: slice) -> Iterable[Values]:
    """A part of the samples, as many at a time as may be and memory has room for."""
    samples = {name: network.cast(values[part]) for name, values in network.samples(feeds).items()}
    if not all(map(len, samples.values())):
        return
    size = max(1, min(BATCH, int(ACTIVATION_BYTES // sum(network.bytes.values()))))
    for parts in zip(*(values.split(size) for values in samples.values()), strict=True):
        yield dict(zip(samples, parts, strict=True))


def _spreads(network: Network, feeds: Mapping[str, np.ndarray]) -> dict[str, float]:
    """By output of fractions: the root of the mean squared distance of samples from their mean; 1 where they do not differ, and where there is
    a single one, which no other is weighed against."""
    if len(network.fractions) == 1:
        return {network.fractions[0]: 1.0}
    count, sums, squares = 0, {}, {}
    with torch.no_grad():
        for batch in _batches(network, feeds, slice(SPREAD_SAMPLES)):
            values = network.run(batch)
            count += len(next(iter(batch.values())))
            for name in network.fractions:
                sums[name] = sums.get(name, 0) + values[name].double().sum(0)
                squares[name] = squares.get(name, 0) + float(values[name].double().square().sum())
    variances = {name: squares[name] / count - float((total / count).square().sum()) for name, total in sums.items()}
    return {name: variance**0.5 if variance > LEAST_VARIANCE * squares[name] / count else 1.0 for name, variance in variances.items()}
