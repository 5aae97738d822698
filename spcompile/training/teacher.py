"""What the pruned network is to come close to."""

from collections.abc import Collection, Iterable

import onnx_ir as ir
import torch
import torch.nn.functional as F

from spcompile.ir.layer import Layer
from spcompile.pruning.network import Network, Values

LEAST_SPREAD = 1e-12  # of an output that is the same for all samples


class Teacher:
    """The dense network's outputs, and those of the layers that are hinted at, on any inputs."""

    def __init__(self, dense: ir.Model, dtype: torch.dtype, layers: Iterable[Layer], hint_share: float):
        self.network = Network(dense, dtype)
        self.hinted = _hinted([layer for layer in layers if layer.output in self.network.shapes and layer.output not in self.network.outputs], hint_share)
        self.spreads: dict[str, float] = {}

    def see(self, feeds: Values) -> Values:
        """Like `wanted`; and from these samples each value takes its measure: the mean square by which samples differ from their mean."""
        wanted = self.wanted(feeds)
        for name, value in wanted.items():
            self.spreads[name] = max(float((value.float() - value.float().mean(0)).square().mean()), LEAST_SPREAD)
        return wanted

    def wanted(self, feeds: Values) -> Values:
        with torch.no_grad():
            return traced(self.network, feeds, {}, self.hinted)

    def output_error(self, got: Values, wanted: Values) -> torch.Tensor:
        """Relative squared error, the mean over the network's outputs."""
        return self._error(self.network.outputs, got, wanted)

    def hint_error(self, got: Values, wanted: Values) -> torch.Tensor | float:
        """The same over the hinted layers."""
        return self._error(self.hinted, got, wanted) if self.hinted else 0.0

    def _error(self, names: Iterable[str], got: Values, wanted: Values) -> torch.Tensor:
        return torch.stack([F.mse_loss(got[name], wanted[name]).float() / self.spreads[name] for name in names]).mean()


def traced(network: Network, feeds: Values, weights: Values, kept: Collection[str]) -> Values:
    """The graph's outputs, and the values named in `kept`."""
    values, seen = dict(feeds), {}
    for step in network.steps:
        network.step(step, values, weights)
        seen.update({name: values[name] for name in step.outputs if name in kept})
    return {**seen, **{name: values[name] for name in network.outputs}}


def _hinted(layers: list[Layer], share: float) -> tuple[str, ...]:
    """Outputs of layers, smallest first and of equals the last, as long as all together hold no more than `share` of the values of all layers."""
    sizes = {layer.output: layer.rows * layer.positions for layer in reversed(layers)}
    room, chosen = share * sum(sizes.values()), []
    for name in sorted(sizes, key=sizes.get):
        if (room := room - sizes[name]) < 0:
            break
        chosen.append(name)
    return tuple(chosen)
