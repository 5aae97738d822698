import numpy as np
import pytest

from spcompile.ir.layer import Layer
from spcompile.patterns import GENERAL, PATTERNS, Choice, parse
from spcompile.patterns.balanced import Balanced
from spcompile.patterns.n_of_m import NOfM


@pytest.mark.parametrize("of", [4, 16, 32])
def test_every_group_keeps_equally_many_at_every_level(of):
    saliency = np.random.default_rng(of).random((6, 4 * of))
    for level in Balanced(of).levels:
        kept = Balanced(of).mask(saliency, level).reshape(6, 4, of).sum(axis=2)
        assert (kept == round(of * (1 - level))).all()


def test_up_to_one_of_thirty_two():
    assert Balanced(32).levels == (0.5, 0.75, 0.875, 0.9375, 0.96875)
    assert Choice(Balanced(32), 0.96875).notation == "balanced32@0.96875" and parse("balanced32") == Balanced(32)


def test_groups_may_straddle_taps_but_not_rows():
    layer = Layer("l", "Conv", "w", None, "x", "y", 8, 9 * 12, 16, kernel=(3, 3))
    assert Balanced(4).holds(layer) and not NOfM(1, 8).fits(layer)
    assert Balanced(32).fits(layer).reason == "108 columns are not a multiple of 32"


def test_n_of_m_reaches_groups_of_thirty_two():
    assert {(pattern.kept, pattern.of) for pattern in PATTERNS if isinstance(pattern, NOfM) and pattern.of == 32} == {(1, 32), (2, 32), (4, 32), (8, 32)}
    assert PATTERNS[: len(GENERAL)] == GENERAL and not any(isinstance(pattern, Balanced) for pattern in GENERAL)
