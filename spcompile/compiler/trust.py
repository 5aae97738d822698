"""How far to trust what was measured of one layer at a time: plans that follow from more or less trust are pruned, and the best one decides."""

from collections.abc import Callable, Mapping

import numpy as np

from spcompile.plan import Plan
from spcompile.search import Problem, choose

POWERS = (1.0, 0.5, 0.25)  # of the sensitivities; the more is pruned at once, the less layers differ
LEAST = 1e-9  # of a sensitivity: where no output moved at all


def tempered(problem: Problem, sensitivities: Mapping[str, float], power: float) -> Problem:
    """Each layer's error = local error x sensitivity^power, in units that leave the geometric mean of the sensitivities as it is.

    sensitivities: by layer name; a layer without one keeps its errors.
    """
    logs = {name: np.log(max(sensitivity, LEAST)) for name, sensitivity in sensitivities.items()}
    typical = np.mean(list(logs.values())) if logs else 0.0
    return problem.weighed({name: float(np.exp((power - 1) * (log - typical))) for name, log in logs.items()})


def trusted(problem: Problem, sensitivities: Mapping[str, float], limit_s: float, harm: Callable[[Plan], float]) -> Problem:
    """The problem, tempered so that its plan for this budget does the least harm. harm: of a plan as a whole, expensive; asked once for each different plan."""
    different: dict[tuple, tuple[Problem, Plan]] = {}
    for power in POWERS:
        candidate = tempered(problem, sensitivities, power)
        plan = choose(candidate, limit_s)
        different.setdefault(tuple(plan.choices.items()), (candidate, plan))
    if len(different) == 1:
        return problem
    return min(different.values(), key=lambda found: harm(found[1]))[0]
