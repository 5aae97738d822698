"""Running the generated array on exported files, in Verilator."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spcompile.accelerator.schedule import PLACES, ROWS, WEIGHTS, StepEntry
from spcompile.accelerator.verilog.generate import Shape, array_source, bench_source
from spcompile.errors import ToolError
from spcompile.verdict import Verdict


def available() -> Verdict:
    """Is Verilator installed, of a version that knows delays?"""
    if shutil.which("verilator") is None:
        return Verdict.no("verilator is not installed: `make hardware-tools`, or apt install verilator")
    version = subprocess.run(["verilator", "--version"], capture_output=True, text=True, check=False).stdout.split()
    return Verdict.yes() if len(version) > 1 and int(version[1].split(".")[0]) >= 5 else Verdict.no(f"verilator 5 is needed, here is {' '.join(version[:2])}")


@dataclass(frozen=True)
class Bench:
    """A compiled simulation of one shape of array."""

    shape: Shape
    program: Path

    def run(self, folder: Path, step: StepEntry, windows: np.ndarray, zero: int) -> tuple[np.ndarray, int]:
        """One array step without groups of channels, all row tiles alike. windows [columns, positions] int8: what the layer's windows see.

        -> (numbers [rows, positions] int8 in the packed order, cycles)
        """
        work, shape = step.work, self.shape
        assert work.groups == 1 and set(work.slots) == {shape.kept} and work.of == shape.of, step.name
        width = shape.lanes // shape.kept * shape.of
        steps = -(-work.columns // width)
        padded = np.zeros((steps * width, work.positions), np.int8)
        padded[: work.columns] = windows
        padded.reshape(steps, width, work.positions).transpose(0, 2, 1).tofile(folder / "windows.bin")
        given = {"tiles": len(work.slots), "steps": steps, "positions": work.positions, "zero": zero}
        given |= {"weights_at": step.images.weights, "places_at": step.images.places, "rows_at": step.images.rows}
        given |= {"weights": folder / WEIGHTS, "places": folder / PLACES, "rows": folder / ROWS, "windows": folder / "windows.bin"}
        given |= {"results": folder / "results.bin"}
        said = _call([str(self.program.resolve()), *(f"+{name}={value}" for name, value in given.items())], folder)
        numbers = np.fromfile(folder / "results.bin", np.int8).reshape(-1, work.positions)[: work.rows]
        return numbers, int(said.split("cycles ")[1].split()[0])


def compiled(shape: Shape, folder: Path, **sizes: int) -> Bench:
    """array.v and bench.v in `folder`, compiled there. sizes: see `bench_source`. ToolError when Verilator refuses."""
    (folder / "array.v").write_text(array_source(shape))
    (folder / "bench.v").write_text(bench_source(shape, **sizes))
    words = ["verilator", "--binary", "--timing", "-CFLAGS", "-O0", "-Wno-fatal", "-Wno-lint", "--top-module", "bench", "--Mdir", "made", "bench.v", "array.v"]
    _call(words, folder)
    return Bench(shape, folder / "made" / "Vbench")


def _call(words: list[str], folder: Path) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{Path(words[0]).name} failed: {(done.stderr or done.stdout).strip().splitlines()[:1]}")
    return done.stdout
