"""What a user hands in -> the values that compilation works on."""

import pytest

from spcompile.compiler.inputs import chosen_patterns
from spcompile.patterns import parse

OFFERED = (parse("dense"), parse("channel"))


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (None, "dense channel"),
        ("2:4,block4x1", "2:4 block4x1"),
        (["2:4", "block4x1"], "2:4 block4x1"),
        (["2:4,block4x1", "channel"], "2:4 block4x1 channel"),
        (("2:4, block4x1", parse("1:4"), "2:4"), "2:4 block4x1 1:4"),
        ([], ""),
    ],
)
def test_patterns(given, chosen):
    """However they are listed, none is lost and each is there once."""
    assert [pattern.notation for pattern in chosen_patterns(given, OFFERED)] == chosen.split()
