"""What a family of targets does its own way."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import onnx_ir as ir

from spcompile.costs.latency import Latency
from spcompile.errors import TargetError
from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.patterns import GENERAL, Choice, Pattern
from spcompile.plan import Plan
from spcompile.progress import Progress
from spcompile.pruning import Calibration
from spcompile.report.facts import Measurement
from spcompile.runtime.verify import Comparison
from spcompile.search import Problem
from spcompile.targets import Device
from spcompile.verdict import Verdict


class Predictor(Protocol):
    """Times of one network's layers under any choice, and of everything that has no choice."""

    @property
    def fixed(self) -> Latency:
        """Of all that is no layer's."""

    def __call__(self, layer: Layer, choice: Choice) -> Latency:
        """Of a layer whose weights have the choice's pattern and level; every layer can be asked for dense."""


class Timer(Protocol):
    """Measures networks on the target, where `verdict` says that this machine can."""

    verdict: Verdict
    is_target: bool  # is this machine itself the target, and not one like it?

    def tune_dense(self, progress: Progress) -> None:
        """Fit the dense network's kernels to this machine, before anything is measured."""

    def tune(self, model: ir.Model, progress: Progress) -> None:
        """Fit a pruned network's kernels to this machine, before it is built or measured."""

    def anchored(self, problem: Problem) -> tuple[Problem, str]:
        """The problem with its times scaled by one measurement, of the dense network; and a note that says so."""

    def search(self, problem: Problem, limit_s: float, pruned: Callable[[Plan], ir.Model], progress: Progress) -> Plan:
        """The least harmful plan whose measured time keeps the limit; pruned: a plan's network with its final weights."""

    def compare(self, built: Any) -> Measurement | Verdict:
        """What `Toolchain.build` gave, beside the dense network."""


class NotMeasured:
    """Of targets that this machine does not time networks on; verdict: why."""

    is_target = False

    def __init__(self, verdict: Verdict):
        self.verdict = verdict

    def compare(self, built: Any) -> Verdict:
        return self.verdict


class Toolchain(ABC):
    """From a network and a plan's weights to files for one target. The compiler knows families of targets by this alone.

    `build` gives a value of the family's own, which the methods after it take back.
    """

    offered: tuple[Pattern, ...] = GENERAL  # what is weighed unless the user names patterns

    without_data = ""  # what is made up where no data were given, for the report; goes on from a sentence

    dtypes: tuple[str, ...] = ()  # of numbers that a user may choose between; the first one unless told; (): the family has its own

    def __init__(self, target: Device, threads: int, dtype: str | None = None):
        if dtype is not None and dtype not in self.dtypes:
            allowed = f"allowed: {', '.join(self.dtypes)}" if self.dtypes else "leave --dtype out, it has its own"
            raise TargetError(f"{target.name} cannot be compiled for with --dtype {dtype}; {allowed}")
        self.target, self.threads, self.dtype = target, threads, dtype

    @abstractmethod
    def check(self, model: ir.Model) -> None:
        """Refuse, before anything long starts, a prepared model that the target cannot run: an SpcompileError that names the node."""

    @abstractmethod
    def predictor(self, model: ir.Model) -> Predictor:
        """For a prepared model."""

    @abstractmethod
    def timer(self, model: ir.Model) -> Timer:
        """For a prepared model, as it was given."""

    def takes(self, layer: Layer, pattern: Pattern) -> Verdict:
        """Can a layer's matrix hold the pattern, and has the target a kernel for it?"""
        return pattern.fits(layer)

    def taken(self, model: ir.Model, patterns: Sequence[Pattern]) -> tuple[Pattern, ...]:
        """Those of the patterns that at least one layer takes."""
        layers = find_layers(model)
        return tuple(pattern for pattern in patterns if any(self.takes(layer, pattern) for layer in layers))

    def deployed(self, model: ir.Model, data: Calibration | None) -> ir.Model:
        """The network as the target computes it (quantised, say), as plain ONNX: what its accuracy is told of. data: typical inputs."""
        return model

    @abstractmethod
    def build(self, model: ir.Model, data: Calibration | None, stage: Path) -> Any:
        """Compile a pruned model into files under `stage`."""

    @abstractmethod
    def verify(self, built: Any, model: ir.Model, data: Calibration | None, stage: Path, seed: int) -> Comparison | Verdict:
        """Run what was built beside its reference, or say why it cannot be run."""

    def facts(self, built: Any) -> dict[str, Any]:
        """Fields of the report that only this family fills."""
        return {}

    @abstractmethod
    def write(self, built: Any, stage: Path) -> None:
        """The files that the artifact needs beside what `build` wrote."""

    @abstractmethod
    def write_manifest(self, built: Any, stage: Path, facts: dict) -> None:
        """The artifact's last file."""
