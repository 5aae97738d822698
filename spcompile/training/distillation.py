"""Training a pruned graph towards the dense one."""

import math

import numpy as np
import onnx_ir as ir
import torch

from spcompile.ir.layers import find_layers, with_weights
from spcompile.pruning import Calibration, Pruned
from spcompile.pruning.network import Network, Values, own_weights
from spcompile.training.batch_norms import Moments, NormalisedNetwork
from spcompile.training.precision import training_type
from spcompile.training.recipe import Recipe, as_many
from spcompile.training.teacher import Teacher, traced
from spcompile.training.units import weight_units
from spcompile.training.varied import varied

TINY = 1e-30
RATE_BATCHES = 3
MOMENTS_SAMPLES = (128, 2048)  # that batch norms are folded with: at least, where a sample takes long, and at most
REFOLDED = 1.02  # times the error: folding batch norms may cost no more
MOMENTS_VALUES = 1 << 29  # of all layers' outputs, in as many samples otherwise


class Distillation:
    """The network in training, with batch norms where they hold: `step` by step, `error` on samples that it never sees, `model` without norms again.

    Weights and their updates are float32; the passes run in the type that `training_type` finds best.
    """

    def __init__(self, dense: ir.Model, pruned: Pruned, learned: Calibration, judged: Calibration, seed: int, recipe: Recipe):
        self.source, self.recipe = own_weights(pruned.model), recipe
        self.layers = find_layers(self.source)
        exact = Network(self.source)
        self.samples, judging = exact.samples(learned.feeds), exact.samples(judged.feeds)
        dtype = training_type(Network(dense), dense, judging)
        self.student = NormalisedNetwork(self.source, dtype)
        self.values = sum(layer.rows * layer.positions for layer in self.layers)  # of one sample
        self.batch = recipe.batch_of(self.values, sum(exact.bytes.values()))
        self.teacher = Teacher(dense, dtype, recipe.most_hints, recipe.softening)
        self.judging = self._fed(judging)
        self.wanted = self.teacher.see(self.judging)
        self.random = torch.Generator().manual_seed(seed)
        weights = {name: exact.constants[name] for layer in self.layers for name in (layer.weight, layer.bias) if name is not None}
        weights = self._with_norms(weights)
        self.units = weight_units(self.layers, weights)
        self.alive = {layer.weight: exact.constants[layer.weight] != 0 for layer in self.layers}
        self.tuned = {name: (weights[name] / unit).requires_grad_() for name, unit in self.units.items()}
        self.optimizer = torch.optim.Adam(self.tuned.values(), betas=(0.9, 0.99))
        self.peak_rate = self._peak_rate()

    def _fed(self, feeds: Values) -> Values:
        return {name: _images_last(self.student.cast(value)) for name, value in feeds.items()}

    def _batch(self) -> Values:
        picked = torch.randint(len(next(iter(self.samples.values()))), (self.batch,), generator=self.random)
        return self._fed({name: varied(value[picked], self.random) for name, value in self.samples.items()})

    def _weights(self) -> Values:
        return {name: self.student.cast(tensor * self.units[name]) for name, tensor in self.tuned.items()}

    def _gradients(self) -> float:
        """-> the loss of one batch; its gradients are left with the tuned tensors, zero where pruned."""
        feeds = self._batch()
        wanted, got = self.teacher.wanted(feeds), traced(self.student, feeds, self._weights(), self.teacher.hinted)
        loss = self.teacher.loss(got, wanted, self.recipe.hint_weight)
        self.optimizer.zero_grad()
        loss.backward()
        for name, alive in self.alive.items():
            if self.tuned[name].grad is not None:
                self.tuned[name].grad.mul_(alive)
        return float(loss.detach())

    def _peak_rate(self) -> float:
        """Adam's first steps follow every gradient's sign. The rate at which such a step would take `first_gain` off the loss, by the first order."""
        rates = []
        for _ in range(RATE_BATCHES):
            loss = self._gradients()
            rates.append(loss / max(sum(float(tensor.grad.abs().sum()) for tensor in self.tuned.values() if tensor.grad is not None), TINY))
        return self.recipe.first_gain * sorted(rates)[RATE_BATCHES // 2]

    def step(self, share: float) -> bool:
        """One batch, at a moment of the schedule (0 begins, 1 ends). False: the loss is not finite, and nothing was changed."""
        if not math.isfinite(self._gradients()):
            return False
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak_rate * min(1.0, share / self.recipe.warm_share) * 0.5 * (1 + math.cos(math.pi * share))
        self.optimizer.step()
        return True

    def error(self) -> float:
        """Of the outputs on held-out samples, as `teacher.measure` calls it."""
        return self._error(self._folded(self.snapshot()))

    @torch.no_grad()
    def _error(self, weights: Values) -> float:
        return float(self.teacher.output_error(self.student.run(self.judging, self._cast(weights)), self.wanted))

    def _with_norms(self, weights: Values) -> Values:
        """Among them scales and shifts that change nothing, if the error stays the same when they are folded anew, with the samples at hand. A deep network
        that takes long on a sample has too few of them, and is trained without norms."""
        normed = {**weights, **self.student.unfolded(self._moments({}))}
        if self._error(self._folded(normed)) <= REFOLDED * self._error(weights):
            return normed
        self.student.without_norms()
        return weights

    def snapshot(self) -> Values:
        """The weights of now, scales among them, by name; exact zeros where pruned, whatever moment this is."""
        return {name: tensor.detach() * self.units[name] * self.alive.get(name, 1) for name, tensor in self.tuned.items()}

    def _moments(self, weights: Values) -> Moments:
        """Of what the norms read on the first samples, as they are, in about equal batches."""
        seen = as_many(MOMENTS_SAMPLES, MOMENTS_VALUES // self.values)
        few = {name: value[:seen] for name, value in self.samples.items()}
        count = -(-len(next(iter(few.values()))) // self.batch)
        split = {name: value.tensor_split(count) for name, value in few.items()}
        return self.student.moments((self._fed({name: parts[at] for name, parts in split.items()}) for at in range(count)), self._cast(weights))

    def _folded(self, snapshot: Values) -> Values:
        return self.student.folded(snapshot, self._moments(snapshot))

    def _cast(self, weights: Values) -> Values:
        return {name: self.student.cast(tensor) for name, tensor in weights.items()}

    def state(self) -> dict:
        """All that `restore` needs to go on."""
        return {"weights": self.snapshot(), "optimizer": self.optimizer.state_dict(), "random": self.random.get_state(), "peak_rate": self.peak_rate}

    def restore(self, state: dict) -> None:
        self._take(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])
        self.peak_rate = state["peak_rate"]

    def go_back(self, snapshot: Values) -> None:
        """To these weights, and on from there at half the rate."""
        self._take(snapshot)
        self.optimizer.state.clear()
        self.peak_rate /= 2

    @torch.no_grad()
    def _take(self, snapshot: Values) -> None:
        for name, tensor in self.tuned.items():
            tensor.copy_(snapshot[name] / self.units[name])

    def model(self, snapshot: Values) -> ir.Model:
        """The network with these weights, its norms folded."""
        snapshot = self._folded(snapshot)
        matrices = {layer.name: np.array(layer.to_matrix(snapshot[layer.weight].numpy())) for layer in self.layers}
        biases = {layer.name: snapshot[layer.bias].numpy() for layer in self.layers if layer.bias}
        return with_weights(self.source, matrices, biases)


def _images_last(value: torch.Tensor) -> torch.Tensor:
    """[S, batch, channels, height, width] with channels innermost, the order in which convolutions run fastest; others as they are."""
    return value.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, value.shape[:2]) if value.dim() == 5 else value
