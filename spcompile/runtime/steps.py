"""kernels.json: which kernels an artifact calls, in order, on what, and the counted work of each call; what `spcompile check` compares and times."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spcompile.errors import ArtifactError
from spcompile.kernels.work import Stream, Work
from spcompile.lowering.program import Argument, Program

SCHEMA = 2


@dataclass(frozen=True)
class StepRecord:
    """One kernel call. `kernel`: the function's name in the library; `title`: the same for people.

    arguments: (region, element) pairs; regions are "workspace", "values", "indices", "input 0", ..., "output 0", ...
    """

    kernel: str
    title: str
    node: str
    layer: str | None
    arguments: tuple[tuple[str, int], ...]
    work: Work


def write_steps(path: Path, program: Program) -> None:
    """One call a line; counts that are zero are left out."""
    lines = [
        json.dumps(
            {
                "kernel": s.kernel.name,
                "title": s.kernel.title,
                "node": s.node,
                "layer": s.layer,
                "arguments": [_place(program, argument) for argument in s.arguments],
                "work": _counts(s.kernel.work()),
            }
        )
        for s in program.steps
    ]
    path.write_text(f'{{"schema": {SCHEMA}, "steps": [\n ' + ",\n ".join(lines) + "\n]}\n")


def read_steps(path: Path) -> tuple[StepRecord, ...]:
    """ArtifactError when the file is of another schema."""
    form = json.loads(path.read_text())
    if form["schema"] != SCHEMA:
        raise ArtifactError(f"{path} has schema {form['schema']}, this spcompile reads {SCHEMA}; compile again")
    return tuple(StepRecord(**(step | {"arguments": tuple(map(tuple, step["arguments"])), "work": _work(step["work"])})) for step in form["steps"])


def _place(program: Program, argument: Argument) -> tuple[str, int]:
    buffer = program.buffers[argument.buffer]
    if buffer.kind in ("input", "output"):
        return f"{buffer.kind} {buffer.index}", argument.offset
    return buffer.kind, program.starts[argument.buffer] + argument.offset


def _counts(work: Work) -> dict:
    counts = {name: value for name, value in work._asdict().items() if value != Work._field_defaults[name]}
    return counts | ({"streams": [stream._asdict() for stream in work.streams]} if work.streams else {})


def _work(counts: dict) -> Work:
    streams: Sequence[dict] = counts.get("streams", ())
    return Work(**(counts | {"streams": tuple(Stream(**stream) for stream in streams)}))
