"""What pruning gives back."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir


@dataclass(frozen=True)
class Pruned:
    """A model whose zeros obey its choices; the dense one is untouched."""

    model: ir.Model
    masks: dict[str, np.ndarray]  # layer name -> bool [rows, columns], True keeps
    notes: tuple[str, ...] = ()  # sentences for the report
