"""Whose mistake was it?"""

from collections.abc import Iterator
from contextlib import contextmanager

from spcompile.errors import SpcompileError
from spcompile.ir.frontend import load
from spcompile.ir.session import Session
from spcompile.pruning import random_calibration

MISFITS = (AssertionError, ValueError, RuntimeError)  # what our passes, numpy and torch raise where sizes do not fit


@contextmanager
def blamed(source, input_shapes=None, example_inputs=None) -> Iterator[None]:
    """Around what reads a model: where that fails and ONNX Runtime cannot run the model either (a bias of another size, say), the model is at fault.

    Raises what ONNX Runtime says then, a ModelError; any other error is left as it is.
    """
    try:
        yield
    except MISFITS as error:
        model = load(source, input_shapes, example_inputs)
        try:
            Session(model).run(random_calibration(model, samples=1).feeds)
        except SpcompileError as refusal:
            raise refusal from error
        raise
