"""What kernels timed on a device say about its device file: how far instructions, caches and memory are from the rates given there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from spcompile.costs.cpu import predict
from spcompile.kernels.work import Work
from spcompile.targets.target import Target

UNSEEN = 0.05  # weight of "as the device file says" against one kernel: a part that no kernel shows keeps its rate
OUTLIER = 0.1  # relative error from which on a kernel counts less: other work may have disturbed it
WIDEST = 10.0  # times faster or slower than the device file says; beyond, it describes another device


@dataclass(frozen=True)
class Observation:
    """One program, called again and again. works: of its steps; network_bytes: all memory it uses, as for `costs.cpu.predict`."""

    works: tuple[Work, ...]
    network_bytes: float
    seconds: float

    def predicted_s(self, target: Target, threads: int) -> float:
        return sum(predict(work, target, threads, network_bytes=self.network_bytes).expected_s for work in self.works)


@dataclass(frozen=True)
class Scales:
    """Time really taken over what the rates of the device file say: by instructions, by bytes from caches beyond L1, by bytes from memory."""

    core: float
    caches: float
    memory: float

    def on(self, target: Target) -> Target:
        """The device with these in place of what was measured before."""
        return replace(target, measured_core=self.core, measured_caches=self.caches, measured_memory=self.memory)


def fit(observations: Sequence[Observation], target: Target, threads: int) -> Scales:
    """The scales under which predictions come closest, in relative terms; outliers count less."""
    import numpy as np
    from scipy.optimize import least_squares

    def errors(logarithms: np.ndarray) -> np.ndarray:
        device = Scales(*np.exp(logarithms)).on(target)
        return np.array([*(np.log(o.predicted_s(device, threads) / o.seconds) for o in observations), *(UNSEEN * logarithms)])

    bound = np.log(WIDEST)
    found = least_squares(errors, np.zeros(3), bounds=(-bound, bound), loss="soft_l1", f_scale=OUTLIER)
    return Scales(*(float(scale) for scale in np.exp(found.x)))
