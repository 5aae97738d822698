"""Two snapshots, or two sets of times -> findings: what is the same, what got worse, what got better, what could not be compared, and why."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace

from spcompile.check.figures import COST_MODEL, LATENCY, OF_A_LAYER, OF_THE_MODEL, PREDICTED, SIMULATED, SIMULATOR, Figure, Snapshot, Times
from spcompile.report.facts import LEAST_NOISE
from spcompile.verdict import Verdict

EXACT = 0.005  # share by which a deterministic figure may differ: rounding, and counts of zeros that hang by a last bit
LEAST_NOISE_IN_TURNS = 0.02
LEAST_NOISE_OF_A_LAYER = 0.05  # alone it meets its caches and its memory as they happen to lie; over a network that evens out
MEASURED_BY = {PREDICTED: (COST_MODEL,), SIMULATED: (COST_MODEL, SIMULATOR)}
WHOLE = "whole model"
LIMIT = "limit"  # the place of what is held against a limit instead of a baseline
SAME, WORSE, BETTER, SKIPPED = "same", "worse", "better", "not compared"
KEPT, MISSED = "kept", "missed"


@dataclass(frozen=True)
class Finding:
    """One figure of one place, then and now. `tolerance` is a share of what it was; `reason` says why it was not compared, or what is special.

    Where the place is LIMIT, `was` is the limit.
    """

    place: str
    figure: Figure
    was: float | None
    now: float | None
    tolerance: float
    outcome: str
    reason: str = ""

    def __post_init__(self):
        assert self.outcome in (SAME, WORSE, BETTER, SKIPPED, KEPT, MISSED) and (self.outcome != SKIPPED or self.reason), self

    @property
    def change(self) -> float | None:
        """Share of what it was; None where there is nothing to divide by."""
        return self.now / self.was - 1.0 if self.was and self.now is not None else None


def deterministic(was: Snapshot, now: Snapshot) -> Iterator[Finding]:
    """The model's figures, then each layer's."""
    for figure in OF_THE_MODEL:
        yield _total(figure, was, now)
    before, after = ({layer.name: layer for layer in snapshot.layers} for snapshot in (was, now))
    for name in dict.fromkeys((*after, *before)):
        if name not in before:
            yield Finding(name, PREDICTED, None, after[name].figures[PREDICTED.name], EXACT, WORSE, "new since the baseline")
        elif name not in after:
            yield Finding(name, PREDICTED, before[name].figures[PREDICTED.name], None, EXACT, BETTER, "gone since the baseline")
        else:
            yield from _layer(name, before[name].figures, after[name].figures, was, now)


def latency(was: Times, now: Times, tolerance: float | None, in_turns: bool = False) -> Finding:
    """They may differ by the noise of both, unless a tolerance is given. in_turns: both were timed now, round by round."""
    noise = max(LEAST_NOISE_IN_TURNS if in_turns else LEAST_NOISE, was.noise + now.noise)
    how = "timed in turns, " if in_turns else ""
    reason = f"{how}repeated runs lie {was.noise:.1%} apart for the one and {now.noise:.1%} for the other" if tolerance is None else f"{how}as given"
    return _compared(WHOLE, LATENCY, was.undisturbed_s, now.undisturbed_s, noise if tolerance is None else tolerance, reason)


def changed_layers(was: Snapshot, now: Snapshot) -> frozenset[str]:
    """Whose kernels or deterministic figures are not what they were."""
    before = {layer.name: layer.kernels for layer in was.layers}
    others = (layer.name for layer in now.layers if layer.kernels != before.get(layer.name))
    return frozenset((*others, *(finding.place for finding in deterministic(was, now) if finding.outcome != SAME)))


def layer_latencies(was: Times, now: Times, tolerance: float | None, changed: Container[str], in_turns: bool = False) -> Iterator[Finding]:
    """Of the layers that both know a time of.

    The same code takes longer where another process empties the caches (first layers, whose image is read from them: +16 % beside one that sorts).
    So a layer is blamed only when it is among the `changed`; what slows unchanged code shows in the whole model.
    """
    how = "timed in turns, " if in_turns else ""
    for name in (name for name in now.layers if name in was.layers):
        before, after = was.layers[name], now.layers[name]
        allowed = max(LEAST_NOISE_OF_A_LAYER, before.noise + after.noise) if tolerance is None else tolerance
        reason = f"{how}repeated runs lie {before.noise:.1%} and {after.noise:.1%} apart" if tolerance is None else f"{how}as given"
        found = _compared(name, LATENCY, before.undisturbed_s, after.undisturbed_s, allowed, reason)
        excused = found.outcome != SAME and name not in changed
        yield replace(found, outcome=SKIPPED, reason=f"timed {found.change:+.1%}, but its code is what it was") if excused else found


def limit(figure: Figure, allowed: float, now: float, reason: str, tolerance: float = 0.0) -> Finding:
    """A figure that may not be worse than `allowed`."""
    found = _compared(LIMIT, figure, allowed, now, tolerance, reason)
    return replace(found, outcome=MISSED if found.outcome == WORSE else KEPT)


def not_timed(reason: str) -> Finding:
    return Finding(WHOLE, LATENCY, None, None, 0.0, SKIPPED, reason)


def _total(figure: Figure, was: Snapshot, now: Snapshot) -> Finding:
    before, after = was.total.get(figure.name), now.total.get(figure.name)
    assert before is not None and after is not None, figure.name
    if missing := [value for value in (before, after) if isinstance(value, Verdict)]:
        return Finding(WHOLE, figure, *(None if isinstance(v, Verdict) else v for v in (before, after)), EXACT, SKIPPED, missing[-1].reason)
    if reason := _another_measure(figure, was, now):
        return Finding(WHOLE, figure, before, after, EXACT, SKIPPED, reason)
    return _compared(WHOLE, figure, before, after, EXACT)


def _layer(name: str, before: Mapping[str, float], after: Mapping[str, float], was: Snapshot, now: Snapshot) -> Iterator[Finding]:
    """What cannot be compared is told once, for the whole model."""
    for figure in OF_A_LAYER:
        if figure.name in before and figure.name in after and not _another_measure(figure, was, now):
            yield _compared(name, figure, before[figure.name], after[figure.name], EXACT)


def _another_measure(figure: Figure, was: Snapshot, now: Snapshot) -> str:
    """Why the same code would give another figure today; "" where it would not."""
    for tool in MEASURED_BY.get(figure, ()):
        before, after = (snapshot.tools.get(tool, "none") for snapshot in (was, now))
        if before != after:
            return f"{tool} {before} then, {after} now; write a new baseline with --update"
    return ""


def _compared(place: str, figure: Figure, was: float, now: float, tolerance: float, reason: str = "") -> Finding:
    gain = (was - now) * (-1 if figure.more_is_better else 1)
    allowed = tolerance * abs(was)
    outcome = WORSE if gain < -allowed else BETTER if gain > allowed else SAME
    return Finding(place, figure, was, now, tolerance, outcome, reason)
