"""Numbers as GPU registers hold them: types, and the fragments of PTX ISA 8.7, sections 9.7.14.5 and 9.7.14.6."""

import ml_dtypes
import numpy as np

DTYPES = {"bfloat16": ml_dtypes.bfloat16, "bool": np.bool_}
DTYPES_OF = {"f16": "float16", "bf16": "bfloat16"}
SHARED_AT = 0x410  # address of the first byte of shared memory


def numpy_dtype(name) -> np.dtype:
    return np.dtype(DTYPES.get(str(name), str(name)))


def _halves(register: np.ndarray, dtype) -> np.ndarray:
    """[32] words -> [32, 2] numbers, the lower half first."""
    return np.ascontiguousarray(register.astype(np.uint32)).view(dtype).reshape(32, 2).astype(np.float64)


def a_matrix(registers: list, dtype) -> np.ndarray:
    """Of m16n8k16: register r holds row lane / 4 (+ 8 if r is odd), columns 2 (lane % 4), + 1 (+ 8 for r = 2, 3)."""
    a = np.empty((16, 16))
    for lane in range(32):
        for r, register in enumerate(registers):
            column = lane % 4 * 2 + r // 2 * 8
            a[lane // 4 + r % 2 * 8, column : column + 2] = _halves(register, dtype)[lane]
    return a


def b_matrix(registers: list, dtype) -> np.ndarray:
    """Register r holds rows 8 r + 2 (lane % 4), + 1 of column lane / 4."""
    b = np.empty((8 * len(registers), 8))
    for lane in range(32):
        for r, register in enumerate(registers):
            row = 8 * r + lane % 4 * 2
            b[row : row + 2, lane // 4] = _halves(register, dtype)[lane]
    return b


def spread(packed: np.ndarray, metadata: np.ndarray, selector: int) -> np.ndarray:
    """[16, 16] kept numbers -> [16, 32]: lanes 4 g + 2 selector (columns 0-15) and that + 1 (16-31), row g in the lower half, g + 8 in the upper."""
    row, kept = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    words = metadata[row % 8 * 4 + 2 * selector + kept // 8].astype(np.int64)
    places = words >> (row // 8 * 16 + kept % 8 * 2) & 3
    assert (places[:, ::2] < places[:, 1::2]).all(), "metadata that is not ascending is undefined"
    found = np.zeros((16, 32))
    found[row, kept // 2 * 4 + places] = packed
    return found
