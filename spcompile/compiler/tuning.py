"""Filling the tuning store: kernels of every layer timed on this host, each in its place in the network."""

from collections import defaultdict

import numpy as np
import onnx_ir as ir

from spcompile.kernels.kernel import Kernel
from spcompile.lowering.choosing import Product
from spcompile.lowering.lower import lower, lower_together
from spcompile.lowering.tuning_store import Entry, TuningStore, key
from spcompile.progress import Progress
from spcompile.runtime.host import cpu_model
from spcompile.runtime.on_host import ProgramOnHost
from spcompile.targets.target import Target

ROUNDS = 15
WORTH = 0.03  # of its time that a layer must gain before another kernel than the one predicted fastest is stored


def tune(model: ir.Model, target: Target, threads: int, store: TuningStore, progress: Progress) -> tuple[Entry, ...]:
    """Store, for each product of the model that is not in the store yet, the contender that is fastest; -> what was added.

    Contenders are timed as whole networks, the n-th of every layer together, in turns: so each meets the caches as it will find them. Where inputs of a
    batch run one after the other, that is the network of one.
    """
    model = lower(model, target, threads, lambda layer, product, predicted: predicted).model
    offered = _offered(model, target, threads)
    known = store.variants()
    open_ = {layer: kernels for layer, (product, kernels) in offered.items() if key(product, target, threads) not in known}
    if not open_:
        return ()
    store.add(())  # what cannot be kept is told before minutes were spent on it
    times = _times(model, target, threads, open_, progress)
    groups = defaultdict(list)  # layers of one key are one product: a network's repeated blocks
    for layer in open_:
        groups[key(offered[layer][0], target, threads)].append(layer)
    entries = tuple(_entry(name, [(open_[layer], times[layer]) for layer in layers]) for name, layers in groups.items())
    store.add(entries)
    return entries


def _offered(model: ir.Model, target: Target, threads: int) -> dict[str, tuple[Product, list[Kernel]]]:
    found = {}

    def note(layer: str, product: Product, predicted: Kernel) -> Kernel:
        found[layer] = (product, product.contenders(target, threads))
        return predicted

    lower_together(model, target, threads, note)
    return found


def _times(model: ir.Model, target: Target, threads: int, offered: dict[str, list[Kernel]], progress: Progress) -> dict[str, np.ndarray]:
    """-> layer -> seconds of its contenders in their fastest round: other work only adds."""
    most = max(map(len, offered.values()))
    with progress.stage("tune", most) as advance:
        loaded = []
        for number in range(most):
            program = lower_together(model, target, threads, lambda layer, _, predicted, n=number: _nth(offered.get(layer, [predicted]), n)).program
            loaded.append(ProgramOnHost(program, target, threads))
            advance()
        rounds = np.array([[_by_layer(network) for network in loaded] for _ in range(ROUNDS)])
    return {layer: np.array([min(r[n][layer] for r in rounds) for n in range(len(kernels))]) for layer, kernels in offered.items()}


def _nth(kernels: list[Kernel], number: int) -> Kernel:
    return kernels[number] if number < len(kernels) else kernels[0]


def _by_layer(network: ProgramOnHost) -> dict[str, float]:
    found = defaultdict(float)
    for step, seconds in zip(network.program.steps, network.round(), strict=True):
        found[step.layer] += seconds
    return found


def _entry(name: str, layers: list[tuple[list[Kernel], np.ndarray]]) -> Entry:
    """Of layers with one product, so with the same contenders."""
    kernels, seconds = layers[0][0], np.mean([times for _, times in layers], axis=0)
    best = int(seconds.argmin())
    best = best if seconds[best] < (1 - WORTH) * seconds[0] else 0
    return Entry(name, kernels[best].variant, float(seconds[best]), kernels[0].variant, float(seconds[0]), cpu_model())
