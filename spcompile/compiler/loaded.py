"""The network and its data, as every stage of a compilation works on them."""

from dataclasses import dataclass

import onnx_ir as ir

from spcompile.compiler.inputs import Evaluation
from spcompile.compiler.sparsifier import Sparsifier
from spcompile.compiler.toolchains import Toolchain
from spcompile.pruning import Calibration, Pruned


@dataclass(frozen=True)
class Loaded:
    """model: prepared, its rows in their final order."""

    model: ir.Model
    data: Calibration | None
    evaluation: Evaluation | None
    sparsifier: Sparsifier
    toolchain: Toolchain

    def dense_score(self) -> float | None:
        """Of the network as it was given; None without labels."""
        return self.evaluation.score(self.model) if self.evaluation is not None else None

    def score(self, pruned: Pruned) -> float | None:
        """As the target computes it; None without labels."""
        return self.deployed_score(pruned.model) if self.evaluation is not None else None

    def deployed_score(self, model: ir.Model) -> float:
        """As the target computes it. There must be labels."""
        return self.evaluation.score(self.toolchain.deployed(model, self.data))
