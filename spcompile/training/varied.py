"""Few inputs stand for more: images are mirrored and shifted, where that leaves them the images that they are."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F

COLOURS = 3  # in-channels by which images are known
SHIFT = 1 / 8  # of an image's size, at most


def mirrored(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """images [N, channels, height, width]: about half of them left to right."""
    chosen = torch.rand(len(images), generator=random) < 0.5
    return torch.where(chosen.reshape(-1, 1, 1, 1), images.flip(-1), images)


def shifted(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Each moved by whole pixels, up to an eighth of its size; what comes into sight is mirrored from the border."""
    height, width = images.shape[2:]
    up, left = int(SHIFT * height), int(SHIFT * width)
    wide = F.pad(images, (left, left, up, up), mode="reflect")
    places = zip(*(torch.randint(2 * room + 1, (len(images),), generator=random).tolist() for room in (up, left)), strict=True)
    return torch.stack([image[:, y : y + height, x : x + width] for image, (y, x) in zip(wide, places, strict=True)])


Way = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
WAYS: tuple[Way, ...] = (mirrored, shifted)


def varied(values: torch.Tensor, random: torch.Generator, ways: Iterable[Way] = WAYS) -> torch.Tensor:
    """values [S, *shape] of one input, as they are fed: colour images are varied in these ways, one after the other; whatever else stays as it is.

    Nothing is blended: that takes room in sparse weights that real inputs need (docs/accuracy-experiments.md, "How inputs are varied").
    """
    if not (values.is_floating_point() and values.dim() == 5 and values.shape[2] == COLOURS):
        return values
    images = values.flatten(0, 1)
    for way in ways:
        images = way(images, random)
    return images.unflatten(0, values.shape[:2])
