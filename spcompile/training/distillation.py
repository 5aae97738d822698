"""Training a pruned graph towards the dense one, under frozen masks."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch

from spcompile.errors import DataError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers, with_weights
from spcompile.pruning import Calibration, Pruned
from spcompile.pruning.network import Network, Values, own_weights

HELD_OUT_SHARE = 0.1  # of the calibration samples: they judge, and are never trained on
MOST_HELD_OUT = 64  # more would cost time that training needs
LEAST_SAMPLES = 20
JUDGED_TIMES = 10


@dataclass(frozen=True)
class Recipe:
    """Adam under frozen masks, towards the dense network's output and the dense layers' outputs on the way.

    Distillation: Hinton et al. 2015, arXiv:1503.02531; layer outputs as hints: Romero et al. 2015, arXiv:1412.6550, equation 2. Inputs are blended in pairs
    (mixup, Zhang et al. 2018, arXiv:1710.09412, without labels) and images mirrored, since few samples must stand for many.
    """

    batch: int = 32
    peak_rate: float = 3e-3  # of a weight's own size: each layer's step is scaled by the root mean square of its weights
    hint_weight: float = 0.3  # of all layers' relative errors together, against the output's
    warm_share: float = 0.05  # of the time, in which the rate rises
    blend: float = 0.5  # share of batches whose inputs are blended
    most_steps: int | None = None  # end, and set the schedule, by steps instead of time: the result is then the same on every machine


class Distillation:
    """`run` trains; `best` is the error of the state kept, `first` that of the beginning, `model()` the network with that state."""

    def __init__(self, dense: ir.Model, pruned: Pruned, calibration: Calibration, seed: int, recipe: Recipe):
        self.source, self.recipe = pruned.model, recipe
        self.random = torch.Generator().manual_seed(seed)
        self.teacher, self.student = Network(dense), Network(own_weights(pruned.model))
        self.layers = {layer.name: layer for layer in find_layers(own_weights(pruned.model))}
        self.feeds = self.student.samples(calibration.feeds)
        count = len(next(iter(self.feeds.values())))
        if count < LEAST_SAMPLES:
            raise DataError(f"{calibration.source}: {count} samples; recovery needs at least {LEAST_SAMPLES}, hundreds to be of use")
        self.order = torch.randperm(count, generator=self.random)
        self.held = self.order[: min(MOST_HELD_OUT, max(8, int(HELD_OUT_SHARE * count)))]
        self.trained = self.order[len(self.held) :]
        self._collect()

    def _collect(self) -> None:
        """Trainable tensors by initializer name, and which of their entries live."""
        names = {layer.weight for layer in self.layers.values()} | {layer.bias for layer in self.layers.values() if layer.bias}
        self.weights = {name: self.student.constants[name].clone().requires_grad_() for name in sorted(names)}
        self.alive = {layer.weight: self.student.constants[layer.weight] != 0 for layer in self.layers.values()}
        rate = self.recipe.peak_rate
        groups = [{"params": [tensor], "scale": rate * max(float(tensor.detach().square().mean().sqrt()), 1e-3)} for tensor in self.weights.values()]
        self.optimizer = torch.optim.Adam(groups, lr=rate, betas=(0.9, 0.99))

    def run(self, duration_s: float, advance: Callable[[int], None]) -> None:
        """Steps until the time is up, judged on held-out samples now and then."""
        started, told, judged = time.monotonic(), 0, 0
        self.steps, self.first = 0, self._judge()
        self.best, self.state = self.first, {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        while (share := self._share(started, duration_s)) < 1:
            if not self._step(share):
                break
            if int(JUDGED_TIMES * share) > judged:
                judged = int(JUDGED_TIMES * share)
                self._keep_best()
            advance(int(share * duration_s) - told)
            told = int(share * duration_s)
        self._keep_best()
        advance(math.ceil(duration_s) - told)

    def _share(self, started: float, duration_s: float) -> float:
        """How much of the training is over: 0 at the start, 1 at the end."""
        by_steps = self.steps / self.recipe.most_steps if self.recipe.most_steps else 0.0
        elapsed = (time.monotonic() - started) / duration_s
        return elapsed if not self.recipe.most_steps or elapsed >= 1 else by_steps

    def _step(self, share: float) -> bool:
        """One batch at a moment of the schedule (0 begins, 1 ends): linear warm-up, cosine to zero. False: the loss is not finite."""
        feeds = self._batch()
        loss = self._loss(feeds)
        if not torch.isfinite(loss):
            return False
        rising = min(1.0, share / self.recipe.warm_share)
        for group in self.optimizer.param_groups:
            group["lr"] = group["scale"] * rising * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        self.optimizer.zero_grad()
        loss.backward()
        for name, alive in self.alive.items():
            if self.weights[name].grad is not None:
                self.weights[name].grad.mul_(alive)
        self.optimizer.step()
        self.steps += 1
        return True

    def _batch(self) -> Values:
        picked = self.trained[torch.randint(len(self.trained), (self.recipe.batch,), generator=self.random)]
        feeds = {name: samples[picked] for name, samples in self.feeds.items()}
        return {name: self._varied(value) if value.is_floating_point() else value for name, value in feeds.items()}

    def _varied(self, value: torch.Tensor) -> torch.Tensor:
        """Images [S, batch, channels, height, width] are mirrored half of the time; some batches are blended with themselves in another order."""
        if value.dim() == 5 and value.shape[2] in (1, 3):
            mirrored = torch.rand(len(value), generator=self.random) < 0.5
            value = torch.where(mirrored.reshape(-1, 1, 1, 1, 1), value.flip(-1), value)
        if torch.rand((), generator=self.random) < self.recipe.blend:
            part = torch.rand((len(value), *[1] * (value.dim() - 1)), generator=self.random)
            value = part * value + (1 - part) * value[torch.randperm(len(value), generator=self.random)]
        return value

    def _loss(self, feeds: Values) -> torch.Tensor:
        """Relative squared errors: of the outputs, and (weighted) the mean of those of all layers' outputs."""
        with torch.no_grad():
            wanted = _traced(self.teacher, feeds, {}, self.layers)
        got = _traced(self.student, feeds, self.weights, self.layers)
        ends = torch.stack([_relative(got[name], wanted[name]) for name in self.student.outputs]).mean()
        hints = torch.stack([_relative(got[layer.output], wanted[layer.output]) for layer in self.layers.values() if layer.output in wanted]).mean()
        return ends + self.recipe.hint_weight * hints

    def _judge(self) -> float:
        """Relative squared error of the outputs on held-out samples."""
        with torch.no_grad():
            feeds = {name: samples[self.held] for name, samples in self.feeds.items()}
            got, wanted = self.student.run(feeds, self.weights), self.teacher.run(feeds)
            return float(torch.stack([_relative(got[name], wanted[name]) for name in self.student.outputs]).mean())

    def _keep_best(self) -> None:
        found = self._judge()
        if found < self.best:
            self.best, self.state = found, {name: tensor.detach().clone() for name, tensor in self.weights.items()}

    def model(self) -> ir.Model:
        """The model given, with the best weights found."""
        matrices = {layer.name: np.array(layer.to_matrix(self.state[layer.weight].numpy())) for layer in self.layers.values()}
        biases = {layer.name: self.state[layer.bias].numpy() for layer in self.layers.values() if layer.bias}
        return with_weights(self.source, matrices, biases)


def _traced(network: Network, feeds: Values, weights: Mapping[str, torch.Tensor], layers: Mapping[str, Layer]) -> Values:
    """Values of the layers' outputs and of the graph's."""
    values, seen = dict(feeds), {}
    for step in network.steps:
        network.step(step, values, weights)
        if step.name in layers:
            seen.update({name: values[name] for name in step.outputs if name in values})
    return {**seen, **{name: values[name] for name in network.outputs}}


def _relative(got: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared error relative to how much the samples differ from each other."""
    return (got - wanted).square().sum() / (wanted - wanted.mean(0, keepdim=True)).square().sum().clamp_min(1e-12)
