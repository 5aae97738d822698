"""Folders of images -> arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from spcompile.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


@dataclass(frozen=True)
class Preprocessing:
    """x = (pixel - shift) / scale per channel, pixels 0 to 255, RGB unless `bgr`; images are resized to the input's height and width."""

    shift: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (255.0,)
    bgr: bool = False

    def __post_init__(self):
        assert len(self.shift) in (1, 3) and len(self.scale) in (1, 3) and all(self.scale), self

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """[height, width, channels] -> float32 [channels, height, width]"""
        ordered = pixels[:, :, ::-1] if self.bgr else pixels
        return ((ordered - np.float32(self.shift)) / np.float32(self.scale)).astype(np.float32).transpose(2, 0, 1)


def load_images(folder: Path, model: ir.Model, preprocessing: Preprocessing | None, limit: int | None) -> tuple[str, np.ndarray, tuple[str, ...]]:
    """Every image below `folder`, in the order of their paths -> (input name, float32 [N, channels, height, width], notes)."""
    name, (channels, height, width) = _image_input(folder, model)
    next(folder.iterdir(), None)  # a folder that may not be read is an OSError here, and an empty one below
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)[:limit]
    if not paths:
        raise DataError(f"no images in {folder}; looked for {', '.join(SUFFIXES)}")
    chosen = preprocessing or Preprocessing()
    notes = () if preprocessing else ("images were scaled to RGB / 255; if the network was trained otherwise, say how",)
    return name, np.stack([chosen.apply(_pixels(path, channels, height, width)) for path in paths]), notes


def _image_input(folder: Path, model: ir.Model) -> tuple[str, tuple[int, int, int]]:
    shapes = {value.name: value.shape.numpy() for value in model.graph.inputs}
    if len(shapes) != 1 or len(next(iter(shapes.values()))) != 4 or next(iter(shapes.values()))[1] not in (1, 3):
        given = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise DataError(f"{folder} is a folder of images, the model takes {given}: give an .npz with one array per input")
    ((name, shape),) = shapes.items()
    return name, shape[1:]


def _pixels(path: Path, channels: int, height: int, width: int) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            resized = image.convert("RGB" if channels == 3 else "L").resize((width, height), Image.Resampling.BICUBIC)
    except (OSError, UnidentifiedImageError) as error:
        reason = f" ({error.strerror})" if error.strerror else ""
        raise DataError(f"{path} cannot be read as an image{reason}") from error
    return np.asarray(resized, np.float32).reshape(height, width, channels)
