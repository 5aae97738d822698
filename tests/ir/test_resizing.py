import numpy as np
import pytest

from spcompile.ir.resizing import asked_factors, repeats_elements

NEAREST = 'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"'


def resize(build, kind: str, factors=(1, 1, 2, 3), inputs: str = "x, , s", **more):
    height, width = (int(size * factor) for size, factor in zip((4, 5), factors[2:], strict=True))
    text = f"g (float[1,1,4,5] x) => (float[1,1,{height},{width}] y) {{ y = Resize<{kind}>({inputs}) }}"
    return build(text, **(more or {"s": np.array(factors, np.float32)})).graph[0]


@pytest.mark.parametrize(
    ("kind", "factors", "expected"),
    [
        (NEAREST, (1, 1, 2, 3), True),
        ('mode="nearest"', (1, 1, 2, 3), True),
        (NEAREST, (1, 1, 2.2, 3), False),
        (NEAREST, (1, 1, 1.5, 3), False),
        (NEAREST.replace("floor", "ceil"), (1, 1, 2, 3), False),
        ('mode="linear"', (1, 1, 2, 3), False),
    ],
)
def test_whole_factors_of_the_nearest_repeat(build, kind, factors, expected):
    assert repeats_elements(resize(build, kind, factors)) == expected


def test_factors_asked_for(build):
    assert asked_factors(resize(build, NEAREST)) == [1, 1, 2, 3]
    by_size = resize(build, NEAREST, inputs="x, , , size", size=np.array([1, 1, 8, 15], np.int64))
    assert asked_factors(by_size) == []
    assert repeats_elements(by_size)
