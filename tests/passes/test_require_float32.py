import numpy as np
import pytest

from spcompile.errors import ModelError
from spcompile.passes import prepare


@pytest.mark.parametrize(("name", "dtype"), [("float16", np.float16), ("double", np.float64)])
@pytest.mark.parametrize(("label", "called"), [("[fc]", "fc"), ("", "y")])
def test_other_types_are_refused_by_name(build, name, dtype, label, called):
    """Without a name, by that of the output."""
    model = build(f"g ({name}[2,3] x) => ({name}[2,4] y) {{ {label} y = MatMul(x, w) }}", w=np.zeros((3, 4), dtype))
    with pytest.raises(ModelError, match=rf"node '{called}' \(MatMul\) computes in {name}; convert the model to float32 first"):
        prepare(model)
