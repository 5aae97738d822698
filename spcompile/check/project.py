"""All models of a project at once: compiled and counted in parallel processes, then timed one after another, so that they do not disturb each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spcompile.check import baseline, timing
from spcompile.check.cache import built
from spcompile.check.check import Result, against_times, result, untimed, update
from spcompile.check.compare import Finding
from spcompile.check.figures import Snapshot
from spcompile.check.limits import is_timed, limits, measured_budget
from spcompile.check.model import Model, SettingsError
from spcompile.check.parallel import each
from spcompile.check.snapshot import report_of
from spcompile.errors import SpcompileError
from spcompile.progress import Progress, Silent
from spcompile.report.json_form import from_json
from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Outcome:
    """What came out for one model: a result, or the mistake because of which there is none. `target` is the device's name."""

    model: Model
    target: str
    result: Result | None
    mistake: str = ""


@dataclass(frozen=True)
class Counted:
    """All that is known of a model before anything is timed."""

    folder: Path
    target: str
    timed: bool
    limits: tuple[Finding, ...]
    was: Snapshot | None
    now: Snapshot | None


def check_all(
    models: Sequence[Model], cache: Path, tolerance: float | None = None, jobs: int | None = None, progress: Progress | None = None
) -> tuple[Outcome, ...]:
    """-> an Outcome for each model, in order."""
    progress = progress or Silent()
    counted = _all(models, partial(_counted, cache=cache), jobs, progress)
    with progress.stage("measure", len(models)) as advance:
        outcomes = []
        for model, found in zip(models, counted, strict=True):
            outcomes.append(_outcome(model, found, tolerance))
            advance()
    return tuple(outcomes)


def update_all(models: Sequence[Model], cache: Path, jobs: int | None = None, progress: Progress | None = None) -> Iterator[tuple[Path, Snapshot]]:
    """Write the baselines of all models that name one -> each file, and what was written to it. The first mistake ends it."""
    progress, named = progress or Silent(), [model for model in models if model.baseline is not None]
    if not named:
        raise SettingsError('no model names a baseline that could be written; give each baseline = "baselines/NAME.json"')
    for model, folder in zip(named, _all(named, partial(built, cache=cache), jobs, progress), strict=True):
        if isinstance(folder, SpcompileError):
            raise type(folder)(f"models.{model.name}: {folder}") from folder
        model.baseline.parent.mkdir(parents=True, exist_ok=True)
        yield model.baseline, update(folder, model.baseline, progress)


def _counted(model: Model, cache: Path) -> Counted:
    was = baseline.read(model.baseline) if model.baseline is not None else None  # first: one that cannot be read costs no compilation
    folder = built(model, cache)
    report = from_json(report_of(folder))
    now = untimed(folder, was, str(model.baseline)) if was is not None else None
    return Counted(folder, report.target.name, is_timed(model, report), tuple(limits(model, report)), was, now)


def _outcome(model: Model, counted: Counted | SpcompileError, tolerance: float | None) -> Outcome:
    if isinstance(counted, SpcompileError):
        return Outcome(model, model.target or "", None, str(counted))
    held = list(counted.limits)
    if counted.timed:
        times = timing.times_of(counted.folder)
        held[0] = measured_budget(model, times if isinstance(times, Verdict) else times[0])
    found = Result(str(counted.folder), "", tuple(held), ())
    if counted.was is not None:
        timed = against_times(counted.folder, counted.was, counted.now, tolerance)
        compared = result(str(counted.folder), str(model.baseline), counted.was, counted.now, timed)
        found = replace(compared, findings=(*held, *compared.findings))
    return Outcome(model, counted.target, found)


def _all(models: Sequence[Model], work: Callable, jobs: int | None, progress: Progress) -> list:
    """-> of each model what `work` gives, or its SpcompileError. Models for this host are measured while they are compiled, so they have it for themselves."""
    found = {}
    with progress.stage("compile and count", len(models)) as advance:
        for alone in (False, True):
            group = [model for model in models if (model.target == "host") is alone]
            found |= dict(zip((model.name for model in group), each(partial(_attempt, work), group, 1 if alone else jobs, advance), strict=True))
    return [found[model.name] for model in models]


def _attempt(work: Callable, model: Model):
    try:
        return work(model)
    except SpcompileError as error:
        return error
