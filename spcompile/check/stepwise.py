"""An artifact's kernels called one by one, in their order and on their own data, with a clock between them: what each takes in its place."""

from pathlib import Path

import numpy as np

from spcompile.lowering.program import Tensor
from spcompile.runtime.artifact import INDICES, KERNELS, LIBRARY, VALUES, read_manifest, target_of
from spcompile.runtime.clocked import Clocked
from spcompile.runtime.library import load_library, new_name
from spcompile.runtime.on_host import aligned
from spcompile.runtime.steps import read_steps
from spcompile.runtime.verify import random_array


class Stepwise:
    """The library of an artifact made for this machine, with memory of its own. `steps` are in the order of their calls."""

    def __init__(self, folder: Path):
        manifest = read_manifest(folder)
        self.steps = read_steps(folder / KERNELS)
        tensors = {
            f"{kind} {index}": Tensor(form["name"], tuple(form["shape"]), form["dtype"])
            for kind in ("input", "output")
            for index, form in enumerate(manifest[f"{kind}s"])
        }
        rng = np.random.default_rng(0)
        self._regions = {name: aligned(random_array(tensor, rng)) for name, tensor in tensors.items()} | {
            "workspace": aligned(np.zeros(max(1, manifest["workspace_bytes"] // 4), np.float32)),
            "values": aligned(np.load(folder / VALUES)),
            "indices": aligned(np.load(folder / INDICES)),
        }
        calls = [(step.kernel, [self._address(*place) for place in step.arguments]) for step in self.steps]
        with new_name(folder / LIBRARY) as path:
            self._module = load_library(path)  # hands the library what it calls of TVM's runtime
            self._clocked = Clocked(path, calls, target_of(manifest))

    def round(self) -> np.ndarray:
        """Seconds of each step, all called once."""
        return self._clocked.round()

    def _address(self, region: str, element: int) -> int:
        array = self._regions[region]
        return array.ctypes.data + element * array.itemsize
