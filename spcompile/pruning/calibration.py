"""Inputs that stand for what the network will see: loaded, checked, or made up."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.errors import DataError
from spcompile.ir.batches import has_shape, input_shapes, part, whole_batches
from spcompile.pruning.images import Preprocessing, load_images

LABEL_KEYS = ("labels", "label", "y")
RANDOM_SAMPLES = 32


@dataclass(frozen=True)
class Calibration:
    """`feeds`: [N, ...] by input name, of the model's types; N is a whole number of the model's batches for every input. An input without axes has one
    number, for all samples."""

    feeds: Mapping[str, np.ndarray]
    source: str  # where it came from, for reports
    notes: tuple[str, ...] = ()
    counted: Mapping[str, np.ndarray] = field(default_factory=dict)  # by layer name: bool [samples, positions], see `influence`; all count where it has none

    def __post_init__(self):
        assert self.feeds and all(array.size for array in self.feeds.values())

    @property
    def digest(self) -> str:
        """SHA-256 over names, types, shapes and contents."""
        digest = hashlib.sha256()
        for name, array in sorted(self.feeds.items()):
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load_calibration(path: str | Path, model: ir.Model, preprocessing: Preprocessing | None = None, limit: int | None = None) -> Calibration:
    """Read an .npz (one array per input name; for a model of one input any single array) or a folder of images; labels in it are ignored.

    preprocessing: of images only, RGB / 255 unless given. limit: at most so many samples, the first ones. Raises DataError, one line each.
    """
    path = Path(path)
    if path.is_dir():
        name, array, notes = load_images(path, model, preprocessing, limit)
        feeds = {name: array}
    else:
        feeds, notes = read_arrays(path, "an .npz file or a folder of images"), ()
    return _calibration({key: array for key, array in feeds.items() if key not in LABEL_KEYS or key in _inputs(model)}, model, str(path), notes, limit)


def calibration_from(feeds: Mapping[str, np.ndarray] | np.ndarray, model: ir.Model) -> Calibration:
    """Arrays already in memory, tensors and lists too, by input name, or one for a model of one input."""
    return _calibration(dict(feeds) if isinstance(feeds, Mapping) else {"array": feeds}, model, "arrays given", (), None)


def random_calibration(model: ir.Model, seed: int = 0, samples: int = RANDOM_SAMPLES) -> Calibration:
    """Standard normal inputs, and 0 or 1 for integers: what is left when there is no data at all."""
    rng, feeds = np.random.default_rng(seed), {}
    for name, (shape, dtype) in _inputs(model).items():
        full = (samples * shape[0], *shape[1:]) if shape else ()
        feeds[name] = np.asarray(rng.standard_normal(full) if dtype.kind == "f" else rng.integers(0, 2, full), dtype)
    return Calibration(feeds, "random")


def samples(calibration: Calibration, model: ir.Model) -> int:
    """How many batches of the model's own size there are."""
    return whole_batches(calibration.feeds, input_shapes(model))


def parted(calibration: Calibration, model: ir.Model, count: int, seed: int) -> tuple[Calibration, Calibration]:
    """-> all samples but `count` drawn by chance, and those."""
    order = np.random.default_rng(seed).permutation(samples(calibration, model))
    rest, drawn = (_part(calibration, model, np.sort(part)) for part in (order[count:], order[:count]))
    return rest, drawn


def _part(calibration: Calibration, model: ir.Model, chosen: np.ndarray) -> Calibration:
    feeds = {name: _picked(calibration.feeds[name], shape, chosen) for name, shape in input_shapes(model).items()}
    return replace(calibration, feeds=feeds, counted={name: array[chosen] for name, array in calibration.counted.items()})


def _picked(array: np.ndarray, shape: tuple[int, ...], chosen: np.ndarray) -> np.ndarray:
    return array.reshape(-1, *shape)[chosen].reshape(-1, *shape[1:]) if shape else array


def read_arrays(path: Path, allowed: str = "an .npz file") -> dict[str, np.ndarray]:
    """The arrays of an .npz file; DataError for anything else, which tells what is allowed."""
    try:
        with path.open("rb") as file:
            if zipfile.is_zipfile(file):  # all else numpy takes for a pickle, and tells how to read it unsafely
                file.seek(0)
                with np.load(file, allow_pickle=False) as archive:
                    return {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        raise DataError(f"no such file or folder: {path}") from error
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as .npz ({reason}); give {allowed}") from error
    raise DataError(f"{path} is not an .npz archive, or one that was cut short; give {allowed}")


def _inputs(model: ir.Model) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    return {value.name: (value.shape.numpy(), np.dtype(value.dtype.numpy())) for value in model.graph.inputs}


def _calibration(feeds: dict[str, np.ndarray], model: ir.Model, source: str, notes: tuple[str, ...], limit: int | None) -> Calibration:
    inputs = _inputs(model)
    if len(inputs) == len(feeds) == 1:
        feeds = dict(zip(inputs, feeds.values(), strict=True))
    if missing := [name for name in inputs if name not in feeds]:
        raise DataError(f"{source} has no array for input {', '.join(missing)}; it holds {', '.join(feeds) or 'nothing'}, the model takes {', '.join(inputs)}")
    checked, shapes = {name: _checked(name, np.asarray(feeds[name]), *inputs[name], source) for name in inputs}, input_shapes(model)
    found = whole_batches(checked, shapes, f"{source}: ")
    whole = part(checked, shapes, 0, min(limit or found, found))
    return Calibration(whole, source, (*notes, *_constant_notes(whole)))


def _checked(name: str, array: np.ndarray, shape: tuple[int, ...], dtype: np.dtype, source: str) -> np.ndarray:
    """The array in the input's type, or a DataError that says what does not fit."""
    if array.dtype.kind != dtype.kind:
        raise DataError(f"{source}: input '{name}' takes {dtype.name}, the data is {array.dtype.name}; convert and preprocess it first")
    if not has_shape(array, shape):
        wanted = f"[{', '.join(['N', *map(str, shape[1:])])}]" if shape else "[], one number for all samples"
        raise DataError(f"{source}: input '{name}' takes shape {wanted}, the data is {list(array.shape)}")
    if shape and len(array) < shape[0]:
        raise DataError(f"{source}: {len(array)} samples for input '{name}'; at least {shape[0]} are needed, the model's batch")
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{source}: the data for input '{name}' holds NaN or infinity")
    return np.asarray(array, dtype, order="C")


def _constant_notes(feeds: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    constant = [name for name, array in feeds.items() if array.dtype.kind == "f" and array.ndim and len(array) > 1 and (array == array[:1]).all()]
    return tuple(f"every calibration sample for input '{name}' is the same; real, varied inputs are needed to know what matters" for name in constant)
