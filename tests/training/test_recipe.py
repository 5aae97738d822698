"""How many samples a batch has."""

import pytest

from spcompile.training.recipe import Recipe


@pytest.mark.parametrize(
    ("values", "bytes_", "batch"),
    [
        (1, 1, 128),  # the most
        (1 << 19, 1e6, 64),  # as many as make up the values wanted
        (1 << 25, 1e8, 32),  # the least, where a sample takes long
        (1 << 25, 3e8, 13),  # fewer yet, where memory ends
        (1 << 25, 5e9, 1),  # one must fit
    ],
)
def test_batches(values, bytes_, batch):
    assert Recipe().batch_of(values, int(bytes_)) == batch
