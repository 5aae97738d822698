"""The short number type is taken where it is fast and does no harm."""

import pytest
import torch

from spcompile.pruning.network import Network
from spcompile.training import precision
from tests.pruning.samples import images, network


@pytest.mark.parametrize(
    ("speed", "harmless", "chosen"), [(2.0, 1.0, torch.bfloat16), (1.1, 1.0, torch.float32), (0.2, 1.0, torch.float32), (2.0, 1e-9, torch.float32)]
)
def test_choice(monkeypatch, speed, harmless, chosen):
    monkeypatch.setattr(precision, "_convolution_s", lambda dtype: 1.0 if dtype == torch.float32 else 1 / speed)
    monkeypatch.setattr(precision, "HARMLESS", harmless)
    exact = Network(network())
    assert precision.training_type(exact, network(), exact.samples({"image": images(8)})) is chosen


def test_times_are_times():
    assert 0 < precision._convolution_s(torch.float32) < 1
