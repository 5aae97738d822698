"""How much errors in the rows of a layer's output count, alone and together, and at which positions they count at all."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.evidence import diagonal
from spcompile.pruning.scores import scored

SAMPLES = 256  # of the calibration data, the first ones, tell what rows count
LEAST = 1e-4  # of the mean: rows that seem to move nothing still differ

RowFactors = dict[str, np.ndarray]  # by layer name: float32 [rows, rows] or, where only the diagonal is known, [rows]; the diagonal's mean is 1


def influence(model: ir.Model, calibration: Calibration, seed: int = 0) -> tuple[RowFactors, Calibration]:
    """-> F: errors e in the rows of a layer's output move the network's outputs by e' F e, squared, relative to the layer's mean; and the calibration data
    with `counted`, which leaves out what no output owes anything to: the padding behind a sentence, most of a batch of short ones. model: prepared.

    The second factor that K-FAC gives a layer's Fisher information (Martens and Grosse 2015, arXiv:1503.05671, section 3), beside the second moments of
    its inputs. A squared error of the layer's output treats all rows and positions alike, and rows apart; masks and weights must not.
    Raises DataError when a gradient is not finite, UnsupportedOperator for what `Network` cannot run.
    """
    from spcompile.pruning.gradients import output_fisher
    from spcompile.pruning.network import Network

    network, layers = Network(scored(model)), find_layers(model)
    found = output_fisher(network, calibration.feeds, layers, seed, slice(SAMPLES))
    factors = {name: _relative(fisher) for name, (fisher, _) in found.items()}
    silent = [layer for layer in layers if _some_are_silent(layer, found[layer.name][1])]
    if not silent:
        return factors, calibration
    others = output_fisher(network, calibration.feeds, silent, seed, slice(SAMPLES, None), paired=False)
    counted = {layer.name: _counted(np.concatenate([found[layer.name][1], others[layer.name][1]])) for layer in silent}
    return factors, replace(calibration, counted=counted)


def _relative(fisher: np.ndarray) -> np.ndarray:
    rows = diagonal(fisher)
    if not rows.any():
        return np.ones(len(rows), np.float32)
    relative, counts = fisher / rows.mean(), np.maximum(rows / rows.mean(), LEAST)
    return counts if fisher.ndim == 1 else relative + np.diag(counts - np.diagonal(relative))


def _some_are_silent(layer: Layer, owed: np.ndarray) -> bool:
    """owed: bool [samples, positions]. Windows of convolutions overlap, so there every position counts."""
    return layer.op_type != "Conv" and owed.any() and not owed.all()


def _counted(owed: np.ndarray) -> np.ndarray:
    """A sample that moves no output has no positions to choose among: all of its count."""
    return owed | ~owed.any(axis=1, keepdims=True)
