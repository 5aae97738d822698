"""Which zeros hurt least, and what the survivors become. Order is the order of documentation; the last is the one used unless another is asked for.

To add a pruner: write `pruning/my_idea.py` with a frozen subclass of `Pruner` and put it into PRUNERS; the contracts in tests/contracts run over it.
"""

from spcompile.pruning.admm import Admm
from spcompile.pruning.calibration import Calibration, calibration_from, load_calibration, random_calibration
from spcompile.pruning.errors import ErrorModel, measure_errors
from spcompile.pruning.evidence import Evidence
from spcompile.pruning.images import Preprocessing
from spcompile.pruning.labelled import Labelled, load_labelled, top1
from spcompile.pruning.magnitude import Magnitude
from spcompile.pruning.pruned import Pruned
from spcompile.pruning.pruner import Pruner
from spcompile.pruning.sequential import prune
from spcompile.pruning.solvers import KeepWeights, LeastSquares, Solver
from spcompile.pruning.sparsegpt import SparseGPT
from spcompile.pruning.wanda import Wanda

PRUNERS: tuple[Pruner, ...] = (Magnitude(), Wanda(), SparseGPT(), Admm())

__all__ = [
    "PRUNERS",
    "Admm",
    "Calibration",
    "ErrorModel",
    "Evidence",
    "KeepWeights",
    "Labelled",
    "LeastSquares",
    "Magnitude",
    "Preprocessing",
    "Pruned",
    "Pruner",
    "Solver",
    "SparseGPT",
    "Wanda",
    "calibration_from",
    "load_calibration",
    "load_labelled",
    "measure_errors",
    "prune",
    "random_calibration",
    "top1",
]
