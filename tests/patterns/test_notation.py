import re

import pytest

from spcompile.errors import NotationError
from spcompile.patterns import Choice, parse, parse_choice, parse_patterns
from spcompile.patterns.block import Block
from spcompile.patterns.dense import Dense
from spcompile.patterns.n_of_m import NOfM
from spcompile.patterns.unstructured import Unstructured


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("dense", Choice(Dense(), 0.0)),
        ("2:4", Choice(NOfM(2, 4), 0.5)),
        ("block4x1@0.8", Choice(Block(4), 0.8)),
        (" block4x1@80% ", Choice(Block(4), 0.8)),
        ("unstructured@.95", Choice(Unstructured(), 0.95)),
        ("unstructured@92.5%", Choice(Unstructured(), 0.925)),
    ],
)
def test_choices(text, choice):
    assert parse_choice(text) == choice


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("block5x1@0.8", "unknown pattern 'block5x1': did you mean"),
        ("Block4x1@0.8", "did you mean block4x1"),
        ("4:2", "did you mean 4:32 or 4:8"),
        ("zebra", "patterns are dense, unstructured, block2x1"),
        ("", "unknown pattern ''"),
        ("2:4@0.5", "'2:4@0.5': 2:4 has one level (0.5 zeros), write '2:4' without a number"),
        ("block4x1", "'block4x1' needs its share of zeros: write for example 'block4x1@0.8'"),
        ("block4x1@", "must lie between 0 and 1, as 0.8 or 80%"),
        ("block4x1@80", "must lie between 0 and 1, as 0.8 or 80%"),
        ("block4x1@0", "must lie between 0 and 1"),
        ("block4x1@100%", "must lie between 0 and 1"),
        ("block4x1@-0.5", "must lie between 0 and 1"),
        ("block4x1@nan", "must lie between 0 and 1"),
        ("block4x1@1e-1", "must lie between 0 and 1"),
    ],
)
def test_refusals_are_one_line_that_says_what_is_allowed(text, message):
    with pytest.raises(NotationError, match=re.escape(message)) as refusal:
        parse_choice(text)
    assert "\n" not in str(refusal.value)


def test_lists_keep_their_order_and_name_each_pattern_once():
    assert parse_patterns("2:4, block4x1,2:4") == (NOfM(2, 4), Block(4))
    with pytest.raises(NotationError, match="unknown pattern 'blok'"):
        parse_patterns("2:4,blok")


def test_a_bare_pattern_takes_no_level():
    with pytest.raises(NotationError, match=r"unknown pattern 'block4x1@0\.8'"):
        parse("block4x1@0.8")
