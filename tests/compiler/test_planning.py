"""The problem that a search solves: zeros that are there already cost nothing, and are counted once."""

import numpy as np
import pytest

from spcompile.compiler.planning import problem_of
from spcompile.ir.layers import find_layers, weight, with_weights
from spcompile.lowering.lower import lower
from spcompile.lowering.predict import Predictor
from spcompile.patterns import PATTERNS, Pattern, parse, parse_choice
from spcompile.progress import Silent
from spcompile.targets import load_target
from tests.pruning.samples import network

TARGET = load_target("cortex-a72")


def errors_by_choice(zeros: str | None) -> dict[str, dict[str, float]]:
    """Layer -> notation -> error, where every option would do harm 1 but for zeros present; `zeros`: the choice that all layers obey already."""
    model = network()
    if zeros:
        choice, random = parse_choice(zeros), np.random.default_rng(0)
        fitting = [layer for layer in find_layers(model) if choice.pattern.fits(layer)]
        masks = {layer.name: choice.pattern.mask(random.random((layer.rows, layer.columns)), choice.sparsity) for layer in fitting}
        model = with_weights(model, {layer.name: weight(model, layer) * masks[layer.name] for layer in fitting})
    problem = problem_of(model, Predictor(lower(model, TARGET), TARGET, 1), TARGET, 1, PATTERNS, lambda layer, choice: 1.0, Silent())
    return {entry.layer.name: {option.choice.notation: option.error for option in entry.options} for entry in problem.layers}


def test_without_zeros_every_option_but_dense_does_harm():
    for options in errors_by_choice(None).values():
        assert {error for notation, error in options.items() if notation != "dense"} <= {1.0} and options["dense"] == 0


def test_zeros_that_are_there_do_no_harm_and_more_do():
    found = errors_by_choice("2:4")["point"]
    assert found["2:4"] == 0 and found["unstructured@0.5"] == 0
    assert found["unstructured@0.8"] == 1 and found["1:4"] == 1


def test_a_stray_zero_is_no_reason_to_look_at_every_pattern(monkeypatch):
    """Looking means cutting the whole matrix into units, once for each pattern."""
    model = network()
    matrices = {layer.name: weight(model, layer).copy() for layer in find_layers(model)}
    for matrix in matrices.values():
        matrix[0, 0] = 0
    model = with_weights(model, matrices)
    predictor = Predictor(lower(model, TARGET), TARGET, 1)
    monkeypatch.setattr(Pattern, "present", lambda *_: pytest.fail("counted"))
    monkeypatch.setattr(Pattern, "check", lambda *_: pytest.fail("checked"))
    patterns = (parse("dense"), parse("unstructured"), parse("block4x1"), parse("2:4"))
    large = [entry for entry in problem_of(model, predictor, TARGET, 1, patterns, lambda *_: 1.0, Silent()).layers if len(entry.options) > 1]
    assert large and all(option.error == 1 for entry in large for option in entry.options[1:])
