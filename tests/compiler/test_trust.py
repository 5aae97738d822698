"""How far sensitivities are trusted."""

import numpy as np
import pytest

from spcompile.compiler import sparsifier
from spcompile.compiler.planning import problem_of
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.compiler.trust import BETTER, OTHERS, USUAL, tempered, trusted
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import GENERAL
from spcompile.progress import Silent
from spcompile.pruning import PRUNERS, Magnitude, calibration_from
from spcompile.search import choose
from spcompile.targets import load_target
from tests.pruning.samples import network

TARGET = load_target("cortex-a72")
MODEL = network()
PROBLEM = problem_of(
    MODEL, Predictor(lower(MODEL, TARGET), TARGET, 1), TARGET, 1, GENERAL, lambda layer, choice: len(layer.name) * choice.sparsity**2 + 1e-3, Silent()
)
SENSITIVITIES = {entry.layer.name: 100.0**number for number, entry in enumerate(PROBLEM.layers)}
HALF_S = PROBLEM.dense_s / 1.5


def errors(problem):
    return np.array([option.error for entry in problem.layers for option in entry.options[1:]])


def test_full_trust_changes_nothing():
    assert np.array_equal(errors(tempered(PROBLEM, SENSITIVITIES, 1.0)), errors(PROBLEM))


def test_less_trust_divides_by_what_stands_out():
    halved = tempered(PROBLEM, {"point": 4.0, "conv": 1.0}, 0.5)
    for entry, given in zip(halved.layers, PROBLEM.layers, strict=True):
        factor = {"point": 0.5**0.5, "conv": 2**0.5}.get(entry.layer.name, 1.0)
        assert [option.error for option in entry.options] == pytest.approx([factor * option.error for option in given.options])


def test_without_sensitivities_there_is_nothing_to_judge():
    assert trusted(PROBLEM, {}, HALF_S, lambda plan: pytest.fail("asked")) is PROBLEM
    assert trusted(PROBLEM, dict.fromkeys(SENSITIVITIES, 0.0), HALF_S, lambda plan: pytest.fail("asked")) is PROBLEM


def plans():
    return [choose(tempered(PROBLEM, SENSITIVITIES, power), HALF_S).choices for power in (USUAL, *OTHERS)]


def test_the_plan_that_harms_least_decides():
    different = [choices for number, choices in enumerate(plans()) if choices not in plans()[:number]]
    assert len(different) > 1
    for best in different:
        asked = []
        found = trusted(PROBLEM, SENSITIVITIES, HALF_S, lambda plan, best=best, asked=asked: asked.append(plan.choices) or float(plan.choices != best))
        assert choose(found, HALF_S).choices == best and asked == different


def test_the_usual_trust_holds_unless_another_plan_harms_clearly_less():
    usual, other = plans()[:2]
    assert usual != other
    for harm, decides in ((BETTER + 0.01, usual), (BETTER - 0.01, other)):
        found = trusted(PROBLEM, SENSITIVITIES, HALF_S, lambda plan, harm=harm: harm if plan.choices == other else 1.0)
        assert choose(found, HALF_S).choices == decides


@pytest.mark.parametrize("pruner", [Magnitude(), PRUNERS[-1]], ids=lambda pruner: pruner.name)
def test_more_pruned_harms_more(pruner):
    random = np.random.default_rng(0)
    given = {value.name: random.normal(size=(16, *value.shape.numpy()[1:])).astype(np.float32) for value in MODEL.graph.inputs}
    whole = Sparsifier.of(MODEL, calibration_from(given, MODEL), pruner, 0, None, Silent())
    little, much = (whole.harm(choose(PROBLEM, PROBLEM.dense_s / speedup)) for speedup in (1.1, 2.0))
    assert 0 < little < much
    assert whole.harm(choose(PROBLEM, None)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("count", "fitted"), [(32, 24), (8, 8)])
def test_samples_that_judge_were_not_fitted_to(monkeypatch, count, fitted):
    given = np.random.default_rng(0).normal(size=(count, *next(iter(MODEL.graph.inputs)).shape.numpy()[1:])).astype(np.float32)
    seen, original = [], sparsifier.prune
    monkeypatch.setattr(sparsifier, "prune", lambda model, choices, data, *rest: seen.append(data) or original(model, choices, data, *rest))
    whole = Sparsifier.of(MODEL, calibration_from(given, MODEL), PRUNERS[-1], 0, None, Silent())
    assert whole.harm(choose(PROBLEM, HALF_S)) > 0
    _, judges, dense = whole._trial
    learned, judging = ({row.tobytes() for row in next(iter(data.feeds.values()))} for data in (seen[0], judges))
    assert len(learned) == fitted and len(judging) == len(dense)
    assert learned | judging == {row.tobytes() for row in given} and (count == fitted or not learned & judging)
