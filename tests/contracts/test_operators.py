"""What can be compiled can be pruned with data, recovered and trained."""

from spcompile.lowering import operators
from spcompile.lowering.elementwise_ops import BUILDERS
from spcompile.pruning.operators import OPERATORS


def test_every_operator_that_compiles_can_be_run_while_pruning():
    assert {*operators.OPERATORS, *BUILDERS} - OPERATORS.keys() == set()
