"""Running a model as it stands in memory, through ONNX Runtime: the reference of every check, and the source of calibration data."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from spcompile.errors import DataError, ModelError
from spcompile.ir.batches import batches, has_shape

_REFUSALS = (ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.InvalidGraph, ort_errors.NotImplemented, ort_errors.RuntimeException)
_SILENT = 4  # ONNX Runtime's log_severity_level: what goes wrong comes as an exception


def run(model: ir.Model, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None, threads: int = 1) -> dict[str, np.ndarray]:
    """Feed arrays [N, ...] by input name, get arrays by output name; see `Session`."""
    return Session(model, outputs, threads).run(feeds)


class Session:
    """One model ready to run. `outputs` may name any values of the graph, inner ones and inputs too; None asks for the model's own."""

    def __init__(self, model: ir.Model, outputs: Sequence[str] | None = None, threads: int = 1):
        model = model.clone()
        values = ir.convenience.create_value_mapping(model.graph)
        self.outputs = tuple(dict.fromkeys(outputs if outputs is not None else [value.name for value in model.graph.outputs]))
        assert values.keys() >= set(self.outputs), set(self.outputs) - values.keys()
        self.inputs = {value.name: (value.shape.numpy(), value.dtype.numpy()) for value in model.graph.inputs}
        self._computed = tuple(name for name in self.outputs if name not in self.inputs)
        model.graph.outputs[:] = [values[name] for name in self._computed] or model.graph.outputs[:1]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, _SILENT
        try:
            self._session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
        except _REFUSALS as error:
            raise ModelError(f"ONNX Runtime cannot open the model: {_first_line(error)}") from error

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All batches, outputs joined along their first axis."""
        batches = list(self.batches(feeds))
        if len(batches) == 1:
            return batches[0]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in self.outputs}

    def batches(self, feeds: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        """One result for each batch of the model's own size: what to use when all of them together would not fit in memory.

        feeds: [N, ...], N a multiple of the model's batch. Raises DataError when names, types or shapes do not fit.
        """
        self._check(feeds)
        for batch in batches(feeds, {name: shape for name, (shape, _) in self.inputs.items()}):
            results = {**batch, **self._compute(batch)}
            yield {name: results[name] for name in self.outputs}

    def _compute(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One batch through ONNX Runtime."""
        if not self._computed:
            return {}
        try:
            return dict(zip(self._computed, self._session.run(self._computed, feeds), strict=True))
        except _REFUSALS as error:
            raise ModelError(f"ONNX Runtime cannot run the model: {_first_line(error)}") from error

    def _check(self, feeds: Mapping[str, np.ndarray]) -> None:
        if feeds.keys() != self.inputs.keys():
            raise DataError(f"the model's inputs are {', '.join(self.inputs)}; the data is for {', '.join(feeds) or 'none'}")
        for name, (shape, dtype) in self.inputs.items():
            _check(name, np.asarray(feeds[name]), shape, dtype)


def _check(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """DataError unless the array holds whole batches of `shape`."""
    if array.dtype != dtype:
        raise DataError(f"input '{name}' takes {np.dtype(dtype).name}, the data is {array.dtype.name}")
    if not has_shape(array, shape) or (shape and (len(array) == 0 or len(array) % shape[0])):
        also = " (or a multiple in the first dimension)" if shape else ", one number for all samples"
        raise DataError(f"input '{name}' takes shape {list(shape)}{also}, the data is {list(array.shape)}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
