"""NVIDIA's compiler as a program: CUDA source -> PTX or cubin, on a machine with or without a GPU. Asked for only when a GPU is the target."""

import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from spcompile.errors import ToolError
from spcompile.verdict import Verdict

WHEELS = ("cu13/bin/nvcc", "cuda_nvcc/bin/nvcc")  # where the wheels nvidia-cuda-nvcc and nvidia-cuda-nvcc-cu12 put it, inside the package nvidia
OLDEST = 80  # compute capability that has mma.m16n8k16 and cp.async
MISSING = (
    "nvcc is not installed; install NVIDIA's CUDA toolkit (12.5 or newer) or the wheels: pip install nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-cuda-cccl"
)


def nvcc() -> Path | None:
    """On the path, else of the wheels."""
    if found := shutil.which("nvcc"):
        return Path(found)
    package = find_spec("nvidia")
    folders = [Path(place) for place in package.submodule_search_locations] if package and package.submodule_search_locations else []
    return next((folder / name for folder in folders for name in WHEELS if (folder / name).is_file()), None)


def available() -> Verdict:
    """Can CUDA source be compiled here?"""
    return Verdict.yes() if nvcc() else Verdict.no(MISSING)


def compile_cuda(source: str, arch: str) -> tuple[bytes, bytes]:
    """-> (PTX, cubin assembled from it). ToolError: no nvcc, or it failed."""
    if not (verdict := available()):
        raise ToolError(verdict.reason)
    with tempfile.TemporaryDirectory() as folder:
        code, ptx, cubin = (Path(folder) / name for name in ("kernels.cu", "kernels.ptx", "kernels.cubin"))
        code.write_text(source)
        _run(arch, "--ptx", "-O3", "--expt-relaxed-constexpr", "-diag-suppress=177", "-o", str(ptx), str(code))
        _run(arch, "--cubin", "-O3", "-o", str(cubin), str(ptx))
        return ptx.read_bytes(), cubin.read_bytes()


def _run(arch: str, *arguments: str) -> None:
    done = subprocess.run([str(nvcc()), f"-arch={arch}", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{nvcc()} failed for {arch}: {' '.join(done.stderr.split())[:500]}")
