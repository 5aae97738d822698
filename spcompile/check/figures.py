"""The figures that a check compares: what each is called, counted in, and which way is worse."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spcompile.verdict import Verdict


@dataclass(frozen=True)
class Figure:
    """One kind of figure. More is worse unless `more_is_better`."""

    name: str
    unit: str
    meaning: str
    more_is_better: bool = False


MACS = Figure("macs", "MAC", "multiply-accumulates with weights that are not zero")
PREDICTED = Figure("predicted_cycles", "cycles", "of one call, by the analytic cost model of the target")
INSTRUCTIONS = Figure("instructions", "instructions", "of one call: the inner loops as they stand in the compiled library, the rest as counted")
SIMULATED = Figure("simulated_cycles", "cycles", "of one call, the inner loops of the compiled library simulated by llvm-mca")
WEIGHTS = Figure("weight_bytes", "B", "packed weights and offset lists")
WORKSPACE = Figure("workspace_bytes", "B", "memory for activations")
CODE = Figure("code_bytes", "B", "the compiled library")
ACCURACY = Figure("accuracy", "", "after pruning, as the report has it", more_is_better=True)
LATENCY = Figure("latency_s", "s", "measured, one call, undisturbed")

BUDGET = Figure("budget", "s", "the most that one call may take, and what it takes")
FLOOR = Figure("accuracy_floor", "", "the least accuracy allowed, and what it is", more_is_better=True)
DROP = Figure("max_drop", "", "the most accuracy that pruning may cost, and what it costs")
DIFFERENCE = Figure("difference", "", "of the compiled outputs from the reference engine's, as a share of the largest")

OF_A_LAYER = (MACS, PREDICTED, INSTRUCTIONS, SIMULATED)
OF_THE_MODEL = (*OF_A_LAYER, WEIGHTS, WORKSPACE, CODE, ACCURACY)

COST_MODEL, SIMULATOR = "cost-model", "llvm-mca"  # among the tools: what predicted and simulated cycles depend on beside the code


@dataclass(frozen=True)
class Layer:
    """Figures of one node of the model; `kernels` says what computes it. What only moves its data is a layer of its own."""

    name: str
    kernels: tuple[str, ...]
    figures: Mapping[str, float]  # those that are available


@dataclass(frozen=True)
class LayerTime:
    """Of one layer in its place in the network, as `Times` has them of the whole."""

    undisturbed_s: float
    noise: float


@dataclass(frozen=True)
class Times:
    """Measured seconds of one call over several runs.

    What is compared is `undisturbed_s`: the fastest round of a run, in the median of the runs that agree best. Neighbours only ever add time;
    on a loaded machine they move the median by tens of per cent and this by about one. Median and quartiles of all rounds are for people.
    """

    undisturbed_s: float
    noise: float  # how far those runs lie apart, as a share of undisturbed_s
    median_s: float
    low_s: float
    high_s: float
    runs: int
    rounds: int
    layers: Mapping[str, LayerTime] = field(default_factory=dict)  # of those that take long enough to be timed

    def __post_init__(self):
        assert 0 < self.low_s <= self.median_s <= self.high_s and self.undisturbed_s > 0 and self.noise >= 0, self


@dataclass(frozen=True)
class Environment:
    """A machine's fingerprint: measured times are compared only where it is equal."""

    cpu: str
    cpu_flags_sha256: str
    threads: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """All figures of one artifact, as a baseline keeps them."""

    model: str
    model_sha256: str
    target: str
    target_sha256: str  # of the device's numbers
    threads: int
    tools: Mapping[str, str]  # versions: of what compiled it, and of what judges it here
    environment: Environment  # of the machine where the snapshot was taken
    total: Mapping[str, float | Verdict]
    layers: tuple[Layer, ...]  # in the order of their first call
    measured: Times | Verdict
