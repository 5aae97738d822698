"""What the pruned network is compared with."""

import pytest
import torch

from spcompile.ir.layers import find_layers
from spcompile.pruning.network import Network
from spcompile.training.teacher import Teacher
from tests.pruning.samples import images, network


def teacher(share: float) -> Teacher:
    return Teacher(network(), torch.float32, find_layers(network()), share)


@pytest.mark.parametrize(("share", "hinted"), [(0.0, ()), (0.2, ("q0",)), (0.5, ("q0", "p")), (1.0, ("q0", "p", "d0", "a0"))])
def test_hints_are_taken_from_the_end_as_far_as_they_are_cheap(share, hinted):
    assert teacher(share).hinted == hinted


def test_errors_are_relative_to_how_samples_differ():
    made = teacher(1.0)
    feeds = Network(network()).samples({"image": images(16)})
    wanted = made.see(feeds)
    assert made.output_error(wanted, wanted) == made.hint_error(wanted, wanted) == 0
    means = {name: value.mean(0, keepdim=True).expand_as(value) for name, value in wanted.items()}
    assert float(made.output_error(means, wanted)) == pytest.approx(1) and float(made.hint_error(means, wanted)) == pytest.approx(1)


def test_without_hints_their_error_is_nothing():
    made = teacher(0.0)
    wanted = made.see(Network(network()).samples({"image": images(4)}))
    assert made.hint_error(wanted, wanted) == 0 and wanted.keys() == {"scores"}
