"""Batch norms while training: those that exporting folded into the weights, or that the network never had.

A row's scale and shift get weights of their own and every row the size that suits the next layer, whatever pruning left of it: the same steps go further
(Ioffe and Szegedy 2015, arXiv:1502.03167; docs/accuracy-experiments.md has figures). Afterwards they are folded back, as constants.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import onnx_ir as ir
import torch
import torch.nn.functional as F

from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, shared_weights
from spcompile.pruning.network import Network, Step, Values

LEAST_POSITIONS = 16  # of a row in a sample; with fewer the statistics of a batch are mostly noise
EPSILON = 1e-8  # added to variances: a row that is the same everywhere stays finite
Moments = dict[str, tuple[torch.Tensor, torch.Tensor]]  # mean and variance per row, float32, by layer name


class NormalisedNetwork(Network):
    """The graph with a batch norm in the place of the bias of every convolution that can have one.

    A run norms the layers whose `scale_of` is among its weights; the weight under the bias's name is then the shift. Without it, it is `Network`.
    """

    def __init__(self, model: ir.Model, dtype: torch.dtype):
        super().__init__(model, dtype)
        layers = find_layers(model)
        shared = {name for names in shared_weights(layers).values() for name in names}
        self.normed = {layer.name: layer for layer in layers if _can_be_normed(layer) and layer.name not in shared}
        self.seen: Moments | None = None

    def step(self, step: Step, values: Values, weights: Mapping[str, torch.Tensor] = {}) -> None:
        layer = self.normed.get(step.name)
        normed = layer is not None and scale_of(layer) in weights
        super().step(replace(step, inputs=step.inputs[:2]) if normed else step, values, weights)
        if layer is None:
            return
        samples = values[layer.output]
        images = samples.flatten(0, 1)
        if self.seen is not None:
            variance, mean = torch.var_mean(images.float(), (0, 2, 3), correction=0)
            self.seen[layer.name] = mean, variance
        if normed:
            parameters = (self.cast(weights[name]) for name in (scale_of(layer), layer.bias))
            values[layer.output] = F.batch_norm(images, None, None, *parameters, training=True, eps=EPSILON).unflatten(0, samples.shape[:2])

    def without_norms(self) -> None:
        """From here on it is `Network`."""
        self.normed = {}

    @torch.no_grad()
    def moments(self, batches: Iterable[Values], weights: Values) -> Moments:
        """Of what the norms read, or would read in the place of the bias; the mean over batches."""
        found = []
        for feeds in batches if self.normed else ():
            self.seen = {}
            self.run(feeds, weights)
            found.append(self.seen)
        self.seen = None
        return {name: tuple(torch.stack([batch[name][k] for batch in found]).mean(0) for k in (0, 1)) for name in self.normed}

    def unfolded(self, moments: Moments) -> Values:
        """Scales and shifts that change nothing, by name. moments: of the network as it is."""
        scales = {scale_of(layer): _deviation(moments[name]) for name, layer in self.normed.items()}
        return {**scales, **{layer.bias: moments[name][0] for name, layer in self.normed.items()}}

    def folded(self, weights: Values, moments: Moments) -> Values:
        """Weights with scales -> without. moments: of the network with these weights."""
        plain = dict(weights)
        for name, layer in self.normed.items():
            factor = plain.pop(scale_of(layer)) / _deviation(moments[name])
            plain[layer.weight] = weights[layer.weight] * factor.reshape(-1, 1, 1, 1)
            plain[layer.bias] = weights[layer.bias] - moments[name][0] * factor
        return plain


def scale_of(layer: Layer) -> str:
    """The name of its scale among the weights."""
    return f"{layer.bias}:scale"


def _can_be_normed(layer: Layer) -> bool:
    return layer.op_type == "Conv" and layer.bias is not None and layer.positions >= LEAST_POSITIONS


def _deviation(moments: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return (moments[1] + EPSILON).sqrt()
