"""Every pattern's survivors are stored and read back exactly, at awkward sizes too."""

import numpy as np
import pytest

from spcompile.formats import pack, unpack
from spcompile.ir.layer import Layer
from spcompile.patterns import PATTERNS

LAYERS = (
    Layer("one by one", "Conv", "w", None, "x", "y", 32, 24, 49),
    Layer("three by three", "Conv", "w", None, "x", "y", 16, 9 * 8, 49, kernel=(3, 3)),
    Layer("grouped", "Conv", "w", None, "x", "y", 48, 9 * 8, 49, groups=3, kernel=(3, 3)),
    Layer("depthwise", "Conv", "w", None, "x", "y", 7, 9, 49, groups=7, kernel=(3, 3)),
    Layer("classifier", "Gemm", "w", None, "x", "y", 1001, 72, 1),
    Layer("stem", "Conv", "w", None, "x", "y", 30, 27, 49, kernel=(3, 3)),
    Layer("one column", "Gemm", "w", None, "x", "y", 32, 1, 1),
)


PAIRS = [(pattern, layer) for pattern in PATTERNS for layer in LAYERS if pattern.fits(layer)]


@pytest.mark.parametrize(("pattern", "layer"), PAIRS, ids=lambda value: getattr(value, "notation", None) or value.name)
def test_unpack_inverts_pack(pattern, layer):
    matrix = np.random.default_rng(0).standard_normal((layer.rows, layer.columns)).astype(np.float32)
    for sparsity in pattern.sparsities(layer):
        mask = pattern.mask(np.abs(matrix), sparsity)
        pruned = np.where(mask, matrix, 0)
        packed = pack(pruned, mask, pattern.block_rows, layer.groups)
        np.testing.assert_array_equal(unpack(packed), pruned)
        assert packed.padding == 0 and packed.values.size == mask.sum()  # a block pattern stores its survivors and nothing else
    np.testing.assert_array_equal(unpack(pack(pruned, None, 4, layer.groups)), pruned)
