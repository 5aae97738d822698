"""Layers that share a weight are given one matrix, so what the inputs of all of them say is put together."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import reduce

from spcompile.ir.layer import Layer
from spcompile.pruning.evidence import Evidence, diagonal
from spcompile.pruning.network import Network
from spcompile.pruning.streams import Streams

Visits = tuple[tuple[int, Layer], ...]  # the number of each layer's step, ascending, and the layer


def visits_by_weight(network: Network, layers: Iterable[Layer]) -> dict[str, Visits]:
    """By initializer: the layers that multiply by it."""
    by_name, found = {layer.name: layer for layer in layers}, {}
    for at, step in enumerate(network.steps):
        if (layer := by_name.get(step.name)) is not None:
            found[layer.weight] = (*found.get(layer.weight, ()), (at, layer))
    return found


def ahead(streams: Streams, visits: Visits) -> Iterator[tuple[Streams, Layer]]:
    """A walk from where `streams` waits, which stays there, to each of the layers."""
    walk = streams.branch()
    for at, layer in visits:
        walk.advance(at)
        yield walk, layer


def pooled(parts: Iterable[Evidence]) -> Evidence:
    """Of layers that share a weight, as if the first of them had seen all of their positions.

    Summed over the uses of a weight, each factor by itself, as K-FAC does for recurrent networks (Martens, Ba and Johnson 2018, "Kronecker-factored
    curvature approximations for recurrent neural networks").
    """
    return reduce(merged, parts)


def merged(first: Evidence, second: Evidence) -> Evidence:
    """Of two layers that share a weight, each position counting alike."""
    positions = first.positions + second.positions
    share = second.positions / positions
    found = {name: (1 - share) * getattr(first, name) + share * getattr(second, name) for name in ("gram", "cross", "mean_dense", "mean_pruned")}
    if first.row_factor is not None:
        one, other = first.row_factor, second.row_factor
        one, other = (one, other) if one.ndim == other.ndim else (diagonal(one), diagonal(other))
        found["row_factor"] = (1 - share) * one + share * other
    halves = tuple(map(merged, first.halves, second.halves)) if first.halves and second.halves else None
    return replace(first, **found, positions=positions, halves=halves)
