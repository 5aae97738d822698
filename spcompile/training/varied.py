"""Few inputs stand for more: images may as well be mirrored."""

import torch

COLOURS = 3  # in-channels by which images are known


def mirrored(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """images [N, channels, height, width]: about half of them left to right."""
    chosen = torch.rand(len(images), generator=random) < 0.5
    return torch.where(chosen.reshape(-1, 1, 1, 1), images.flip(-1), images)


def varied(values: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """values [S, *shape] of one input, as they are fed: colour images are mirrored, half of them; whatever else stays as it is.

    Nothing that calibration inputs do not look like: what is shifted, cut or blended takes room in sparse weights that real inputs need
    (docs/accuracy-experiments.md, "How inputs are varied").
    """
    images = values.is_floating_point() and values.dim() == 5 and values.shape[2] == COLOURS
    return mirrored(values.flatten(0, 1), random).unflatten(0, values.shape[:2]) if images else values
