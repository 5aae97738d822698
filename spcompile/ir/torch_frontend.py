"""torch modules -> onnx_ir models, through torch's own exporter."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import onnx_ir as ir

from spcompile.errors import DataError, ModelError


def load_torch(module, example_inputs) -> ir.Model:
    """Export `module`, in evaluation mode and at the shapes of `example_inputs` (a tensor or array, a tuple of them, or a dict of keywords).

    The module is left as it was, training flags included, and shares no memory with the result. Raises ModelError when torch cannot export it,
    DataError when there are no example inputs.
    """
    import torch

    args, kwargs = _arguments(example_inputs)
    with _quiet(), _evaluating(module):
        try:
            program = torch.onnx.export(module, args, kwargs=kwargs, dynamo=True, verbose=False, external_data=False)
        except torch.onnx.OnnxExporterError as error:
            raise ModelError(f"torch cannot export {type(module).__name__}: {_cause(error)}") from error
    return ir.from_proto(ir.to_proto(program.model))


def _arguments(example_inputs) -> tuple[tuple, dict]:
    import torch

    if example_inputs is None:
        raise DataError("a torch module needs example_inputs: one tensor, a tuple of tensors, or a dict of keyword arguments")
    if isinstance(example_inputs, dict):
        return (), {name: torch.as_tensor(value) for name, value in example_inputs.items()}
    values = example_inputs if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    return tuple(torch.as_tensor(value) for value in values), {}


@contextlib.contextmanager
def _evaluating(module) -> Iterator[None]:
    """Batch norm and dropout as at inference; each submodule's own flag comes back afterwards."""
    flags = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in flags.items():
            part.training = training


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the exporter warns, logs and prints speaks to its developers; its errors speak through exceptions."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _cause(error: BaseException) -> str:
    """The innermost reason, first line: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
