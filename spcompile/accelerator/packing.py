"""Weights in the order in which the array takes them: row tile by row tile, window by window, row by row, lane by lane."""

import numpy as np

from spcompile.costs.fpga.cycles import column_steps, groups_at_once, lanes_used
from spcompile.formats.grouped import Grouped, pack, place_bits
from spcompile.targets.accelerator import Accelerator


def pack_tile(matrix: np.ndarray, of: int, slots: int, target: Accelerator) -> tuple[np.ndarray, np.ndarray]:
    """matrix [rows, columns], at most `array_rows` rows -> (values of its type, places uint8), each [windows, array_rows, lanes used], filled up with zeros."""
    padded = np.zeros((target.array_rows, matrix.shape[1]), matrix.dtype)
    padded[: len(matrix)] = matrix
    packed = pack(padded, of, slots)
    return tuple(_to_windows(array, of, slots, target) for array in (packed.values, packed.places))


def unpack_tile(values: np.ndarray, places: np.ndarray, of: int, slots: int, columns: int, target: Accelerator) -> np.ndarray:
    """Inverse of `pack_tile` -> [array_rows, columns]."""
    groups = -(-columns // of)
    return Grouped(*(_from_windows(array, of, slots, groups, target) for array in (values, places)), of, columns).unpack()


def pack_places(places: np.ndarray, of: int) -> bytes:
    """Places of a group of `of` in as few bits as tell them, lowest first, whole bytes in the end."""
    bits = place_bits(of)
    return np.packbits((places.ravel()[:, None] >> np.arange(bits)) & 1, bitorder="little").tobytes() if bits else b""


def unpack_places(image: bytes, count: int, of: int) -> np.ndarray:
    """Inverse of `pack_places` -> uint8 [count]."""
    bits = place_bits(of)
    if not bits:
        return np.zeros(count, np.uint8)
    single = np.unpackbits(np.frombuffer(image, np.uint8), count=count * bits, bitorder="little").reshape(count, bits)
    return (single << np.arange(bits, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)


def _to_windows(array: np.ndarray, of: int, slots: int, target: Accelerator) -> np.ndarray:
    """[rows, groups, slots] -> [windows, rows, lanes used]; a group of more slots than lanes takes several windows, one after another."""
    rows, groups, _ = array.shape
    at_once, lanes, windows = groups_at_once(of, slots, target), lanes_used(of, slots, target), column_steps(groups, of, slots, target)
    per_group = lanes // at_once * (windows // -(-groups // at_once))
    padded = np.zeros((rows, -(-groups // at_once) * at_once, per_group), array.dtype)
    padded[:, :groups, :slots] = array
    return padded.reshape(rows, windows, lanes).transpose(1, 0, 2)


def _from_windows(array: np.ndarray, of: int, slots: int, groups: int, target: Accelerator) -> np.ndarray:
    windows, rows, lanes = array.shape
    at_once = groups_at_once(of, slots, target)
    whole = -(-groups // at_once) * at_once
    return array.transpose(1, 0, 2).reshape(rows, whole, windows * lanes // whole)[:, :groups, :slots]
