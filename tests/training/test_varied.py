"""Variations of inputs: of the right kind, within their bounds, decided by the seed."""

import pytest
import torch

from spcompile.training.varied import mirrored, shifted, varied


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp() -> torch.Tensor:
    """Images whose pixels tell their column."""
    return torch.arange(24.0).expand(64, 3, 16, 24).clone()


def test_half_are_mirrored():
    images = ramp()
    found = mirrored(images, seeded())
    flipped = (found == images.flip(-1)).flatten(1).all(1)
    assert ((found == images).flatten(1).all(1) ^ flipped).all() and 20 < flipped.sum() < 44


def test_shifts_are_whole_pixels_and_short():
    moved = shifted(ramp(), seeded())[:, 0, 8, 12] - 12
    assert moved.unique().tolist() == [-3, -2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize(
    "values",
    [torch.randint(0, 9, (8, 1, 5)), torch.randint(0, 2, (8, 1, 3, 6, 6)), torch.randn(8, 1, 1, 49, 10), torch.randn(8, 1, 16)],
    ids=["words", "whole pixels", "spectrogram", "numbers"],
)
def test_what_is_no_colour_image_stays_as_it_is(values):
    assert varied(values, seeded()) is values


def test_images_are_varied_by_the_seed():
    images = torch.randn(8, 1, 3, 32, 32, generator=seeded(5))
    one, again, other = (varied(images, seeded(seed)) for seed in (1, 1, 2))
    assert one.shape == images.shape and torch.equal(one, again) and not torch.equal(one, other)
