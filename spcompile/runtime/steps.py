"""kernels.json: which kernels an artifact calls, in order, and the counted work of each call; what `spcompile check` compares on any machine."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from spcompile.errors import ArtifactError
from spcompile.kernels.work import Stream, Work
from spcompile.lowering.program import Program

SCHEMA = 1


@dataclass(frozen=True)
class StepRecord:
    """One kernel call. `kernel`: the function's name in the library; `title`: the same for people."""

    kernel: str
    title: str
    node: str
    layer: str | None
    work: Work


def write_steps(path: Path, program: Program) -> None:
    """One call a line; counts that are zero are left out."""
    lines = [
        json.dumps({"kernel": s.kernel.name, "title": s.kernel.title, "node": s.node, "layer": s.layer, "work": _counts(s.kernel.work())})
        for s in program.steps
    ]
    path.write_text(f'{{"schema": {SCHEMA}, "steps": [\n ' + ",\n ".join(lines) + "\n]}\n")


def read_steps(path: Path) -> tuple[StepRecord, ...]:
    """ArtifactError when the file is of another schema."""
    form = json.loads(path.read_text())
    if form["schema"] != SCHEMA:
        raise ArtifactError(f"{path} has schema {form['schema']}, this spcompile reads {SCHEMA}; compile again")
    return tuple(StepRecord(**(step | {"work": _work(step["work"])})) for step in form["steps"])


def _counts(work: Work) -> dict:
    defaults = {field.name: field.default for field in fields(Work)}
    return {name: value for name, value in asdict(work).items() if value != defaults[name] and (name != "streams" or work.streams)}


def _work(counts: dict) -> Work:
    streams: Sequence[dict] = counts.get("streams", ())
    return Work(**(counts | {"streams": tuple(Stream(**stream) for stream in streams)}))
