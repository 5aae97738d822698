"""Passes: graph in, graph out, one idea each. The room a contributor looks for first.

To add one: write `passes/my_idea.py` with a subclass of `Pass` (sees the model) or `NodePass` (sees the nodes of some operators, one by one),
put it into PREPARE below, and write `tests/passes/test_my_idea.py`; the contracts of all passes run over it by themselves.

- Its docstring says "Before: ... -> after: ..." in one line, with the formula's source where there is one.
- `apply` (or `rewrite`) changes the model in place and returns whether it changed anything; running it again must change nothing.
- The model computes the same outputs as before, from inputs and to outputs of the same names, shapes and types.
- `requires` and `ensures` hold asserts: what earlier passes must have done, and what holds from now on. Both are run, and every `ensures` once more
  at the end, so a later pass cannot break an earlier promise unseen.
- A model that cannot be taken is a ModelError from `apply`, naming the node. Our own mistakes are asserts.
- `spcompile.ir.rewiring` and `spcompile.ir.constants` change graphs; onnxscript and onnx_ir have passes and rules worth using first.
"""

import onnx_ir as ir

from spcompile.passes.base import NodePass, Pass
from spcompile.passes.compute_in_floats import ComputeInFloats
from spcompile.passes.drop_empty_windows import DropEmptyWindows
from spcompile.passes.drop_expands import DropExpands
from spcompile.passes.drop_no_ops import DropNoOps
from spcompile.passes.fold_constants import FoldConstants
from spcompile.passes.fold_scale_and_shift import FoldScaleAndShift
from spcompile.passes.fuse_pad import FusePad
from spcompile.passes.infer_shapes import InferShapes
from spcompile.passes.inline_functions import InlineFunctions
from spcompile.passes.lift_constants import LiftConstants
from spcompile.passes.merge_moves import MergeMoves
from spcompile.passes.merge_slices import MergeSlices
from spcompile.passes.normalise_gemm import NormaliseGemm
from spcompile.passes.pad_by_gather import PadByGather
from spcompile.passes.remove_dead import RemoveDead
from spcompile.passes.require_finite import RequireFinite
from spcompile.passes.require_float32 import RequireFloat32
from spcompile.passes.resolve_auto_pad import ResolveAutoPad
from spcompile.passes.separate_weights import SeparateWeights
from spcompile.passes.settle_names import SettleNames
from spcompile.passes.split_batch_norm import SplitBatchNorm
from spcompile.passes.split_pool import SplitPool
from spcompile.passes.split_resize import SplitResize
from spcompile.passes.split_sum import SplitSum
from spcompile.passes.split_transposed import SplitTransposed
from spcompile.passes.unroll_recurrent import UnrollRecurrent
from spcompile.passes.upgrade_opset import UpgradeOpset
from spcompile.passes.widen_lines import WidenLines
from spcompile.passes.write_out import WriteOut

__all__ = ["PREPARE", "NodePass", "Pass", "prepare"]

PREPARE: tuple[Pass, ...] = (
    InlineFunctions(),
    LiftConstants(),
    RequireFinite(),  # while parameters have the names they were given
    DropEmptyWindows(),  # before anything is made of shapes
    FoldConstants(),  # with the shapes known, the converter makes fewer detours
    UpgradeOpset(),
    LiftConstants(),
    FoldConstants(),
    WriteOut(),
    LiftConstants(),
    FoldConstants(),
    InferShapes(),
    RequireFloat32(),
    SettleNames(),
    ComputeInFloats(),
    UnrollRecurrent(),
    FoldConstants(),
    InferShapes(),
    ResolveAutoPad(),
    WidenLines(),
    MergeMoves(),
    DropExpands(),
    LiftConstants(),
    DropNoOps(),
    MergeSlices(),
    FusePad(),
    PadByGather(),
    SplitPool(),
    SplitResize(),
    SplitSum(),
    SplitBatchNorm(),
    NormaliseGemm(),
    FoldScaleAndShift(),
    SplitTransposed(),
    FoldConstants(),
    RemoveDead(),
    SettleNames(),
    SeparateWeights(),
    InferShapes(),
    RequireFinite(),  # of what they were folded into
)


def prepare(model: ir.Model) -> ir.Model:
    """A copy of `model` that keeps every promise of PREPARE, and computes the same. Raises ModelError for a model that cannot be compiled."""
    model = model.clone()
    for step in PREPARE:
        step(model)
    for step in PREPARE:
        step.ensures(model)
    return model
