"""The network in the accelerator's numbers as plain ONNX: what accuracy is told of, and what the simulator must equal. Host operators stay as they were."""

import onnx_ir as ir

from spcompile.accelerator.quantised import Quantised
from spcompile.accelerator.reference_bf16 import Bf16Reference
from spcompile.accelerator.reference_int8 import Int8Reference

BUILDERS = {"int8": Int8Reference, "bf16": Bf16Reference}


def reference(network: Quantised) -> ir.Model:
    """A model of the same inputs and outputs."""
    return BUILDERS[network.precision](network).model()
