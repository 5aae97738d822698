"""A pruner of one's own, for a board of one's own. Run: python examples/own_pruner.py OUTPUT_FOLDER"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import spcompile
from spcompile.patterns import Choice
from spcompile.pruning import Evidence, LeastSquares, Pruner

HERE = Path(__file__).parent
FASHION = HERE / "fashion_mnist"


@dataclass(frozen=True)
class FairToRows(Pruner):
    """Saliency w^2 / mean w^2 of its row: a weight is judged among those of its own out channel, so that a quiet channel keeps its share."""

    name = "fair-to-rows"

    def mask(self, evidence: Evidence, choice: Choice) -> np.ndarray:
        power = evidence.weight**2
        return choice.pattern.mask(power / np.maximum(power.mean(axis=1, keepdims=True), np.finfo(np.float32).tiny), choice.sparsity)


def main() -> None:
    result = spcompile.compile(
        FASHION / "model.onnx",
        target=str(HERE / "own_device.toml"),
        budget="1.5x",
        calibration=FASHION / "calibration.npz",
        evaluate=FASHION / "test.npz",
        prune=FairToRows(solver=LeastSquares()),  # which weights go, and what becomes of the others, are two questions
        output=sys.argv[1],
    )
    for layer, choice in result.plan.choices.items():
        print(f"{layer:20} {choice.notation}")
    accuracy = result.report.accuracy
    print(f"top-1 {accuracy.before:.1%} dense, {accuracy.after:.1%} pruned by {FairToRows.name}; see {result.artifact / 'report.html'}")


if __name__ == "__main__":
    main()
