import numpy as np
import pytest

from spcompile.errors import ModelError
from spcompile.passes import prepare


@pytest.mark.parametrize(("name", "dtype"), [("float16", np.float16), ("double", np.float64)])
def test_other_types_are_refused_by_name(build, name, dtype):
    model = build(f"g ({name}[2,3] x) => ({name}[2,4] y) {{ [fc] y = MatMul(x, w) }}", w=np.zeros((3, 4), dtype))
    with pytest.raises(ModelError, match=rf"node 'fc' \(MatMul\) computes in {name}; convert the model to float32 first"):
        prepare(model)
