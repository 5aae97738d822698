"""How much an error in each row of a layer's output counts."""

import numpy as np
import onnx_ir as ir

from spcompile.ir.layers import find_layers
from spcompile.pruning.calibration import Calibration
from spcompile.pruning.scores import scored

SAMPLES = 64  # of the calibration data, the first ones
LEAST = 1e-4  # of the mean: rows that seem to move nothing still differ

RowWeights = dict[str, np.ndarray]  # by layer name: float64 [rows], mean 1


def row_weights(model: ir.Model, calibration: Calibration, seed: int = 0) -> RowWeights:
    """Squared error of the network's outputs for each unit of squared error in a row, relative to the layer's mean. model: prepared.

    The diagonal of the second factor that K-FAC gives a layer's Fisher information (Martens and Grosse 2015, arXiv:1503.05671, section 3), beside the
    second moments of its inputs. A squared error of the layer's output treats all rows alike; masks that compare rows must not.
    Raises DataError when a gradient is not finite, UnsupportedOperator for what `Network` cannot run.
    """
    from spcompile.pruning.gradients import squared_output_gradients
    from spcompile.pruning.network import Network

    found = squared_output_gradients(Network(scored(model)), calibration.feeds, find_layers(model), seed, SAMPLES)
    return {name: np.maximum(squares / squares.mean(), LEAST) if squares.any() else np.ones(len(squares)) for name, squares in found.items()}
