"""Samples that judge a recovery, and are never learned from."""

import onnx_ir as ir

from spcompile.errors import DataError
from spcompile.pruning import Calibration
from spcompile.pruning.calibration import parted, samples
from spcompile.pruning.network import Network
from spcompile.training.recipe import as_many

SHARE = 0.1
JUDGING = (8, 256)  # samples, at least and at most: more would cost time that training needs
JUDGING_BYTES = 1e9  # of what is alive at a time while they are run, all at once; comparing them with what is wanted takes several times that of an output
LEAST_SAMPLES = 20


def held_out(calibration: Calibration, model: ir.Model, seed: int) -> tuple[Calibration, Calibration]:
    """-> samples to fit the weights to, pruning included, and samples to judge them by. DataError when there are fewer than 20."""
    count = samples(calibration, model)
    if count < LEAST_SAMPLES:
        raise DataError(f"{calibration.source}: {count} samples; recovery needs at least {LEAST_SAMPLES}, hundreds to be of use")
    fitting = JUDGING_BYTES // Network(model).peak_bytes()
    return parted(calibration, model, as_many(JUDGING, int(min(SHARE * count, fitting))), seed)
