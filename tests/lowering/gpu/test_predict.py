"""What the predictor expects of a pattern, against matrices that have it."""

import dataclasses

import numpy as np
import pytest

from spcompile.formats.column_vectors import pack
from spcompile.ir.layer import Layer
from spcompile.lowering.gpu.predict import expected_steps, takes
from spcompile.patterns import parse, parse_choice
from spcompile.targets import load_target

POINTWISE = Layer("a", "Conv", "w", None, "x", "y", rows=64, columns=64, positions=49)


@pytest.mark.parametrize("sparsity", [0.5, 0.7, 0.9, 0.97])
def test_steps_that_vectors_need(sparsity):
    choice = parse_choice(f"block8x1@{sparsity}")
    matrix = np.random.default_rng(0).standard_normal((512, 1024))
    packed = pack(np.where(choice.pattern.mask(np.abs(matrix), choice.sparsity), matrix, 0))
    assert packed.density == pytest.approx(expected_steps(choice), rel=0.03)


@pytest.mark.parametrize(
    ("change", "notation", "target", "reason"),
    [
        ({}, "block8x1", "a100", ""),
        ({}, "block16x1", "rtx-4090", ""),
        ({"kernel": (3, 3), "columns": 576}, "block8x1", "a100", "reads positions side by side"),
        ({"strides": (2, 2)}, "block8x1", "a100", "reads positions side by side"),
        ({"groups": 2}, "block8x1", "a100", "whole matrices only"),
        ({}, "block8x1", "t4", "the shared memory of t4 is too small"),
        ({}, "block4x1", "a100", "one for blocks of 8 rows is the smallest"),
    ],
)
def test_layers_that_vectors_suit(change, notation, target, reason):
    verdict = takes(dataclasses.replace(POINTWISE, **change), parse(notation), load_target(target))
    assert bool(verdict) == (not reason) and reason in verdict.reason
