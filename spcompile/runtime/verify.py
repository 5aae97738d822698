"""Is the compiled network the pruned network? Compared with ONNX Runtime, on random and on real inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.ir.batches import batches
from spcompile.ir.session import Session
from spcompile.lowering.program import Program
from spcompile.runtime import emulator
from spcompile.runtime.executor import Executor
from spcompile.runtime.host import runs_here
from spcompile.targets.target import Target
from spcompile.verdict import Verdict

LIMIT = 1e-4  # largest relative difference in fp32
RANDOM_INPUTS, REAL_INPUTS = 3, 3
Run = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]  # a feed -> outputs by name


@dataclass(frozen=True)
class Comparison:
    """The worst of |compiled - reference| / max |reference| over outputs and inputs."""

    reference: str
    random_inputs: int
    real_inputs: int
    worst_relative_difference: float
    where: str
    limit: float = LIMIT  # of that difference


def verify(
    program: Program, library: Path, model: ir.Model, target: Target, threads: int, real: Mapping[str, np.ndarray] | None, seed: int
) -> Comparison | Verdict:
    """Run on this host, or in the emulator for ARM code on another machine; a Verdict says why neither could."""
    feeds = inputs_for(program, real, seed)
    reference = Session(model)
    expected = [reference.run(feed) for feed in feeds]
    given = len(feeds) - RANDOM_INPUTS
    name = f"ONNX Runtime {version('onnxruntime')}"
    if runs_here(target.triple, target.lanes_fp32):
        worst = worst_difference(_runner(Executor.of_program(program, library, threads)), feeds, expected)
        return Comparison(name, RANDOM_INPUTS, given, worst, "this host")
    if not target.triple.startswith("aarch64"):
        return runs_here(target.triple, target.lanes_fp32)
    if not (verdict := emulator.available()):
        return Verdict.no(f"ARM code was compiled but not executed: {verdict.reason}")
    with emulator.session(target.mcpu) as remote:
        worst = worst_difference(_runner(_remote(program, library, remote)), feeds, expected)
        return Comparison(name, RANDOM_INPUTS, given, worst, f"aarch64 emulator, core {target.mcpu}")


def inputs_for(program: Program, real: Mapping[str, np.ndarray] | None, seed: int) -> list[dict[str, np.ndarray]]:
    """Random inputs, then the first real ones in whole batches."""
    rng = np.random.default_rng(seed)
    feeds = [{tensor.name: random_array(tensor, rng) for tensor in program.inputs} for _ in range(RANDOM_INPUTS)]
    if real is not None:
        feeds.extend(islice(batches(real, {tensor.name: tensor.shape for tensor in program.inputs}), REAL_INPUTS))
    return feeds


def random_array(tensor, rng: np.random.Generator) -> np.ndarray:
    """Standard normal numbers; 0 and 1 where the model takes whole numbers."""
    if tensor.dtype.startswith("float"):
        return rng.standard_normal(tensor.shape).astype(tensor.dtype)
    return rng.integers(0, 2, tensor.shape).astype(tensor.dtype)


def _remote(program: Program, library: Path, remote) -> Executor:
    remote.upload(bytearray(library.read_bytes()), target=library.name)  # given a path, TVM leaves the file open
    module = remote.load_module(library.name)
    return Executor(module, remote.cpu(), program.inputs, program.outputs, program.workspace_elements, program.values, program.indices)


def _runner(executor: Executor) -> Run:
    return lambda feed: executor.run(**feed)


def worst_difference(run: Run, feeds: list[dict], expected: list[dict]) -> float:
    """Of all outputs over all feeds, as in `Comparison`."""
    return max((_difference(array, reference[name]) for feed, reference in zip(feeds, expected, strict=True) for name, array in run(feed).items()), default=0.0)


def _difference(array: np.ndarray, reference: np.ndarray) -> float:
    """1e30 where one of them alone is NaN or infinite: a network that gives such numbers must give the same ones compiled."""
    finite = np.isfinite(reference)
    if not np.array_equal(finite, np.isfinite(array)) or not np.array_equal(array[~finite], reference[~finite], equal_nan=True):
        return 1e30
    if not finite.any():
        return 0.0
    scale = max(float(np.abs(reference[finite]).max()), float(np.finfo(np.float32).tiny))
    return float(np.abs(array[finite].astype(np.float64) - reference[finite]).max()) / scale
