"""How much an error in each row of a layer's output counts, and at which positions it counts at all."""

from dataclasses import replace

import numpy as np
import onnx_ir as ir

from spcompile.ir.layer import Layer
from spcompile.ir.layers import find_layers
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.scores import scored

SAMPLES = 64  # of the calibration data, the first ones, tell what rows count
LEAST = 1e-4  # of the mean: rows that seem to move nothing still differ

RowWeights = dict[str, np.ndarray]  # by layer name: float64 [rows], mean 1


def influence(model: ir.Model, calibration: Calibration, seed: int = 0) -> tuple[RowWeights, Calibration]:
    """-> squared error of the network's outputs for each unit of squared error in a row, relative to the layer's mean; and the calibration data with
    `counted`, which leaves out what no output owes anything to: the padding behind a sentence, most of a batch of short ones. model: prepared.

    The diagonal of the second factor that K-FAC gives a layer's Fisher information (Martens and Grosse 2015, arXiv:1503.05671, section 3), beside the
    second moments of its inputs. A squared error of the layer's output treats all rows and positions alike; masks and weights must not.
    Raises DataError when a gradient is not finite, UnsupportedOperator for what `Network` cannot run.
    """
    from spcompile.pruning.gradients import squared_output_gradients
    from spcompile.pruning.network import Network

    network, layers = Network(scored(model)), find_layers(model)
    found = squared_output_gradients(network, calibration.feeds, layers, seed, slice(SAMPLES))
    weights = {name: np.maximum(rows / rows.mean(), LEAST) if rows.any() else np.ones(len(rows)) for name, (rows, _) in found.items()}
    silent = [layer for layer in layers if _some_are_silent(layer, found[layer.name][1])]
    if not silent:
        return weights, calibration
    others = squared_output_gradients(network, calibration.feeds, silent, seed, slice(SAMPLES, None))
    counted = {layer.name: _counted(np.concatenate([found[layer.name][1], others[layer.name][1]])) for layer in silent}
    return weights, replace(calibration, counted=counted)


def _some_are_silent(layer: Layer, owed: np.ndarray) -> bool:
    """owed: bool [samples, positions]. Windows of convolutions overlap, so there every position counts."""
    return layer.op_type != "Conv" and owed.any() and not owed.all()


def _counted(owed: np.ndarray) -> np.ndarray:
    """A sample that moves no output has no positions to choose among: all of its count."""
    return owed | ~owed.any(axis=1, keepdims=True)
