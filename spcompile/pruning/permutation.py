"""Rows that want the same columns are made neighbours, so that blocks of rows lose less. It costs nothing at run time: the neighbouring layers follow.

Pool and Yu 2021, "Channel permutations for N:M sparsity" (NeurIPS 34), put columns in an order that suits a pattern; this does so with rows, for blocks.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx_ir as ir

from spcompile.ir.layer import Layer
from spcompile.ir.layers import weight
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.channels import Channels, free_channels, reordered

LEVELS = 4  # of doubling: neighbours for blocks of 2, 4, 8 and 16 rows
KEPT = 0.4  # share of weights that neighbours are chosen for; between a half and a fifth the outcome hardly differs
ROUNDS = 3  # of matching at each doubling, at least; more change almost nothing
MATCHED = 512  # units in all rounds together, at least: few units are matched more often, which costs nothing
SAMPLES = 16  # of the calibration data, which say how large inputs are
COLUMNS = 512  # drawn by chance, that stand for all where there are more: the time of matching grows with rows squared times columns


def permuted(model: ir.Model, calibration: Calibration | None = None, threads: int = 1) -> ir.Model:
    """A copy that computes the same, the rows of its layers in an order that suits blocks of 2, 4, 8 and 16 rows. model: prepared.

    Without calibration data all inputs count as equally large.
    """
    channels = sorted((found for found in free_channels(model) if found.count > 1), key=lambda found: -found.count)
    powers = _powers(model, calibration) if calibration is not None else {}
    with ThreadPoolExecutor(threads) as pool:  # SciPy's routines let each other run; the longest begin
        orders = pool.map(lambda found: order_of(_saliency(model, found, powers)), channels)
        return reordered(model, zip(channels, orders, strict=True))


def order_of(saliency: np.ndarray) -> np.ndarray:
    """saliency [rows, columns], >= 0 -> the order of rows, int64: from neighbour pairs to pairs of pairs and on, where the rows divide."""
    order, saliency = np.arange(len(saliency)), _sampled(saliency)
    for level in range(LEVELS):
        size = 2**level
        if len(saliency) % (2 * size):
            break
        units = saliency[order].reshape(-1, size, saliency.shape[1]).sum(axis=1)
        order = order.reshape(-1, size)[_paired(units.astype(np.float32))].reshape(-1)
    return order


def _sampled(saliency: np.ndarray) -> np.ndarray:
    columns = saliency.shape[1]
    return saliency if columns <= COLUMNS else saliency[:, np.random.default_rng(0).choice(columns, COLUMNS, replace=False)]


def _paired(units: np.ndarray) -> np.ndarray:
    """units [2 n, columns] -> an order in which 2 i and 2 i + 1 go well together: what both together have above a threshold, summed over columns, is large.

    The threshold is what a pair's column must have to be kept. One partner of every pair stays, the others are matched anew, exactly; which one, chance
    decides each time, so that any two can meet.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    random, staying, moving = np.random.default_rng(0), *np.arange(len(units)).reshape(-1, 2).T
    for _ in range(max(ROUNDS, MATCHED // len(units))):
        turned = random.random(len(staying)) < 0.5
        staying, moving = np.where(turned, moving, staying), np.where(turned, staying, moving)
        threshold = np.quantile(units[staying] + units[moving], 1 - KEPT).astype(np.float32)
        # max(x, 0) = (x + |x|) / 2, and what is the same for a whole row or column does not change who is matched with whom.
        gains = cdist(threshold - units[staying], units[moving], "cityblock")
        moving = moving[linear_sum_assignment(gains, maximize=True)[1]]
    return np.stack([staying, moving], axis=1).reshape(-1)


def _saliency(model: ir.Model, channels: Channels, powers: dict[str, np.ndarray]) -> np.ndarray:
    """float64 [channels, columns of all layers that write them]: squared weights times the power of their inputs; every layer's sum is one."""
    parts = []
    for layer in channels.writers:
        power = powers.get(layer.name, np.ones(layer.in_channels))
        squares = weight(model, layer).astype(np.float64) ** 2 * np.tile(power, layer.taps)
        parts.append(squares / max(squares.sum(), np.finfo(np.float64).tiny))
    return np.concatenate(parts, axis=1)


def _powers(model: ir.Model, calibration: Calibration) -> dict[str, np.ndarray]:
    """By layer: the variance of each in-channel's inputs, all positions alike; the mean square where no bias takes the mean."""
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
