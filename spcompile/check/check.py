"""The check itself: an artifact against a baseline, or against another artifact."""

from collections.abc import Container
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from spcompile.check import baseline, compare, timing
from spcompile.check.compare import BETTER, KEPT, MISSED, SAME, SKIPPED, WORSE, Finding
from spcompile.check.environment import difference
from spcompile.check.figures import Snapshot, Times
from spcompile.check.snapshot import folder_of, snapshot
from spcompile.progress import Progress, Silent
from spcompile.verdict import Verdict

ATTEMPTS = 5  # at measuring before a slower time is believed: noise passes, a regression stays


@dataclass(frozen=True)
class Result:
    """What was compared with what ("" where there are only limits), and what came out. `notes`: what a reader must know about how it was compared."""

    artifact: str
    against: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def of(self, outcome: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.outcome == outcome)

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.outcome in (WORSE, MISSED))

    @property
    def headline(self) -> str:
        """One sentence; the first thing anyone reads."""
        counted = ((WORSE, "figures worse"), (BETTER, "figures better"), (MISSED, "limit{} missed"), (KEPT, "limit{} kept"))
        some = [f"{count} {told.format('s' * (count > 1))}" for outcome, told in counted if (count := len(self.of(outcome)))]
        compared = [f"{len(self.of(SAME))} figures the same"] if self.against else []
        counts = ", ".join((*some, *compared, f"{len(self.of(SKIPPED))} not compared"))
        better = "fine, and better" if self.of(BETTER) else "fine"
        asked = "; write a new baseline with --update" if self.asks_for_baseline else ""
        return f"{better if not self.failures else self.outcome}: {counts}{asked}"

    @property
    def outcome(self) -> str:
        """The one word for it."""
        return "regression" if self.of(WORSE) else "limit missed" if self.failures else "fine"

    @property
    def asks_for_baseline(self) -> bool:
        """Whether what got better should be kept."""
        return not self.failures and bool(self.of(BETTER))


def update(artifact: str | Path, path: str | Path, progress: Progress | None = None) -> Snapshot:
    """Write the artifact's figures to the baseline at `path`."""
    folder = folder_of(artifact)
    with (progress or Silent()).stage("measure"):
        times = timing.times_of(folder)
        taken = snapshot(folder, times if isinstance(times, Verdict) else times[0])
    baseline.write(Path(path), taken)
    return taken


def check(
    artifact: str | Path,
    path: str | Path | None,
    against: str | Path | None = None,
    tolerance: float | None = None,
    progress: Progress | None = None,
) -> Result:
    """Compare with the baseline at `path`; with another artifact too, then the two are timed in turns. At least one of them is given.

    tolerance: share by which a measured time may differ; from the noise seen unless given.
    BaselineError, ArtifactError: what is given is missing, broken, or of another model, target or thread count.
    """
    assert path is not None or against is not None
    folder = folder_of(artifact)
    other = snapshot(folder_of(against), Verdict.no("timed in turns")) if against is not None else None
    was = baseline.read(Path(path)) if path is not None else other
    now = untimed(folder, was, str(path or against))
    with (progress or Silent()).stage("measure"):
        if other is not None:
            timed = _against_other(folder, folder_of(against), compare.changed_layers(other, now), tolerance)
        else:
            timed = against_times(folder, was, now, tolerance)
    return result(str(artifact), str(path or against), was, now, timed)


def untimed(folder: Path, was: Snapshot, path: str) -> Snapshot:
    """The artifact's figures that need no run; BaselineError where they are of something else than the baseline at `path`."""
    now = snapshot(folder, Verdict.no("not timed yet"))
    _same_thing(was, now, path)
    return now


def result(artifact: str, path: str, was: Snapshot, now: Snapshot, timed: tuple[Finding, ...]) -> Result:
    """`timed`: of the whole model, then of layers."""
    return Result(artifact, path, (*timed, *compare.deterministic(was, now)), tuple(_notes(was, now, timed[0])))


def _same_thing(was: Snapshot, now: Snapshot, path: str) -> None:
    for what, before, after in (("model", was.model, now.model), ("target", was.target, now.target)):
        digests = (getattr(snapshot, f"{what}_sha256") for snapshot in (was, now))
        if len(set(digests)) > 1:
            told = f"{what} '{before}'; the artifact is of {what} '{after}'"
            same = f", whose {'file' if what == 'model' else 'numbers'} changed" if before == after else ""
            raise baseline.BaselineError(f"'{path}' is of {told}{same}; check like against like, or write a new baseline with --update")
    if was.threads != now.threads:
        raise baseline.BaselineError(f"'{path}' is of {was.threads} threads, the artifact of {now.threads}; compile for as many, or --update the baseline")


def against_times(folder: Path, was: Snapshot, now: Snapshot, tolerance: float | None) -> tuple[Finding, ...]:
    """Of the whole model, then of its layers; within one environment only."""
    if isinstance(was.measured, Verdict):
        return (compare.not_timed(f"the baseline holds no times: {was.measured.reason}"),)
    if differs := difference(was.environment, now.environment):
        return (compare.not_timed(f"measured in another environment ({differs})"),)
    changed = compare.changed_layers(was, now)
    found = _timed(folder, was.measured, changed, tolerance)
    for _ in range(ATTEMPTS - 1):
        if any(finding.outcome == WORSE for finding in found):
            again = {finding.place: finding for finding in _timed(folder, was.measured, changed, tolerance)}
            found = tuple(min(finding, again.get(finding.place, finding), key=attrgetter("now")) for finding in found)
    return found


def _timed(folder: Path, was: Times, changed: Container[str], tolerance: float | None) -> tuple[Finding, ...]:
    times = timing.times_of(folder)
    return (compare.not_timed(times.reason),) if isinstance(times, Verdict) else _latencies(was, times[0], changed, tolerance)


def _against_other(folder: Path, other: Path, changed: Container[str], tolerance: float | None) -> tuple[Finding, ...]:
    times = timing.times_of(other, folder)
    return (compare.not_timed(times.reason),) if isinstance(times, Verdict) else _latencies(*times, changed, tolerance, in_turns=True)


def _latencies(was: Times, now: Times, changed: Container[str], tolerance: float | None, in_turns: bool = False) -> tuple[Finding, ...]:
    return (compare.latency(was, now, tolerance, in_turns), *compare.layer_latencies(was, now, tolerance, changed, in_turns))


def _notes(was: Snapshot, now: Snapshot, timed: Finding):
    if timed.outcome == SKIPPED:
        yield f"measured times were not compared, the deterministic figures decide: {timed.reason}"
    else:
        yield f"tolerance of the measured time: {timed.tolerance:.1%} ({timed.reason}); of all figures that are not measured {compare.EXACT:.1%}"
    if changed := [name for name in sorted({*was.tools, *now.tools}) if was.tools.get(name) != now.tools.get(name)]:
        told = ", ".join(f"{name} {was.tools.get(name, 'none')} -> {now.tools.get(name, 'none')}" for name in changed)
        yield f"tools differ from the baseline's: {told}; counted and predicted figures may have changed with them"
