"""Few inputs stand for many: mirrored, cut, shifted and blended."""

import torch
import torch.nn.functional as F

COLOURS = 3  # in-channels by which images are known
SMALL = 64  # pixels: smaller images are shifted by whole pixels, larger ones cut and scaled


def mirrored(images: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """images [N, channels, height, width]: about half of them left to right."""
    chosen = torch.rand(len(images), generator=random) < 0.5
    return torch.where(chosen.reshape(-1, 1, 1, 1), images.flip(-1), images)


def shifted(images: torch.Tensor, random: torch.Generator, most: float = 1 / 8) -> torch.Tensor:
    """Each moved by up to `most` of its size; what comes into sight is mirrored from the border."""
    height, width = images.shape[2:]
    up, left = int(most * height), int(most * width)
    wide = F.pad(images, (left, left, up, up), mode="reflect")
    places = zip(*(torch.randint(2 * room + 1, (len(images),), generator=random).tolist() for room in (up, left)), strict=True)
    return torch.stack([image[:, y : y + height, x : x + width] for image, (y, x) in zip(wide, places, strict=True)])


def cut(images: torch.Tensor, random: torch.Generator, least: float) -> torch.Tensor:
    """A part of each, at least `least` of its width and height, scaled to the full size."""
    scale = least + (1 - least) * torch.rand((len(images), 2), generator=random)
    centre = (1 - scale) * (2 * torch.rand((len(images), 2), generator=random) - 1)
    grids = torch.zeros(len(images), 2, 3)
    grids[:, 0, 0], grids[:, 1, 1], grids[:, :, 2] = scale[:, 0], scale[:, 1], centre
    return F.grid_sample(images, F.affine_grid(grids, images.shape, align_corners=False), padding_mode="reflection", align_corners=False)


def blended(values: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Each mixed with another of the batch (mixup, Zhang et al. 2018, arXiv:1710.09412, without labels)."""
    part = torch.rand((len(values), *[1] * (values.dim() - 1)), generator=random)
    return part * values + (1 - part) * values[torch.randperm(len(values), generator=random)]


def varied(values: torch.Tensor, random: torch.Generator, blend: float, least_cut: float) -> torch.Tensor:
    """values [S, *shape] of one input, as they are fed; whole numbers (words, say) stay as they are."""
    if not values.is_floating_point():
        return values
    if values.dim() == 5 and values.shape[2] == COLOURS:
        images = mirrored(values.flatten(0, 1), random)
        images = shifted(images, random) if max(images.shape[2:]) <= SMALL else cut(images, random, least_cut)
        values = images.unflatten(0, values.shape[:2])
    return blended(values, random) if torch.rand((), generator=random) < blend else values
