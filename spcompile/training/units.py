"""What steps of training are measured in."""

import math

import numpy as np
import torch

from spcompile.ir.layer import Layer
from spcompile.pruning.network import Values
from spcompile.training.batch_norms import scale_of

LEAST_SIZE = 1e-3  # of a row, against the largest of its layer
TINY = 1e-30


def weight_units(layers: tuple[Layer, ...], weights: Values) -> Values:
    """What a step is measured in, for every weight and bias: the root mean square of its row, since folded batch norms leave rows of very different size;
    for a bias that of its row's products, were the inputs of size one, and where a scale is among the weights, for both the scale's own size.
    Powers of two, so that nothing is lost by dividing."""
    units = {}
    for layer in layers:
        matrix = layer.to_matrix(weights[layer.weight].numpy()).astype(np.float64)
        sizes = np.sqrt((matrix**2).mean(axis=1, keepdims=True))
        rows = _power_of_two(torch.from_numpy(sizes)).numpy()
        units[layer.weight] = torch.from_numpy(np.array(layer.from_matrix(np.repeat(rows, layer.columns, axis=1))))
        if scale_of(layer) in weights:
            units[scale_of(layer)] = units[layer.bias] = _power_of_two(weights[scale_of(layer)])
        elif layer.bias is not None:
            units[layer.bias] = torch.from_numpy(rows[:, 0] * np.float32(2.0 ** round(math.log2(layer.columns) / 2)))
    return units


def _power_of_two(sizes: torch.Tensor) -> torch.Tensor:
    """The nearest one to each; tiny sizes count as a small share of the largest."""
    return sizes.clamp_min(LEAST_SIZE * float(sizes.max()) + TINY).log2().round().exp2().float()
