import numpy as np

from spcompile.patterns.dense import Dense


def test_keeps_everything():
    assert Dense().mask(np.zeros((2, 3)), 0.0).all()


def test_a_zero_is_counted():
    mask = np.ones((2, 3), bool)
    mask[0, 1] = False
    assert Dense().check(mask).reason == "dense keeps every weight, the mask drops 1 of 6"
