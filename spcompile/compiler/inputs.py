"""Whatever a user hands in -> the values that compilation works on. Everything wrong is found here, before anything long starts."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.errors import DataError, NotationError, PatternError
from spcompile.ir.frontend import load
from spcompile.passes import prepare
from spcompile.patterns import Pattern, parse_patterns
from spcompile.pruning import PRUNERS, Calibration, Labelled, Pruner, calibration_from, load_calibration, load_labelled, top1

Score = Callable[[ir.Model], float]


@dataclass(frozen=True)
class Evaluation:
    """How accuracy is told: a share of right answers on labelled data, or a score of the user's own."""

    score: Score
    metric: str
    unit: str  # "share" or "score"
    samples: int
    data: str


def prepared(source, input_shapes: Mapping[str, tuple[int, ...]] | None, example_inputs) -> ir.Model:
    """Load and prepare."""
    return prepare(load(source, input_shapes, example_inputs))


def model_name(source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return Path(source).stem
    return getattr(source, "name", None) or getattr(getattr(source, "graph", None), "name", None) or type(source).__name__


def output_name(name: str, target: str | Path) -> str:
    """
    >>> output_name("model", "boards/my_board.toml")
    'model-my_board.spc'
    """
    return f"{name}-{Path(target).name.removesuffix('.toml')}.spc"


def check_whole(name: str, value, least: int) -> None:
    """NotationError for what is no whole number from `least` on; the limit on digits is the command line's."""
    if type(value) is not int or not least <= value < 10**18:
        raise NotationError(f"{name} is {value!r}; a whole number of at least {least}, with at most 18 digits, is wanted")


def chosen_patterns(patterns, offered: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """None: all that the target's family offers. Text as on the command line, or a list of such texts and of patterns; each pattern once."""
    if patterns is None:
        return offered
    given = [patterns] if isinstance(patterns, str) else patterns
    return tuple(dict.fromkeys(pattern for item in given for pattern in ((item,) if isinstance(item, Pattern) else parse_patterns(item))))


def chosen_pruner(pruner) -> Pruner:
    """None: the best we have. A name, or a pruner of the user's own."""
    if pruner is None:
        return PRUNERS[-1]
    if isinstance(pruner, Pruner):
        return pruner
    if not isinstance(pruner, str):
        raise PatternError(f"a pruner is a name or a spcompile.pruning.Pruner, not {type(pruner).__name__}")
    by_name = {known.name: known for known in PRUNERS}
    if pruner not in by_name:
        raise NotationError(f"unknown pruner '{pruner}'; there are {', '.join(by_name)}")
    return by_name[pruner]


def check_pruner(pruner: Pruner, patterns: Sequence[Pattern]) -> None:
    """PatternError for patterns, asked for by name, that the pruner cannot prune to."""
    for pattern in patterns:
        if not (verdict := pruner.can(pattern)):
            raise PatternError(f"pruner {pruner.name} cannot prune to {pattern.notation}: {verdict.reason}; leave one of the two out")


def calibration_of(given, model: ir.Model) -> Calibration | None:
    if given is None or isinstance(given, Calibration):
        return given
    return load_calibration(given, model) if isinstance(given, (str, os.PathLike)) else calibration_from(given, model)


def evaluation_of(given, model: ir.Model, threads: int) -> Evaluation | None:
    """A labelled .npz, `Labelled` data, or a function of the model that returns a score (higher is better)."""
    if given is None:
        return None
    if callable(given):
        return Evaluation(lambda pruned: _number(given(pruned)), "score", "score", 1, getattr(given, "__name__", "a function"))
    labelled = given if isinstance(given, Labelled) else load_labelled(given, model)
    return Evaluation(lambda pruned: top1(pruned, labelled, threads), "top-1", "share", len(labelled.labels), labelled.inputs.source)


def _number(score) -> float:
    """What a user's own function returned; DataError unless it is one finite number."""
    try:
        number = float(score)
    except (TypeError, ValueError) as error:
        raise DataError(f"evaluate returned {type(score).__name__}; it must return one number, the higher the better") from error
    if not math.isfinite(number):
        raise DataError(f"evaluate returned {number}; it must return a finite number, the higher the better")
    return number


def real_inputs(calibration: Calibration | None) -> Mapping[str, np.ndarray] | None:
    return calibration.feeds if calibration is not None else None
