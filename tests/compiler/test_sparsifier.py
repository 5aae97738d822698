"""What a plan makes of the network's weights."""

import numpy as np

from spcompile.compiler import sparsifier
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.progress import Silent
from spcompile.pruning import PRUNERS, calibration_from, prune
from spcompile.search import choose
from tests.compiler.test_trust import HALF_S, MODEL, PROBLEM
from tests.pruning.samples import images


def test_the_zeros_a_plan_ends_with_are_those_that_recovery_begins_with(monkeypatch, tmp_path):
    """The budget is held against them: pruned with all samples the network might have others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fitted = []
    monkeypatch.setattr(sparsifier, "prune", lambda model, choices, data, *rest: fitted.append(data) or prune(model, choices, data, *rest))
    whole = Sparsifier.of(MODEL, calibration_from(images(40), MODEL), PRUNERS[-1], 0, 0.01, Silent())
    plan = choose(PROBLEM, HALF_S)
    masked, recovered = whole.masked(plan).masks, whole.recovered(plan).masks
    assert fitted == [whole.learned] and whole.learned is not whole.data
    assert all(np.array_equal(masked[name], recovered[name]) for name in masked)
    whole.pruned(plan)
    assert fitted[1:] == [whole.data]


def test_without_recovery_pruning_is_the_end():
    whole = Sparsifier.of(MODEL, calibration_from(images(40), MODEL), PRUNERS[-1], 0, None, Silent())
    plan = choose(PROBLEM, HALF_S)
    assert whole.masked(plan) is whole.pruned(plan)
