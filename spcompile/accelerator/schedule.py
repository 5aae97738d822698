"""What the accelerator is told: steps in order, where their images lie, how they are tiled. docs/accelerators.md describes the file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from spcompile.costs.fpga.tiling import Tiling
from spcompile.costs.fpga.work import Work
from spcompile.errors import ArtifactError

VERSION = 1
SCHEDULE, WEIGHTS, PLACES, ROWS = "schedule.json", "weights.bin", "places.bin", "rows.bin"


@dataclass(frozen=True)
class TensorEntry:
    """An activation that the accelerator holds: real = scale * (number - zero); of bf16 numbers scale is 1 and zero 0."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero: int


@dataclass(frozen=True)
class Images:
    """Offsets in bytes into weights.bin, places.bin and rows.bin where a step's parts begin."""

    weights: int
    places: int
    rows: int


@dataclass(frozen=True)
class StepEntry:
    """One step. work, images, row_order: of array and depthwise steps, work of poolings to the maximum too; tiling: of array steps.

    factors: of additions and averages of int8 numbers; limits: least and most of a result in bf16, None where there is none.
    why, host_bytes (fp32 numbers read and written), host_macs: of host steps.
    """

    unit: str
    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    work: Work | None = None
    tiling: Tiling | None = None
    images: Images | None = None
    row_order: tuple[int, ...] | None = None  # packed row -> out channel; None: as they are
    pads: tuple[int, int] = (0, 0)  # top and left, of the layer or pooling
    factors: tuple[int, ...] = ()
    limits: tuple[float | None, float | None] = (None, None)
    why: str = ""
    host_bytes: int = 0
    host_macs: int = 0


@dataclass(frozen=True)
class Schedule:
    """Everything but the images. `target` is the name of the device that it was made for."""

    target: str
    tensors: tuple[TensorEntry, ...]
    steps: tuple[StepEntry, ...]

    def tensor(self, name: str) -> TensorEntry:
        return next(tensor for tensor in self.tensors if tensor.name == name)


def write(schedule: Schedule, folder: Path) -> None:
    """folder/schedule.json"""
    (folder / SCHEDULE).write_text(json.dumps({"version": VERSION, **asdict(schedule)}, indent=1) + "\n")


def read(folder: Path) -> Schedule:
    """ArtifactError for a file of another version or one that does not hold together."""
    from cattrs import Converter
    from cattrs.errors import BaseValidationError

    form = json.loads((folder / SCHEDULE).read_text())
    if form.pop("version", None) != VERSION:
        raise ArtifactError(f"{folder / SCHEDULE} is of another version, this spcompile reads {VERSION}; compile again")
    try:
        return Converter(forbid_extra_keys=True).structure(form, Schedule)
    except BaseValidationError as error:
        raise ArtifactError(f"{folder / SCHEDULE} does not hold together; compile again") from error
