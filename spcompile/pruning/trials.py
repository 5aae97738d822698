"""How layers and plans are tried out: quickly, judged on samples of their own."""

from spcompile.pruning.solvers import LeastSquares
from spcompile.pruning.wanda import Wanda

JUDGING_SHARE = 0.25  # of the samples; errors are read on these, weights are fitted to the others
QUICK = Wanda(solver=LeastSquares(tolerance=1e-2))  # ranks what is pruned as the best pruner does, in a fraction of its time
