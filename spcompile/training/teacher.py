"""What the pruned network is to come close to."""

from collections.abc import Collection

import onnx_ir as ir
import torch
import torch.nn.functional as F

from spcompile.ir.layers import find_layers
from spcompile.pruning.network import Network, Values
from spcompile.training.hints import hints

LEAST_SPREAD = 1e-12  # of an output that is the same for all samples
CONFIDENT = 0.3  # class scores give their best class such a probability, on average; other vectors spread theirs
LEAST_PROBABILITY = 1e-9
CLOSE_TO_ONE = 0.01  # sums of probabilities, in a short number type


class Teacher:
    """The dense network's outputs, and the values that are hinted at, on any inputs."""

    def __init__(self, dense: ir.Model, dtype: torch.dtype, most_hints: int, softening: float):
        self.network, self.softening = Network(dense, dtype), softening
        self.hinted = hints(self.network, find_layers(dense), most_hints)
        self.spreads: dict[str, float] = {}
        self.classes: set[str] = set()
        self.probable: set[str] = set()

    def see(self, feeds: Values) -> Values:
        """Like `wanted`; and from these samples it learns which outputs are class scores, and by how much the samples differ in each value."""
        wanted = self.wanted(feeds)
        for name, value in wanted.items():
            self.spreads[name] = max(float((value.float() - value.float().mean(0)).square().mean()), LEAST_SPREAD)
        self.probable = {name for name in self.network.outputs if are_probabilities(wanted[name])}
        self.classes = {name for name in self.network.outputs if self._confidence(name, wanted) >= CONFIDENT}
        return wanted

    def wanted(self, feeds: Values) -> Values:
        with torch.no_grad():
            return traced(self.network, feeds, {}, self.hinted)

    def output_error(self, got: Values, wanted: Values, softening: float = 1.0) -> torch.Tensor:
        """The mean over the network's outputs of the relative squared error, plus the divergence where an output is class scores.

        Never the divergence alone: it is blind to what scores have in common, and an output may only look like scores.
        """
        errors = [self._relative(name, got, wanted) for name in self.network.outputs]
        divergences = [self._divergence(name, got, wanted, softening) for name in self.network.outputs if name in self.classes]
        return torch.stack(errors + divergences).sum() / len(errors)

    def loss(self, got: Values, wanted: Values, hint_weight: float) -> torch.Tensor:
        """Error of the outputs, softened, and of the hinted values: mean relative squared error."""
        outputs = self.output_error(got, wanted, self.softening)
        return outputs + hint_weight * torch.stack([self._relative(name, got, wanted) for name in self.hinted]).mean() if self.hinted else outputs

    @property
    def measure(self) -> str:
        """What `output_error` is, in words."""
        return "relative squared error" + (" plus divergence of class probabilities" if self.classes else "")

    def _confidence(self, name: str, wanted: Values) -> float:
        """Mean probability of the best class, were the last axis one of classes."""
        value = wanted[name]
        return float(self._log_probabilities(name, value, 1.0).exp().amax(-1).mean()) if value.is_floating_point() and value.shape[-1] > 2 else 0.0

    def _log_probabilities(self, name: str, value: torch.Tensor, softening: float) -> torch.Tensor:
        value = value.float()
        return F.log_softmax((value.clamp_min(LEAST_PROBABILITY).log() if name in self.probable else value) / softening, -1)

    def _divergence(self, name: str, got: Values, wanted: Values, softening: float) -> torch.Tensor:
        """Kullback and Leibler's, from the wanted distribution, the mean over samples; scaled so that gradients do not depend on `softening`
        (Hinton et al. 2015, section 2)."""
        found, aim = (self._log_probabilities(name, values[name], softening) for values in (got, wanted))
        return softening**2 * (aim.exp() * (aim - found)).sum(-1).mean()

    def _relative(self, name: str, got: Values, wanted: Values) -> torch.Tensor:
        return F.mse_loss(got[name], wanted[name]).float() / self.spreads[name]


def are_probabilities(values: torch.Tensor) -> bool:
    """None negative, and every vector along the last axis with a sum of one."""
    return values.is_floating_point() and bool((values >= 0).all()) and bool(((values.float().sum(-1) - 1).abs() < CLOSE_TO_ONE).all())


def traced(network: Network, feeds: Values, weights: Values, kept: Collection[str]) -> Values:
    """The graph's outputs, and the values named in `kept`."""
    values, seen = dict(feeds), {}
    for step in network.steps:
        network.step(step, values, weights)
        seen.update({name: values[name] for name in step.outputs if name in kept})
    return {**seen, **{name: values[name] for name in network.outputs}}
