"""What a report is made of: frozen values that say what was asked, found, measured and checked."""

from dataclasses import dataclass

LEAST_NOISE = 0.03  # of fastest rounds, a share: what clocks and memory placement do on an idle machine; so far apart, times count as the same
DISTURBED = 1.3  # upper over lower quartile, and median over fastest; on an idle machine about 1.05


@dataclass(frozen=True)
class Request:
    """What was asked for, as the user wrote it."""

    budget: str | None  # "3ms", "2x"
    max_drop: str | None  # "1%"
    patterns: tuple[str, ...]  # notations on offer
    pruner: str
    measure: bool
    seed: int
    recover: str | None = None  # "10min"


@dataclass(frozen=True)
class Tensor:
    """A named input of the model."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelFacts:
    """The network before and after: weights and multiply-accumulates of the prunable layers and all others together."""

    name: str
    sha256: str
    inputs: tuple[Tensor, ...]
    parameters: int
    parameters_kept: int
    macs: int
    macs_kept: int

    def __post_init__(self):
        assert 0 <= self.parameters_kept <= self.parameters and 0 <= self.macs_kept <= self.macs, self


@dataclass(frozen=True)
class TargetFacts:
    """The device. `alias` says what a word such as "arm" was taken to mean, and is empty when the user named the device itself."""

    asked: str
    family: str  # cpu, gpu or fpga
    name: str
    description: str
    alias: str = ""


@dataclass(frozen=True)
class LayerWeights:
    """Weights of one layer that are stored and those that are not zero."""

    layer: str
    stored: int
    kept: int

    def __post_init__(self):
        assert 0 <= self.kept <= self.stored and self.stored > 0, self

    @property
    def density(self) -> float:
        return self.kept / self.stored


@dataclass(frozen=True)
class Timing:
    """Repeated times of one model: the fastest round, which is what it takes undisturbed, the median of all and the quartiles around it."""

    fastest_s: float
    median_s: float
    low_s: float
    high_s: float

    def __post_init__(self):
        assert 0 < self.fastest_s <= self.low_s <= self.median_s <= self.high_s, self


@dataclass(frozen=True)
class Measurement:
    """Dense and plan, both compiled by us, timed in turns on one machine."""

    dense: Timing
    plan: Timing
    host: str
    repeats: int
    speedup: float  # dense over plan, both in their fastest round: neighbours only add time, and not to all code alike

    @property
    def disturbed(self) -> bool:
        """Did other work on the machine spread the times so far that they say little?"""
        return any(max(timing.high_s / timing.low_s, timing.median_s / timing.fastest_s) > DISTURBED for timing in (self.dense, self.plan))

    @property
    def slower_than_dense(self) -> bool:
        """Beyond noise, in the fastest rounds, as `speedup`."""
        return self.plan.fastest_s > (1 + LEAST_NOISE) * self.dense.fastest_s


@dataclass(frozen=True)
class Accuracy:
    """Score before and after all that was done to the weights. unit: "share" (0..1, printed as per cent) or "score"."""

    metric: str
    before: float
    after: float
    unit: str
    samples: int
    data: str  # where the samples come from
    pruned: float | None = None  # between pruning and recovery; None when nothing was recovered

    def __post_init__(self):
        assert self.unit in ("share", "score") and self.samples > 0, self


@dataclass(frozen=True)
class Calibration:
    """The inputs that errors were estimated with."""

    source: str
    samples: int
    sha256: str


@dataclass(frozen=True)
class Verification:
    """The compiled model against a reference engine on the same pruned network."""

    reference: str  # "ONNX Runtime 1.32.0"
    random_inputs: int
    real_inputs: int
    worst_relative_difference: float
    limit: float
    where: str  # "this host", "emulator (qemu-aarch64 8.2)"

    def __post_init__(self):
        assert 0 <= self.worst_relative_difference < float("inf"), self

    @property
    def holds(self) -> bool:
        return self.worst_relative_difference <= self.limit


@dataclass(frozen=True)
class PlanPoint:
    """A plan seen from afar: predicted latency and error."""

    label: str
    latency_s: float
    error: float


@dataclass(frozen=True)
class Stage:
    """Wall time of one step of the compilation."""

    name: str
    wall_s: float


@dataclass(frozen=True)
class ArtifactFile:
    """A file of the artifact; `path` is relative to its folder."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Package:
    """An installed package that had a part in the result."""

    name: str
    version: str


@dataclass(frozen=True)
class Environment:
    """The machine that compiled."""

    cpu: str
    cpu_flags_sha256: str
    system: str
    python: str
    cores: int  # that pruning and compiling could use
    packages: tuple[Package, ...]
