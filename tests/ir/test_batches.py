"""Arrays in batches of the model's own size, beside numbers that all batches share."""

import numpy as np
import pytest

from spcompile.errors import DataError
from spcompile.ir.batches import batches, has_shape, length, part, whole_batches

SHAPES = {"s": (), "x": (2, 3), "z": (1,)}
ARRAYS = {"s": np.array(7), "x": np.arange(15).reshape(5, 3), "z": np.arange(2)}


def test_batches_are_whole_and_scalars_belong_to_each():
    first, second = batches(ARRAYS, SHAPES)
    assert [batch["x"].tolist() for batch in (first, second)] == [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    assert [batch["z"].tolist() for batch in (first, second)] == [[0], [1]]
    assert first["s"] is second["s"] is ARRAYS["s"]
    assert part(ARRAYS, SHAPES, 0, 2)["x"].tolist() == ARRAYS["x"][:4].tolist()


def test_what_is_counted():
    assert (whole_batches(ARRAYS, SHAPES), length(ARRAYS)) == (2, 5)
    assert (whole_batches({"s": np.array(7)}, {"s": ()}), length({"s": np.array(7)})) == (1, 1)


def test_inputs_of_different_lengths():
    with pytest.raises(DataError, match=r"^mine: the inputs have different numbers of samples: x 5, z 3$"):
        whole_batches({**ARRAYS, "z": np.arange(3)}, SHAPES, "mine: ")


@pytest.mark.parametrize(("form", "shape", "fits"), [((5, 3), (1, 3), True), ((5, 4), (1, 3), False), ((3,), (1, 3), False), ((), (), True), ((1,), (), False)])
def test_shapes(form, shape, fits):
    assert has_shape(np.zeros(form), shape) == fits
