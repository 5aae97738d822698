"""Slowdowns planted in one layer while a network is compiled: what `spcompile check` is there to find. Each is a context; what is compiled inside has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np

from spcompile.compiler import sparsifier
from spcompile.costs.cpu import predict
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.lowering import linear, tasks
from spcompile.lowering.choosing import fastest
from spcompile.pruning import Pruned


@contextmanager
def worse_tile(layer: str, factor: float) -> Iterator[list[float]]:
    """The layer gets the register tile whose predicted time is nearest above `factor` times the best. Yields a list to which that time's factor is added."""
    found, inside, product = [], [], linear._product

    def product_of(emitter, site, its, *rest, **named):
        inside.append(its.name == layer)
        try:
            return product(emitter, site, its, *rest, **named)
        finally:
            inside.pop()

    def choose(site, blocks, target, threads, *options, scattered=False):
        best, rows, latency = fastest(site, blocks, target, threads, *options, scattered=scattered)
        if not inside or not inside[-1]:
            return best, rows, latency
        best_s = predict(best.work(), target, threads).expected_s
        kernels = site.kernels(rows, 0 if rows is None else round(blocks(rows)), target, threads, scattered, round(blocks(1)))
        slower = [(predict(kernel.work(), target, threads).expected_s / best_s, kernel) for kernel in kernels]
        times, kernel = min((entry for entry in slower if entry[0] >= factor), key=lambda entry: entry[0])
        found.append(times)
        return kernel, rows, latency

    with patch.object(linear, "_product", product_of), patch.object(linear, "fastest", choose):
        yield found


@contextmanager
def lost_fusion(layer: str) -> Iterator[None]:
    """The layer's kernel no longer applies what follows it, such as its activation."""
    grow = tasks._grow

    def grow_others(task, *rest):
        if task.node is None or task.node.name != layer:
            grow(task, *rest)

    with patch.object(tasks, "_grow", grow_others):
        yield


@contextmanager
def denser(layer: str, share: float) -> Iterator[None]:
    """The layer keeps so much more of its weights: some of those that pruning took come back, with the values they had."""
    prune = sparsifier.prune

    def prune_less(model, *rest) -> Pruned:
        pruned = prune(model, *rest)
        (its,) = [found for found in find_layers(model) if found.name == layer]
        dense, kept = weight(model, its), weight(pruned.model, its).copy()
        gone = np.flatnonzero((kept == 0) & (dense != 0))
        back = np.random.default_rng(0).choice(gone, round(share * np.count_nonzero(kept)), replace=False)
        kept.flat[back] = dense.flat[back]
        return Pruned(with_weights(pruned.model, {layer: kept}), pruned.masks, pruned.notes)

    with patch.object(sparsifier, "prune", prune_less):
        yield
