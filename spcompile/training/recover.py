"""Recovery without labels: the pruned graph is trained to give what the dense one gives."""

import math
from dataclasses import replace

import onnx_ir as ir

from spcompile.progress import Progress, Silent
from spcompile.pruning import Calibration, Pruned
from spcompile.training.distillation import Distillation, Recipe


def recover(
    dense: ir.Model,
    pruned: Pruned,
    calibration: Calibration,
    duration_s: float,
    seed: int = 0,
    progress: Progress | None = None,
    recipe: Recipe | None = None,
) -> Pruned:
    """Train for `duration_s`; the state that does best on held-out samples is given back, the one given if none does better. Masks stay as they are.

    Raises DataError when there are fewer than 20 samples. A loss that is not finite ends the training early with the best state so far.
    """
    distillation = Distillation(dense, pruned, calibration, seed, recipe or Recipe())
    with (progress or Silent()).stage("recover", math.ceil(duration_s)) as advance:
        distillation.run(duration_s, advance)
    gain = f"relative squared error of the output {distillation.first:.4f} -> {distillation.best:.4f} on held-out samples"
    note = f"recovered without labels: {distillation.steps} steps in {duration_s:g} s, {gain}"
    return replace(pruned, model=distillation.model(), notes=(*pruned.notes, note))
