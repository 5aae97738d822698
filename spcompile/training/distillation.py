"""Training a pruned graph towards the dense one."""

import math

import numpy as np
import onnx_ir as ir
import torch

from spcompile.ir.layers import find_layers, with_weights
from spcompile.pruning import Calibration, Pruned
from spcompile.pruning.network import Network, Values, own_weights
from spcompile.training.precision import training_type
from spcompile.training.recipe import Recipe
from spcompile.training.teacher import Teacher, traced
from spcompile.training.varied import varied

LEAST_SIZE = 1e-3  # of a tensor, for its learning rate


class Distillation:
    """The network in training: `step` by step, `error` on samples that it never sees, `model` with the weights of now.

    Weights and their updates are float32; the passes run in the type that `training_type` finds best.
    """

    def __init__(self, dense: ir.Model, pruned: Pruned, learned: Calibration, judged: Calibration, seed: int, recipe: Recipe):
        self.source, self.recipe = own_weights(pruned.model), recipe
        self.layers = find_layers(self.source)
        exact = Network(self.source)
        self.samples, judging = exact.samples(learned.feeds), exact.samples(judged.feeds)
        dtype = training_type(Network(dense), dense, judging)
        self.student = Network(self.source, dtype)
        self.teacher = Teacher(dense, dtype, self.layers, recipe.hint_share)
        self.judging = self._fed(judging)
        self.wanted = self.teacher.see(self.judging)
        self.random = torch.Generator().manual_seed(seed)
        names = {name for layer in self.layers for name in (layer.weight, layer.bias) if name is not None}
        self.weights = {name: exact.constants[name].clone().requires_grad_() for name in sorted(names)}
        self.alive = {layer.weight: exact.constants[layer.weight] != 0 for layer in self.layers}
        groups = [{"params": [tensor], "scale": max(float(tensor.detach().square().mean().sqrt()), LEAST_SIZE)} for tensor in self.weights.values()]
        self.optimizer = torch.optim.Adam(groups, lr=recipe.peak_rate, betas=(0.9, 0.99))

    def _fed(self, feeds: Values) -> Values:
        return {name: _images_last(self.student.cast(value)) for name, value in feeds.items()}

    def _batch(self) -> Values:
        count, recipe = len(next(iter(self.samples.values()))), self.recipe
        picked = torch.randint(count, (recipe.batch,), generator=self.random)
        return self._fed({name: varied(value[picked], self.random, recipe.blend, recipe.least_cut) for name, value in self.samples.items()})

    def _cast(self) -> Values:
        return {name: self.student.cast(tensor) for name, tensor in self.weights.items()}

    def step(self, share: float) -> bool:
        """One batch, at a moment of the schedule (0 begins, 1 ends). False: the loss is not finite, and nothing was changed."""
        feeds = self._batch()
        wanted, got = self.teacher.wanted(feeds), traced(self.student, feeds, self._cast(), self.teacher.hinted)
        loss = self.teacher.output_error(got, wanted) + self.recipe.hint_weight * self.teacher.hint_error(got, wanted)
        if not torch.isfinite(loss):
            return False
        self.optimizer.zero_grad()
        loss.backward()
        rate = self.recipe.peak_rate * min(1.0, share / self.recipe.warm_share) * 0.5 * (1 + math.cos(math.pi * share))
        for group in self.optimizer.param_groups:
            group["lr"] = group["scale"] * rate
        for name, alive in self.alive.items():
            if self.weights[name].grad is not None:
                self.weights[name].grad.mul_(alive)
        self.optimizer.step()
        return True

    @torch.no_grad()
    def error(self) -> float:
        """Relative squared error of the outputs on held-out samples."""
        return float(self.teacher.output_error(self.student.run(self.judging, self._cast()), self.wanted))

    def snapshot(self) -> Values:
        """The weights of now, by initializer; exact zeros where pruned, whatever moment this is."""
        return {name: tensor.detach() * self.alive[name] if name in self.alive else tensor.detach().clone() for name, tensor in self.weights.items()}

    def state(self) -> dict:
        """All that `restore` needs to go on."""
        return {"weights": self.snapshot(), "optimizer": self.optimizer.state_dict(), "random": self.random.get_state()}

    def restore(self, state: dict) -> None:
        with torch.no_grad():
            for name, tensor in self.weights.items():
                tensor.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"])

    def model(self, snapshot: Values) -> ir.Model:
        """The network with these weights."""
        matrices = {layer.name: np.array(layer.to_matrix(snapshot[layer.weight].numpy())) for layer in self.layers}
        biases = {layer.name: snapshot[layer.bias].numpy() for layer in self.layers if layer.bias}
        return with_weights(self.source, matrices, biases)


def _images_last(value: torch.Tensor) -> torch.Tensor:
    """[S, batch, channels, height, width] with channels innermost, the order in which convolutions run fastest; others as they are."""
    return value.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, value.shape[:2]) if value.dim() == 5 else value
