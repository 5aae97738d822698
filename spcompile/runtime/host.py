"""This machine: what it can run, and the fingerprint that makes measured times comparable."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version

from spcompile.targets.system import cpuinfo
from spcompile.verdict import Verdict

NEEDED_FLAGS = {8: ("avx2", "fma"), 16: ("avx512f", "avx512vl", "avx512bw", "avx512dq")}  # by fp32 lanes, x86
PACKAGES = ("spcompile", "apache-tvm", "onnx", "onnx-ir", "onnxscript", "onnxruntime", "torch", "numpy", "scipy")


def runs_here(triple: str, lanes_fp32: int) -> Verdict:
    """Can code for this triple and vector width run on this machine?"""
    machine = platform.machine().lower()
    wanted = triple.split("-")[0]
    if {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine) != wanted:
        return Verdict.no(f"it is {wanted} code, this machine is {machine}")
    missing = [flag for flag in NEEDED_FLAGS.get(lanes_fp32, ()) if flag not in cpu_flags()] if wanted == "x86_64" else []
    return Verdict.no(f"this CPU lacks {', '.join(missing)}") if missing else Verdict.yes()


def cpu_flags() -> tuple[str, ...]:
    return tuple(sorted(set(_words("flags") or _words("Features"))))


def cpu_model() -> str:
    return " ".join(_words("model name")) or platform.processor() or platform.machine()


def flags_digest() -> str:
    return hashlib.sha256(" ".join(cpu_flags()).encode()).hexdigest()


def packages() -> dict[str, str]:
    """Installed packages that have a part in the result -> version."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _words(key: str) -> list[str]:
    """Of the first core."""
    return next((value.split() for name, value in cpuinfo() if name == key), [])
