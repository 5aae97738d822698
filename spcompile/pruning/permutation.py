"""Channels are put in an order in which a pattern loses less. It costs nothing at run time: the neighbouring layers follow."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx_ir as ir

from spcompile.ir.layer import Layer
from spcompile.ir.layers import weight
from spcompile.patterns import Pattern
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.channels import Channels, free_channels, reordered
from spcompile.pruning.orders import alike, apart

SAMPLES = 16  # of the calibration data, which say how large inputs are
Powers = dict[str, np.ndarray]  # by layer: of each in-channel's inputs


def permuted(model: ir.Model, patterns: Sequence[Pattern], calibration: Calibration | None = None, threads: int = 1) -> ir.Model:
    """A copy that computes the same, its channels in an order that suits those of the patterns that have to do with neighbours: blocks of up to 16 rows in
    the layers that write the channels, N:M in those that read them. The model itself where there are none. model: prepared.

    Where both are, N:M goes first and blocks take its groups whole, or, with a block as small as a group, blocks alone count. Of several N:M that with the
    smallest groups does. Without calibration data all inputs count as equally large.
    """
    smallest = min((pattern.block_rows for pattern in patterns if pattern.block_rows > 1), default=math.inf)
    groups = [pattern for pattern in patterns if pattern.group is not None and pattern.group[1] < smallest]
    grouped = min(groups, key=lambda pattern: (pattern.group[1], -pattern.group[0]), default=None)
    if smallest == math.inf and grouped is None:
        return model
    channels = sorted((found for found in free_channels(model) if found.count > 1), key=lambda found: -found.count)
    powers = _powers(model, calibration) if calibration is not None else {}

    def order(found: Channels) -> np.ndarray:
        readers = [layer for layer in found.readers if grouped is not None and found.count % grouped.group[1] == 0 and grouped.fits(layer)]
        first = apart(_of_columns(model, readers, powers), *grouped.group) if readers else np.arange(found.count)
        if smallest == math.inf:
            return first
        return first[alike(_of_rows(model, found, powers)[first], grouped.group[1] if readers else 1)]

    with ThreadPoolExecutor(threads) as pool:  # SciPy's routines let each other run; the longest begin
        return reordered(model, zip(channels, pool.map(order, channels), strict=True))


def _of_rows(model: ir.Model, channels: Channels, powers: Powers) -> np.ndarray:
    """float64 [channels, columns of all layers that write them]"""
    return np.concatenate([_saliency(model, layer, powers).reshape(layer.rows, -1) for layer in channels.writers], axis=1)


def _of_columns(model: ir.Model, readers: list[Layer], powers: Powers) -> np.ndarray:
    """float64 [channels, rows and taps of all these layers]"""
    return np.concatenate([_saliency(model, layer, powers).reshape(-1, layer.in_channels).T for layer in readers], axis=1)


def _saliency(model: ir.Model, layer: Layer, powers: Powers) -> np.ndarray:
    """float64 [rows, taps, in-channels]: squared weights times the power of their inputs; the sum is one."""
    squares = weight(model, layer).astype(np.float64).reshape(layer.rows, layer.taps, layer.in_channels) ** 2
    squares *= powers.get(layer.name, np.ones(layer.in_channels))
    return squares / max(squares.sum(), np.finfo(np.float64).tiny)


def _powers(model: ir.Model, calibration: Calibration) -> Powers:
    """The variance of each in-channel's inputs, all positions alike; the mean square where no bias takes the mean."""
    import torch

    from spcompile.ir.layers import find_layers
    from spcompile.pruning.network import Network

    network, layers, powers = Network(model), {layer.name: layer for layer in find_layers(model)}, {}
    with torch.no_grad():
        values = {name: samples[:SAMPLES] for name, samples in network.samples(calibration.feeds).items()}
        for step in network.steps:
            if (layer := layers.get(step.name)) is not None and layer.groups == 1:
                powers[layer.name] = _power(layer, values[layer.input])
            network.step(step, values)
    return powers


def _power(layer: Layer, samples) -> np.ndarray:
    """samples [S, *shape of the layer's input] -> [in-channels]"""
    channels_last = samples.movedim(-3, -1) if layer.op_type == "Conv" else samples
    flat = channels_last.reshape(-1, layer.in_channels).double()
    power = (flat.var(0, correction=0) if layer.bias is not None else flat.square().mean(0)).numpy()
    return power if np.isfinite(power).all() else np.ones_like(power)  # pruning refuses such data, by name
