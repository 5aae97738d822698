"""Which zeros hurt least, and what the survivors become. Order is the order of documentation; the last is the one used unless another is asked for.

To add a pruner: write `pruning/my_idea.py` with a frozen subclass of `Pruner` and put it into PRUNERS; the contracts in tests/contracts run over it.
"""

from spcompile.pruning.admm import Admm
from spcompile.pruning.auto import Auto
from spcompile.pruning.calibration import Calibration, calibration_from, load_calibration, random_calibration
from spcompile.pruning.erdos_renyi import erdos_renyi_kernel
from spcompile.pruning.errors import ErrorModel, measure_errors
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.fisher import Fisher
from spcompile.pruning.images import Preprocessing
from spcompile.pruning.labelled import Labelled, load_labelled, top1
from spcompile.pruning.magnitude import Magnitude
from spcompile.pruning.nettrim import NetTrim
from spcompile.pruning.obc import Obc
from spcompile.pruning.permutation import permuted
from spcompile.pruning.pruned import Pruned
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.random_masks import Random
from spcompile.pruning.sequential import prune
from spcompile.pruning.solvers import KeepWeights, LeastSquares, Solver
from spcompile.pruning.sparsegpt import SparseGPT
from spcompile.pruning.wanda import Wanda

PRUNERS: tuple[Pruner, ...] = (Magnitude(), Random(), Wanda(), Fisher(), SparseGPT(), Obc(), NetTrim(), Admm(), Auto())

__all__ = [
    "PRUNERS",
    "Admm",
    "Auto",
    "Calibration",
    "ErrorModel",
    "Evidence",
    "Fisher",
    "KeepWeights",
    "Labelled",
    "LeastSquares",
    "Magnitude",
    "NetTrim",
    "Obc",
    "Preprocessing",
    "Pruned",
    "Pruner",
    "Random",
    "Solver",
    "SparseGPT",
    "Wanda",
    "calibration_from",
    "erdos_renyi_kernel",
    "load_calibration",
    "load_labelled",
    "measure_errors",
    "permuted",
    "prune",
    "random_calibration",
    "top1",
]
