"""The tables of operators."""

import re
from pathlib import Path

import pytest

from spcompile.lowering.elementwise_ops import BUILDERS
from spcompile.lowering.operators import OPERATORS
from spcompile.lowering.refusals import MOVES, SETTINGS
from spcompile.passes.compute_in_floats import RULES
from spcompile.passes.unroll_recurrent import UnrollRecurrent
from spcompile.passes.write_out import WriteOut


def test_tables_agree():
    """An operator is in one table; what may move whole numbers or needs constants is known at all."""
    assert not OPERATORS.keys() & BUILDERS.keys()
    assert OPERATORS.keys() >= set(MOVES) and OPERATORS.keys() >= SETTINGS.keys()


@pytest.mark.parametrize("name", [*OPERATORS, *BUILDERS])
def test_every_operator_of_the_tables_exists(name):
    """Spelled as ONNX spells it."""
    import onnx

    assert onnx.defs.has(name)


def test_the_list_of_operators_that_errors_point_to_is_whole():
    text = (Path(__file__).parents[2] / "docs/main-job.md").read_text().partition("## What can be compiled")[2].partition("## ")[0]
    listed = set(re.findall(r"`([A-Z]\w+)`", text))
    rewritten = {*WriteOut.op_types, *UnrollRecurrent.op_types, *RULES, "BatchNormalization", "Constant", "ConvTranspose", "Dropout"}
    assert listed == {*OPERATORS, *BUILDERS, *rewritten, "Conv", "Gemm"}
