"""Running a model as it stands in memory, through ONNX Runtime: the reference of every check, and the source of calibration data."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from spcompile.errors import DataError, ModelError

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
        count = self._count(feeds)
        for index in range(count):
            part = {name: feeds[name][index * shape[0] : (index + 1) * shape[0]] if shape else feeds[name] for name, (shape, _) in self.inputs.items()}
            results = {**part, **self._compute(part)}
            yield {name: results[name] for name in self.outputs}

    def _compute(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One batch through ONNX Runtime."""
        if not self._computed:
            return {}
        try:
            return dict(zip(self._computed, self._session.run(self._computed, feeds), strict=True))
        except _REFUSALS as error:
            raise ModelError(f"ONNX Runtime cannot run the model: {_first_line(error)}") from error

    def _count(self, feeds: Mapping[str, np.ndarray]) -> int:
        if feeds.keys() != self.inputs.keys():
            raise DataError(f"the model's inputs are {', '.join(self.inputs)}; the data is for {', '.join(feeds) or 'none'}")
        counts = {name: _batches(name, np.asarray(feeds[name]), *self.inputs[name]) for name in feeds}
        if len(set(counts.values())) > 1:
            raise DataError(f"the inputs have different numbers of samples: {', '.join(f'{name} {len(feeds[name])}' for name in feeds)}")
        return next(iter(counts.values()))


def _batches(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> int:
    """How many batches of `shape` the array holds."""
    if array.dtype != dtype:
        raise DataError(f"input '{name}' takes {np.dtype(dtype).name}, the data is {array.dtype.name}")
    if not shape and not array.shape:
        return 1
    if array.ndim != len(shape) or array.shape[1:] != shape[1:] or len(array) == 0 or len(array) % shape[0]:
        raise DataError(f"input '{name}' takes shape {list(shape)} (or a multiple in the first dimension), the data is {list(array.shape)}")
    return len(array) // shape[0]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
