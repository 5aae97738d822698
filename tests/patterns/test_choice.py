import pytest

from spcompile.patterns import Choice
from spcompile.patterns.block import Block
from spcompile.patterns.n_of_m import NOfM


def test_notation_shows_a_level_where_there_is_a_choice_of_levels():
    assert Choice(Block(4), 0.8).notation == "block4x1@0.8"
    assert Choice(NOfM(2, 4), 0.5).notation == "2:4"
    assert Choice(Block(4), 0.8).density == pytest.approx(0.2)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, float("nan")])
def test_a_level_is_a_share(sparsity):
    with pytest.raises(AssertionError):
        Choice(Block(4), sparsity)
