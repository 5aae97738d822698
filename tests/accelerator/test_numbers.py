from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spcompile.accelerator.numbers import Affine, Requantiser, quantise_weights


@given(low=st.floats(-1e4, 0), high=st.floats(0, 1e4))
def test_zero_is_a_number_of_its_own(low, high):
    affine = Affine.of_range(low, high)
    assert affine.real(affine.numbers(np.zeros(1, np.float32)))[0] == 0.0
    ends = np.array([low, high], np.float32)
    assert np.abs(affine.real(affine.numbers(ends)) - ends).max() <= 1.001 * affine.scale


@given(ratio=st.floats(1e-7, 100.0), total=st.integers(-(2**31), 2**31 - 1), zero=st.integers(-128, 127))
def test_requantising_is_the_formula_in_exact_arithmetic(ratio, total, zero):
    how = Requantiser.of(np.array([ratio]), zero)
    factor, shift = int(how.factors[0]), int(how.shifts[0])
    rounded = (Fraction(total * factor, 2**shift) + Fraction(1, 2)).__floor__()
    assert how.numbers(np.array([[total]]))[0, 0] == max(-128, min(127, rounded + zero))
    assert shift == 40 or abs(factor / 2.0**shift / ratio - 1) <= 2**-15


def test_zero_weights_stay_zero_and_the_largest_uses_the_whole_range():
    rng = np.random.default_rng(0)
    matrix = (rng.standard_normal((6, 40)) * (rng.random((6, 40)) < 0.3)).astype(np.float32)
    matrix[2] = 0
    found = quantise_weights(matrix, np.ones(6, np.float32), Affine(0.1, -3), Affine(0.2, 5))
    assert not found.matrix[matrix == 0].any()
    assert (np.abs(found.matrix).max(axis=1)[[0, 1, 3, 4, 5]] == 127).all() and found.scales[2] > 0
    np.testing.assert_allclose(found.biases * found.scales * 0.1, 1.0, atol=found.scales.max() * 0.1)


def test_a_row_without_weights_still_tells_its_bias():
    source, result = Affine(0.02, 0), Affine(0.05, -128)
    found = quantise_weights(np.zeros((1, 4), np.float32), np.array([1.234], np.float32), source, result)
    numbers = Requantiser.of(found.scales * source.scale / result.scale, result.zero).numbers(found.biases[:, None])
    assert result.real(numbers)[0, 0] == pytest.approx(1.234, abs=result.scale / 2 + 1e-6)
