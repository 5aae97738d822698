"""torch modules -> onnx_ir models, through torch's own exporter."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping

import onnx_ir as ir

from spcompile.errors import DataError, ModelError

CONSTANTS = (type(None), bool, int, float, str)  # arguments that stay what they are in every call
ALLOWED = "one tensor, a tuple of arguments, or a dict of keyword arguments"


def load_torch(module, example_inputs) -> ir.Model:
    """Export `module`, in evaluation mode and at the shapes of `example_inputs`: a tensor or array, a tuple of arguments, or a dict of keyword arguments.
    Arguments are tensors or arrays, in lists and dicts too; None, numbers and text become part of the model.

    The module is left as it was, training flags included, and shares no memory with the result. Raises ModelError when torch cannot export it,
    DataError when there are no example inputs, or none that the module takes.
    """
    import torch

    args, kwargs = _arguments(example_inputs)
    _check_float64(module, (args, kwargs))
    with _quiet(), _evaluating(module):
        _check_outputs(module, _outputs(module, args, kwargs))
        try:
            program = torch.onnx.export(module, (*args, kwargs), dynamo=True, verbose=False, external_data=False)  # a dict that ends them is of keywords
        except torch.onnx.OnnxExporterError as error:
            raise ModelError(f"torch cannot export {type(module).__name__}: {_cause(error)}") from error
    return ir.from_proto(ir.to_proto(program.model))


def _arguments(example_inputs) -> tuple[tuple, dict]:
    import torch
    from torch.utils import _pytree as pytree  # what torch.export knows lists, dicts and a user's own containers by

    if example_inputs is None:
        raise DataError(f"a torch module needs example_inputs: {ALLOWED}")
    if isinstance(example_inputs, Mapping):
        args, kwargs = (), dict(example_inputs)
    else:
        args, kwargs = tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,), {}
    args, kwargs = pytree.tree_map(_argument, (args, kwargs))
    if not any(isinstance(leaf, torch.Tensor) for leaf in pytree.tree_leaves((args, kwargs))):
        raise DataError(f"example_inputs hold no tensor; give {ALLOWED}")
    return args, kwargs


def _argument(value):
    import torch

    if isinstance(value, CONSTANTS):
        return value
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"example_inputs hold {type(value).__name__}, which is no tensor; give {ALLOWED}") from error


def _check_float64(module, arguments) -> None:
    """numpy's own type: a module that computes in float32 would export as one that computes in float64."""
    import torch
    from torch.utils import _pytree as pytree

    own = {tensor.dtype for tensor in (*module.parameters(), *module.buffers())}
    if torch.float64 not in own and any(getattr(leaf, "dtype", None) == torch.float64 for leaf in pytree.tree_leaves(arguments)):
        raise DataError(f"example_inputs are float64, which {type(module).__name__} does not compute in; convert them to float32")


def _outputs(module, args: tuple, kwargs: dict):
    """What the module answers. Tracing looks at shapes alone, and lets pass what the module cannot run on."""
    import torch

    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.no_grad():
        try:
            return module(*args, **kwargs)
        except Exception as error:  # a user's module raises what it likes
            raise DataError(f"{type(module).__name__} cannot run on the example_inputs: {_cause(error)}") from error
        finally:
            for name, value in before.items():  # it may count its calls
                module.get_buffer(name).copy_(value)


def _check_outputs(module, outputs) -> None:
    import torch
    from torch.utils import _pytree as pytree

    leaves = [leaf for leaf in pytree.tree_leaves(outputs) if leaf is not None]  # torch leaves out what is None
    if not leaves:
        raise ModelError(f"{type(module).__name__} returns no tensor, so there is nothing to compute")
    if others := {type(leaf).__name__ for leaf in leaves if not isinstance(leaf, torch.Tensor)}:
        raise ModelError(f"{type(module).__name__} returns {', '.join(sorted(others))} among its outputs; let it return tensors only")


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
