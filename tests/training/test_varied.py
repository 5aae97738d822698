"""Variations of inputs: of the right kind, within their bounds, decided by the seed."""

import pytest
import torch

from spcompile.training.varied import blended, cut, mirrored, shifted, varied


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(count: int = 64, height: int = 16, width: int = 24) -> torch.Tensor:
    """Images whose pixels tell their column."""
    return torch.arange(width, dtype=torch.float32).expand(count, 3, height, width).clone()


def test_half_are_mirrored():
    images = ramp()
    found = mirrored(images, seeded())
    flipped = (found == images.flip(-1)).flatten(1).all(1)
    assert ((found == images).flatten(1).all(1) ^ flipped).all() and 20 < flipped.sum() < 44


def test_shifts_are_whole_pixels_and_short():
    moved = shifted(ramp(), seeded())[:, 0, 8, 12] - 12
    assert moved.unique().tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_cuts_stay_inside_the_image():
    found = cut(ramp(200), seeded(), least=0.5)
    steps = found[:, 0, 8, 1:] - found[:, 0, 8, :-1]
    assert found.min() >= 0 and found.max() <= 23
    middle = steps[:, 8:16].mean(1)
    assert 0.49 < middle.min() < 0.6 and 0.9 < middle.max() < 1.01, "pixels come from a part of half to all of the width"


def test_a_cut_of_everything_is_the_image():
    torch.testing.assert_close(cut(ramp(), seeded(), least=1.0), ramp(), rtol=1e-4, atol=1e-4)


def test_a_blend_lies_between_two_of_the_batch():
    values = torch.randn(16, 1, 7, generator=seeded(5))
    found = blended(values, seeded())
    assert not torch.equal(found, values)
    assert found.max() <= values.max() and found.min() >= values.min()
    torch.testing.assert_close(blended(torch.ones(4, 1, 2), seeded()), torch.ones(4, 1, 2))


@pytest.mark.parametrize("values", [torch.randint(0, 9, (8, 1, 5)), torch.randint(0, 2, (8, 1, 3, 6, 6))], ids=["words", "whole pixels"])
def test_whole_numbers_stay_as_they_are(values):
    assert varied(values, seeded(), 1.0, 0.5) is values


def test_what_is_no_colour_image_is_only_blended():
    spectrogram = torch.randn(8, 1, 1, 49, 10)
    assert varied(spectrogram, seeded(), 0.0, 0.5) is spectrogram
    assert not torch.equal(varied(spectrogram, seeded(), 1.0, 0.5), spectrogram)


@pytest.mark.parametrize("size", [32, 96])
def test_images_are_varied_by_the_seed(size):
    images = torch.randn(8, 1, 3, size, size, generator=seeded(5))
    one, again, other = (varied(images, seeded(seed), 0.5, 0.6) for seed in (1, 1, 2))
    assert one.shape == images.shape and torch.equal(one, again) and not torch.equal(one, other)
