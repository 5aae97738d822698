"""Few inputs stand for more: images are mirrored and shifted."""

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


def varied(values: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """values [S, *shape] of one input, as they are fed: colour images are mirrored and shifted; whatever else stays as it is.

    Nothing is blended: that takes room in sparse weights that real inputs need (docs/accuracy-experiments.md, "How inputs are varied").
    """
    images = values.is_floating_point() and values.dim() == 5 and values.shape[2] == COLOURS
    return shifted(mirrored(values.flatten(0, 1), random), random).unflatten(0, values.shape[:2]) if images else values
