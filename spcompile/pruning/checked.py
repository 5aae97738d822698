"""What pruners give, held to what they promise: they may come from users."""

import numpy as np

from spcompile.errors import PatternError
from spcompile.patterns import Choice
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.pruner import Pruner


def mask_by(pruner: Pruner, evidence: Evidence, choice: Choice) -> np.ndarray:
    """The pruner's mask, bool [rows, columns]. Raises PatternError where the pattern does not hold."""
    mask = pruner.mask(evidence, choice)
    if mask.shape != evidence.weight.shape or mask.dtype != bool:
        raise PatternError(f"pruner {pruner.name} gave layer '{evidence.layer.name}' a mask {mask.dtype} {mask.shape}; it must be bool {evidence.weight.shape}")
    if not (verdict := choice.pattern.check(mask)):
        raise PatternError(f"pruner {pruner.name} gave layer '{evidence.layer.name}' a mask that is not {choice.notation}: {verdict.reason}")
    return mask


def solved_by(pruner: Pruner, evidence: Evidence, mask: np.ndarray) -> np.ndarray:
    """What its solver makes of the mask, float32 [rows, columns]. Raises PatternError where a pruned weight is not zero or one is not finite."""
    new = pruner.solver.solve(evidence, mask)
    if new.shape != mask.shape or new.dtype != np.float32 or not np.isfinite(new).all() or new[~mask].any():
        expected = f"finite float32 {mask.shape}, zero where the mask is"
        raise PatternError(f"the solver of pruner {pruner.name} gave layer '{evidence.layer.name}' weights {new.dtype} {new.shape} that are not {expected}")
    return new
