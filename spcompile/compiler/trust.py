"""How far to trust what was measured of one layer at a time: plans that follow from more or less trust are pruned, and the best one decides."""

from collections.abc import Callable, Mapping

import numpy as np

from spcompile.plan import Plan
from spcompile.search import Problem, choose

USUAL, OTHERS = 0.5, (1.0, 0.25)  # powers of the sensitivities; the more is pruned at once, the less layers differ
BETTER = 0.9  # of the usual plan's harm, from which on another one is believed to do less: few samples tell, and they wander by some per cent
LEAST = 1e-9  # of a sensitivity: where no output moved at all


def tempered(problem: Problem, sensitivities: Mapping[str, float], power: float) -> Problem:
    """Each layer's error = local error x sensitivity^power, in units that leave the geometric mean of the sensitivities as it is.

    sensitivities: by layer name; a layer without one keeps its errors.
    """
    logs = {name: np.log(max(sensitivity, LEAST)) for name, sensitivity in sensitivities.items()}
    typical = np.mean(list(logs.values())) if logs else 0.0
    return problem.weighed({name: float(np.exp((power - 1) * (log - typical))) for name, log in logs.items()})


def trusted(problem: Problem, sensitivities: Mapping[str, float], limit_s: float, harm: Callable[[Plan], float]) -> Problem:
    """The problem, tempered so that its plan for this budget does little harm: as usual, unless another does clearly less.

    harm: of a plan as a whole, expensive; asked once for each different plan.
    """
    different: dict[tuple, tuple[Problem, Plan]] = {}
    for power in (USUAL, *OTHERS):
        candidate = tempered(problem, sensitivities, power)
        plan = choose(candidate, limit_s)
        different.setdefault(tuple(plan.choices.items()), (candidate, plan))
    if len(different) == 1:
        return problem
    usual, *others = ((harm(plan), candidate) for candidate, plan in different.values())
    best = min(others, key=lambda judged: judged[0])
    return (best if best[0] < BETTER * usual[0] else usual)[1]
