"""An artifact -> its figures: counted and simulated on any machine, nothing is run."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from spcompile.check import emitted
from spcompile.check.environment import environment
from spcompile.check.figures import (
    ACCURACY,
    CODE,
    COST_MODEL,
    INSTRUCTIONS,
    MACS,
    OF_A_LAYER,
    PREDICTED,
    SIMULATED,
    SIMULATOR,
    WEIGHTS,
    WORKSPACE,
    Layer,
    Snapshot,
    Times,
)
from spcompile.costs import cpu, machine_code
from spcompile.errors import ArtifactError
from spcompile.kernels.work import Work
from spcompile.report.report import SCHEMA as REPORT_SCHEMA
from spcompile.runtime.artifact import INDICES, KERNELS, LIBRARY, VALUES, read_manifest, target_of
from spcompile.runtime.steps import StepRecord, read_steps
from spcompile.targets.target import Target
from spcompile.verdict import Verdict

REPORT = "report.json"


def folder_of(artifact: str | Path) -> Path:
    """The folder itself, or the one that a report.json lies in."""
    path = Path(artifact)
    return path.parent if path.name == REPORT else path


def snapshot(folder: Path, measured: Times | Verdict) -> Snapshot:
    """Figures of the artifact in `folder`; `measured` is what was timed beside. ArtifactError for a broken or too old one."""
    manifest = read_manifest(folder)
    target, threads = target_of(manifest), manifest["threads"]
    if KERNELS not in manifest["files"]:
        raise ArtifactError(f"'{folder}' holds no {KERNELS}, an older spcompile wrote it; compile again")
    steps, report = read_steps(folder / KERNELS), report_of(folder)
    weights = sum(np.load(folder / name, mmap_mode="r").nbytes for name in (VALUES, INDICES))
    figures, reasons = _of_steps(steps, folder / LIBRARY, target, threads, weights + manifest["workspace_bytes"])
    sizes = {WEIGHTS.name: weights, WORKSPACE.name: manifest["workspace_bytes"], CODE.name: (folder / LIBRARY).stat().st_size}
    accuracy = {ACCURACY.name: round(found["after"], 6) if "after" in (found := report["accuracy"]) else Verdict.no(found["reason"])}
    return Snapshot(
        model=report["model"]["name"],
        model_sha256=manifest["model_sha256"],
        target=target.name,
        target_sha256=_digest({name: value for name, value in asdict(target).items() if name not in ("sources", "description")}),
        threads=threads,
        tools=manifest["environment"]["packages"] | _judges(),
        environment=environment(threads),
        total=_sum(figures) | reasons | sizes | accuracy,
        layers=tuple(_layers(steps, figures)),
        measured=measured,
    )


def report_of(folder: Path) -> dict:
    """The artifact's report.json; ArtifactError where there is none that this version reads."""
    path = folder / REPORT
    if not path.is_file():
        raise ArtifactError(f"'{folder}' holds no {REPORT}; compile again")
    form = json.loads(path.read_text())
    if form["schema"] != REPORT_SCHEMA:
        raise ArtifactError(f"{path} has schema {form['schema']}, this spcompile reads {REPORT_SCHEMA}; compile again")
    return form


def _digest(form: dict) -> str:
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()


def _judges() -> dict[str, str]:
    """The cost model has no version of its own between releases: its source is its version."""
    simulator = {SIMULATOR: found} if (found := emitted.version()) else {}
    return {COST_MODEL: hashlib.sha256(Path(cpu.__file__).read_bytes()).hexdigest()[:12]} | simulator


def _of_steps(
    steps: tuple[StepRecord, ...], library: Path, target: Target, threads: int, network_bytes: float
) -> tuple[list[dict[str, float]], dict[str, Verdict]]:
    """(figures of each step, why others are missing)"""
    reading = emitted.available(threads)
    simulating = reading if not reading else machine_code.available(target)
    loops = emitted.loops(library) if reading else {}
    wanted = {step.kernel: loops[step.kernel] for step in steps if step.kernel in loops}
    cycles = machine_code.cycles_per_multiply_add(wanted, target) if simulating and wanted else {}

    def of(step: StepRecord) -> dict[str, float]:
        def predicted(loop_cycles: float | None = None) -> float:
            return cpu.predict(step.work, target, threads, loop_cycles, network_bytes).expected_s * target.clock_hz

        found = {MACS.name: step.work.macs, PREDICTED.name: predicted()}
        if reading:
            found[INSTRUCTIONS.name] = _instructions(step.work, loops.get(step.kernel))
        if simulating:
            per_fma = cycles.get(step.kernel)
            found[SIMULATED.name] = predicted(step.work.fma * per_fma if per_fma is not None else None)
        return found

    missing = {figure.name: verdict for figure, verdict in ((INSTRUCTIONS, reading), (SIMULATED, simulating)) if not verdict}
    return [of(step) for step in steps], missing


def _instructions(work: Work, loop: list[str] | None) -> float:
    """Where a kernel has no loop of multiply-adds, all are counted from its source."""
    outside = work.arithmetic + work.stores
    if loop is None:
        return outside + work.fma + work.loads + work.broadcasts + work.scalar_loads + work.scalar
    return outside + work.fma * len(loop) / machine_code.multiply_adds(loop)


def layer_names(steps: Sequence[StepRecord]) -> list[str]:
    """Of each step the layer that its figures count for: its node; what only moves the data of one is apart."""
    prunable = {step.node for step in steps if step.layer is not None}
    return [f"{step.node} (data movement)" if step.layer is None and step.node in prunable else step.node for step in steps]


def _layers(steps: tuple[StepRecord, ...], figures: list[dict[str, float]]) -> Iterable[Layer]:
    grouped = defaultdict(list)
    for name, step, found in zip(layer_names(steps), steps, figures, strict=True):
        grouped[name].append((step, found))
    for name, members in grouped.items():
        titles = Counter(step.title for step, _ in members)
        yield Layer(name, tuple(title if times == 1 else f"{times} x {title}" for title, times in titles.items()), _sum([found for _, found in members]))


def _sum(figures: list[dict[str, float]]) -> dict[str, float]:
    """To a tenth of a cycle, which a person can read and no comparison feels."""
    names = [figure.name for figure in OF_A_LAYER if figures and figure.name in figures[0]]
    return {name: round(sum(found[name] for found in figures), 1) for name in names}
