"""Labelled inputs, and the accuracy of a model on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.errors import DataError
from spcompile.ir.batches import length
from spcompile.ir.session import Session
from spcompile.pruning.calibration import LABEL_KEYS, Calibration, load_calibration, read_arrays


@dataclass(frozen=True)
class Labelled:
    """Inputs with the class of each."""

    inputs: Calibration
    labels: np.ndarray  # int64 [N]

    def __post_init__(self):
        assert self.labels.shape == (length(self.inputs.feeds),), self.labels.shape


def load_labelled(path: str | Path, model: ir.Model, limit: int | None = None) -> Labelled:
    """Read an .npz with the inputs as for calibration and the classes under "labels", "label" or "y". Raises DataError."""
    arrays = read_arrays(Path(path))
    names = {value.name for value in model.graph.inputs}
    keys = [key for key in LABEL_KEYS if key in arrays and key not in names]
    if not keys:
        raise DataError(f"{path} has no labels; give them as an array named {' or '.join(LABEL_KEYS)} beside {', '.join(sorted(names))}")
    labels, inputs = arrays[keys[0]], load_calibration(path, model, limit=limit)
    read = names if names <= arrays.keys() else arrays.keys() - {*keys}  # what `load_calibration` took
    samples = length({name: arrays[name] for name in read})
    if labels.shape not in ((samples,), (samples, 1)) or labels.dtype.kind not in "iu":
        raise DataError(f"{path}: labels must be {samples} integers, one per sample; they are {labels.dtype.name} {list(labels.shape)}")
    return Labelled(inputs, labels.reshape(-1)[: length(inputs.feeds)].astype(np.int64))


def top1(model: ir.Model, labelled: Labelled, threads: int = 1) -> float:
    """Share of samples whose largest value of the first output is that of their label, run in ONNX Runtime."""
    name = model.graph.outputs[0].name
    scores = np.concatenate([batch[name] for batch in Session(model, [name], threads).batches(labelled.inputs.feeds)])
    classes = scores.shape[-1]
    if scores.size != len(labelled.labels) * classes:
        raise DataError(f"output '{name}' has shape {list(scores.shape)}: accuracy needs one row of class scores per sample")
    if labelled.labels.min() < 0 or labelled.labels.max() >= classes:
        raise DataError(f"labels run from {labelled.labels.min()} to {labelled.labels.max()}, the model has classes 0 to {classes - 1}")
    return float((scores.reshape(-1, classes).argmax(axis=1) == labelled.labels).mean())
