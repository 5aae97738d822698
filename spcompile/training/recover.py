"""Recovery without labels: the pruned graph is trained to give what the dense one gives."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnx_ir as ir

from spcompile.patterns import Choice
from spcompile.progress import Advance, Progress, Silent
from spcompile.pruning import Calibration, Pruned
from spcompile.training.distillation import Distillation
from spcompile.training.recipe import Recipe
from spcompile.training.state import drop_state, load_state, save_state, state_file
from spcompile.training.threads import at_best_speed, threads_restored
from spcompile.verdict import Verdict

JUDGED_TIMES = 20
CLOCKED_EVERY = 5  # judgements: whether one thread or several are faster
ALIKE = 1.05  # times the best error: such a state is as good as the best, within what so few samples tell, and the later one was trained longer
WORSE = 3.0  # times the best error: such a state is given up. Up to half more is usual while the rate is high, and passes as it falls
MOST_RETURNS = 6  # when so many states were given up, no better one is expected any more
KEPT = "recovery so far is kept; the same command goes on from it"
NOWHERE = Verdict.no("no folder was given to keep it in")
NOTHING = "nothing was pruned, so there was nothing to recover"


def recover(
    dense: ir.Model,
    pruned: Pruned,
    choices: Mapping[str, Choice],
    learned: Calibration,
    judged: Calibration,
    duration_s: float,
    seed: int = 0,
    progress: Progress | None = None,
    folder: Path | None = None,
    recipe: Recipe | None = None,
) -> Pruned:
    """Train for `duration_s`; the last state about as good as the best, on the samples that judge, is given back, the one given if none does better.

    choices: what `pruned` was pruned to, by layer name; masks stay as they are. learned, judged: see `held_out`. folder: where an interrupted recovery is
    kept, to go on from when called with the same once more. A loss that is not finite ends the training with the best state so far, and a note.
    """
    for name, choice in choices.items():
        assert choice.pattern.check(pruned.masks[name]), name
    if not choices:
        return replace(pruned, notes=(*pruned.notes, NOTHING))
    recipe = recipe or Recipe()
    distillation = Distillation(dense, pruned, learned, judged, seed, recipe)
    path = state_file(folder, dense, pruned, choices, learned, f"{seed} {duration_s} {recipe} {STATE}") if folder is not None else None
    with threads_restored() as threads:
        training = _Training(distillation, duration_s, recipe.most_steps, path, threads)
        _run(training, progress or Silent())
    model = distillation.model(training.kept) if training.kept_error < training.first else pruned.model
    return replace(pruned, model=model, notes=(*pruned.notes, training.note))


STATE = ("steps", "spent_s", "first", "best", "kept", "kept_error", "returns", "judged")  # of a training, beside the network's


def _run(training: "_Training", progress: Progress) -> None:
    with progress.stage(training.title, math.ceil(training.duration_s)) as advance:
        try:
            training.run(advance)
        except KeyboardInterrupt:
            training.save()
            with progress.stage(KEPT if training.saved else f"recovery so far is lost: {training.saved.reason}"):
                pass
            raise


@dataclass
class _Training:
    """Steps until the time is up, judged now and then."""

    distillation: Distillation
    duration_s: float
    most_steps: int | None
    path: Path | None
    threads: int  # at most
    steps: int = 0
    spent_s: float = 0.0
    ended: str = ""
    before_s: float = 0.0  # spent before an interruption
    saved: Verdict = field(default_factory=Verdict.yes)  # when that was last tried

    def __post_init__(self):
        self.first = self.best = self.kept_error = at_best_speed(self.distillation.error, self.threads)
        self.kept, self.returns, self.judged = self.distillation.snapshot(), 0, 0
        state = load_state(self.path) if self.path is not None else None
        if state is not None:
            self.distillation.restore(state["distillation"])
            for name in STATE:
                setattr(self, name, state[name])
            self.before_s = self.spent_s

    @property
    def title(self) -> str:
        return f"recover, from {self.before_s:.0f} s on" if self.before_s else "recover"

    @property
    def share(self) -> float:
        """How much of the training is over: 0 at the start, 1 at the end."""
        by_time = self.spent_s / self.duration_s
        return by_time if self.most_steps is None or by_time >= 1 else self.steps / self.most_steps

    def run(self, advance: Advance) -> None:
        told = 0
        while not self.ended and self.share < 1:
            started = time.monotonic()
            self._step()
            self.spent_s += time.monotonic() - started
            done = int(min(1.0, self.share) * self.duration_s)
            advance(done - told)
            told = done
        self._judge()
        if self.path is not None:
            drop_state(self.path)
        advance(math.ceil(self.duration_s) - told)

    def _step(self) -> None:
        if not self.distillation.step(self.share):
            self.ended = f"the loss was not finite after {self.steps} steps, which ended it"
            return
        self.steps += 1
        if int(JUDGED_TIMES * self.share) > self.judged:
            self.judged = int(JUDGED_TIMES * self.share)
            if not self._judge() <= WORSE * self.best:
                self.distillation.go_back(self.kept)
                self.returns += 1
            if self.returns > MOST_RETURNS:
                self.ended = f"it ended early, having gone back {self.returns} times to a better state"
            self.save()

    def _judge(self) -> float:
        """The error of now; the state is kept if it is about as good as the best."""
        clocked = self.judged % CLOCKED_EVERY == 0
        found = at_best_speed(self.distillation.error, self.threads) if clocked else self.distillation.error()
        self.best = min(self.best, found)
        if found <= ALIKE * self.best and found < self.first:
            self.kept, self.kept_error = self.distillation.snapshot(), found
        return found

    def save(self) -> None:
        own = {name: getattr(self, name) for name in STATE}
        self.saved = save_state(self.path, {"distillation": self.distillation.state(), **own}) if self.path is not None else NOWHERE

    @property
    def note(self) -> str:
        gain = f"{self.distillation.teacher.measure} from the dense network {self.first:.4f} -> {self.kept_error:.4f} on held-out samples"
        resumed = f", {self.before_s:.0f} s of them before an interruption" if self.before_s else ""
        ended = f"; {self.ended}" if self.ended else ""
        unsaved = "" if self.saved or self.path is None else f"; an interruption would have lost it: {self.saved.reason}"
        return f"recovered without labels: {self.steps} steps in {self.spent_s:.0f} s{resumed}, {gain}{ended}{unsaved}"
