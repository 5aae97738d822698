import numpy as np
import pytest

from spcompile.errors import ModelError
from spcompile.ir.finite import is_mask, require_finite

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("values", [[1, NAN], [INF, 0], [0, -INF]])
def test_what_is_not_finite_is_refused_by_name(values):
    require_finite("parameter 'fc.bias'", np.ones(3, np.float32))
    with pytest.raises(ModelError, match=r"^parameter 'fc.bias' holds NaN or infinity; weights and biases must be finite numbers: take") as caught:
        require_finite("parameter 'fc.bias'", np.array(values, np.float32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("values", "mask"), [([0, -INF], True), ([1.5, -INF], True), ([0, 1], False), ([INF, -INF], False), ([NAN, -INF], False), ([], False)])
def test_masks_are_told_by_minus_infinity_alone(values, mask):
    assert is_mask(np.array(values, np.float32)) is mask
