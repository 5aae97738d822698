"""From typical inputs to whole numbers."""

import numpy as np
import pytest

from spcompile.accelerator.quantised import quantise
from spcompile.errors import TargetError
from spcompile.passes import prepare
from spcompile.targets import load_target


def test_infinite_numbers_are_refused_where_they_would_be_whole_ones(build):
    text = "g (float[1,8] x, float[1,8] mask) => (float[1,8] y) { a = MatMul(x, w)  l = Log(mask)  y = Add(a, l) }"
    model = prepare(build(text, w=np.eye(8, dtype=np.float32)))
    feeds = {"x": np.ones((1, 8), np.float32), "mask": np.eye(1, 8, dtype=np.float32)}
    with pytest.raises(TargetError, match="'l' becomes infinite, and zcu104 computes it in int8: mask with finite"):
        quantise(model, feeds, load_target("zcu104"))
    assert quantise(model, feeds, load_target("s4-bf16")).weights
