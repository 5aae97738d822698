"""Kernels of a library called one after the other, with a clock between them, in compiled code.

An interpreter between two kernels would take the caches and what the processor has learnt of branches: each then takes some 0.2 us more than it
does in a network.
"""

import ctypes
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spcompile.kernels.script import kernel_function
from spcompile.runtime.build import compiled_c_function
from spcompile.runtime.link import shared_library
from spcompile.targets.target import Target

ENTRY = "spcompile_clocked"
MONOTONIC = 1  # the clock's number, as Linux counts them; two numbers of 64 bits tell its time, seconds and nanoseconds


class Clocked:
    """Calls of a library's C functions, each a name and the addresses it is given, in their order."""

    def __init__(self, library: str | Path, calls: Sequence[tuple[str, Sequence[int]]], target: Target):
        self._addresses = np.array([address for _, addresses in calls for address in addresses], np.int64)
        self._clock = np.zeros((len(calls) + 1, 2), np.int64)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clocked.so"
            _build(path, Path(library).absolute(), [(name, len(addresses)) for name, addresses in calls], target)
            self._function = getattr(ctypes.CDLL(str(path)), ENTRY)

    def round(self) -> np.ndarray:
        """Seconds of each call, all made once."""
        self._function(ctypes.c_void_p(self._addresses.ctypes.data), ctypes.c_void_p(self._clock.ctypes.data))
        return np.diff(self._clock, axis=0) @ np.array([1.0, 1e-9])


def _build(path: Path, library: Path, calls: Sequence[tuple[str, int]], target: Target) -> None:
    """calls: (name, how many addresses it takes). Linked against `library`, so that its functions are meant, whatever else is loaded."""

    def body(addresses, clock):
        from tvm.tirx.script.builder import ir as T

        first = 0
        for number, (name, count) in enumerate(calls):
            _read_clock(clock, number)
            T.evaluate(T.call_extern("int32", name, *(T.reinterpret("handle", addresses[first + n]) for n in range(count))))
            first += count
        _read_clock(clock, len(calls))

    content = compiled_c_function(kernel_function(ENTRY, {"addresses": "int64", "clock": "int64"}, body), ENTRY, target)
    (path.parent / "clocked.o").write_bytes(content)
    shared_library(path, [path.parent / "clocked.o", library], target.triple)


def _read_clock(clock, number: int) -> None:
    from tvm.tirx.script.builder import ir as T

    T.evaluate(T.call_extern("int32", "clock_gettime", T.int32(MONOTONIC), T.address_of(clock[2 * number])))
