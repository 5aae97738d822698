"""Measured times of artifacts, in turns: several runs, each with the models loaded anew, so that where their memory happens to lie is part of the noise.

Of each layer too, timed in its place. Neighbours only ever add time. So a run counts by its fastest round, and runs go on until some of them agree about it.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spcompile.check.figures import LayerTime, Times
from spcompile.check.snapshot import layer_names
from spcompile.check.stepwise import Stepwise
from spcompile.runtime.artifact import load, read_manifest, target_of
from spcompile.runtime.host import runs_here
from spcompile.runtime.measure import MAX_ROUNDS, MIN_ROUNDS, Sample, measure
from spcompile.verdict import Verdict

RUN_S = 0.4  # of one run of one artifact, and as long again for its layers
SHORTEST_S, LEAST_SHARE = 20e-6, 0.01  # of a layer whose time is kept; a share of the network's
AGREEING, AGREED = 3, 0.01  # so many runs no further apart than this end the measuring
MOST_RUNS = 12


def times_of(*folders: Path) -> tuple[Times, ...] | Verdict:
    """Of each artifact, all timed in turns; a Verdict where the code of one cannot run here."""
    for folder in folders:
        target = target_of(read_manifest(folder))
        if not (verdict := runs_here(target.triple, target.lanes_fp32)):
            return verdict
    samples: list[list[Sample]] = [[] for _ in folders]
    layers: list[list[Mapping[str, Sample]]] = [[] for _ in folders]
    kept = []  # what earlier runs loaded: memory that is given back would be given out again, and every run lie in the same place
    while len(samples[0]) < AGREEING or (len(samples[0]) < MOST_RUNS and any(times(taken).noise > AGREED for taken in samples)):
        calls, stepped = {str(place): _call(folder) for place, folder in enumerate(folders)}, [Stepwise(folder) for folder in folders]
        kept.append((calls, stepped))
        found, found_layers = measure(calls, RUN_S * len(folders)), _layers(stepped, RUN_S * len(folders))
        for place in range(len(folders)):
            samples[place].append(found[str(place)])
            layers[place].append(found_layers[place])
    return tuple(times(*taken) for taken in zip(samples, layers, strict=True))


def times(samples: Sequence[Sample], layers: Sequence[Mapping[str, Sample]] = ()) -> Times:
    """What at least AGREEING runs of one artifact say together."""
    typical_s, noise = _agreed(samples)
    low_s, median_s, high_s = Sample(tuple(time_s for sample in samples for time_s in sample.times_s)).quartiles_s
    found = {name: LayerTime(*_agreed([run[name] for run in layers])) for name in (layers[0] if layers else ())}
    long = {name: each for name, each in found.items() if each.undisturbed_s >= max(SHORTEST_S, LEAST_SHARE * typical_s)}
    return Times(typical_s, noise, median_s, low_s, high_s, len(samples), sum(sample.rounds for sample in samples), long)


def _agreed(samples: Sequence[Sample]) -> tuple[float, float]:
    """(seconds, noise) of the runs that agree best."""
    best_s = sorted(sample.fastest_s for sample in samples)[:AGREEING]
    typical_s = statistics.median(best_s)
    return typical_s, (best_s[-1] - best_s[0]) / typical_s


def _layers(stepped: Sequence[Stepwise], seconds: float) -> list[Mapping[str, Sample]]:
    """Of each artifact the times of its layers, for about so many seconds altogether; each round after one that is not timed, as in `measure`."""
    rounds: list[list] = [[] for _ in stepped]
    end = time.perf_counter() + seconds
    while len(rounds[0]) < MIN_ROUNDS or (time.perf_counter() < end and len(rounds[0]) < MAX_ROUNDS):
        for one, taken in zip(stepped, rounds, strict=True):
            one.round()
            taken.append(one.round())
    return [_by_layer(one, taken) for one, taken in zip(stepped, rounds, strict=True)]


def _by_layer(stepwise: Stepwise, rounds: list) -> Mapping[str, Sample]:
    columns = defaultdict(list)
    for column, name in enumerate(layer_names(stepwise.steps)):
        columns[name].append(column)
    return {name: Sample(tuple(float(row[places].sum()) for row in rounds)) for name, places in columns.items()}


def _call(folder: Path) -> Callable[[], object]:
    import numpy as np

    from spcompile.runtime.verify import random_array

    model, rng = load(folder), np.random.default_rng(0)
    return model.bind({tensor.name: random_array(tensor, rng) for tensor in model.inputs})
