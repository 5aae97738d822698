"""Samples that judge a recovery, and are never learned from."""

import math
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from spcompile.errors import DataError
from spcompile.pruning import Calibration

SHARE = 0.1
MOST = 64  # more would cost time that training needs
LEAST = 8
LEAST_SAMPLES = 20


def held_out(calibration: Calibration, model: ir.Model, seed: int) -> tuple[Calibration, Calibration]:
    """-> samples to fit the weights to, pruning included, and samples to judge them by. DataError when there are fewer than 20."""
    batches = {value.name: value.shape.numpy()[0] for value in model.graph.inputs}
    count = len(next(iter(calibration.feeds.values()))) // batches[next(iter(calibration.feeds))]
    if count < LEAST_SAMPLES:
        raise DataError(f"{calibration.source}: {count} samples; recovery needs at least {LEAST_SAMPLES}, hundreds to be of use")
    order = np.random.default_rng(seed).permutation(count)
    judging = min(MOST, max(LEAST, math.floor(SHARE * count)))
    learned, judged = (
        replace(calibration, feeds={name: _picked(array, batches[name], part) for name, array in calibration.feeds.items()})
        for part in (np.sort(order[judging:]), np.sort(order[:judging]))
    )
    return learned, judged


def _picked(array: np.ndarray, batch: int, samples: np.ndarray) -> np.ndarray:
    return array.reshape(-1, batch, *array.shape[1:])[samples].reshape(-1, *array.shape[1:])
