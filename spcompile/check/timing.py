"""Measured times of artifacts, in turns: several runs, each with the models loaded anew, so that where their memory happens to lie is part of the noise.

Neighbours only ever add time. So a run counts by its fastest round, and runs go on until some of them agree about it.
"""

import statistics
from collections.abc import Callable
from pathlib import Path

from spcompile.check.figures import Times
from spcompile.runtime.artifact import load, read_manifest
from spcompile.runtime.host import runs_here
from spcompile.runtime.measure import Sample, measure
from spcompile.verdict import Verdict

RUN_S = 0.4  # of one run of one artifact
AGREEING, AGREED = 3, 0.01  # so many runs no further apart than this end the measuring
MOST_RUNS = 12


def times_of(*folders: Path) -> tuple[Times, ...] | Verdict:
    """Of each artifact, all timed in turns; a Verdict where the code of one cannot run here."""
    for folder in folders:
        target = read_manifest(folder)["target"]
        if not (verdict := runs_here(target["triple"], target["lanes_fp32"])):
            return verdict
    samples: list[list[Sample]] = [[] for _ in folders]
    kept = []  # what earlier runs loaded: memory that is given back would be given out again, and every run lie in the same place
    while len(samples[0]) < AGREEING or (len(samples[0]) < MOST_RUNS and any(times(taken).noise > AGREED for taken in samples)):
        kept.append({str(place): _call(folder) for place, folder in enumerate(folders)})
        found = measure(kept[-1], RUN_S * len(folders))
        for place, taken in enumerate(samples):
            taken.append(found[str(place)])
    return tuple(times(taken) for taken in samples)


def times(samples: list[Sample]) -> Times:
    """What at least AGREEING runs of one artifact say together."""
    best_s = sorted(sample.fastest_s for sample in samples)[:AGREEING]
    low_s, median_s, high_s = Sample(tuple(time_s for sample in samples for time_s in sample.times_s)).quartiles_s
    typical_s = statistics.median(best_s)
    return Times(typical_s, (best_s[-1] - best_s[0]) / typical_s, median_s, low_s, high_s, len(samples), sum(sample.rounds for sample in samples))


def _call(folder: Path) -> Callable[[], object]:
    import numpy as np

    from spcompile.runtime.verify import random_array

    model, rng = load(folder), np.random.default_rng(0)
    return model.bind({tensor.name: random_array(tensor, rng) for tensor in model.inputs})
