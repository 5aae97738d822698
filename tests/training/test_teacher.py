"""What the pruned network is compared with."""

import pytest
import torch

from spcompile.pruning.network import Network
from spcompile.training.teacher import Teacher, are_probabilities
from tests.pruning.samples import images, network


def teacher(most_hints: int, scale: float = 1.0) -> Teacher:
    """scale: of the scores, which makes them confident or not."""
    made = Teacher(network(), torch.float32, most_hints, 2.0)
    made.network.constants.update({name: made.network.constants[name] * scale for name in ("w4", "b4")})
    return made


def feeds(count: int = 16):
    return Network(network()).samples({"image": images(count)})


@pytest.mark.parametrize("most_hints", [0, 3])
def test_what_is_equal_has_no_error(most_hints):
    made = teacher(most_hints)
    wanted = made.see(feeds())
    assert made.output_error(wanted, wanted) == made.loss(wanted, wanted, 1.0) == 0
    assert wanted.keys() == {"scores", *made.hinted}


def test_errors_are_relative_to_how_samples_differ():
    made = teacher(3, scale=1e-3)
    wanted = made.see(feeds())
    means = {name: value.mean(0, keepdim=True).expand_as(value) for name, value in wanted.items()}
    assert made.measure == "relative squared error" and not made.classes
    assert float(made.output_error(means, wanted)) == pytest.approx(1)
    assert float(made.loss(means, wanted, 0.5)) == pytest.approx(1.5)


def test_class_scores_are_known_by_their_confidence_and_diverge_as_kullback_and_leibler_say():
    made = teacher(0, scale=10.0)
    wanted = made.see(feeds())
    got = {"scores": wanted["scores"] + torch.tensor([0.0, 1.0, 0.0, -1.0, 2.0])}
    assert made.classes == {"scores"} and made.measure == "relative squared error plus divergence of class probabilities"
    logs = [value["scores"].log_softmax(-1) for value in (got, wanted)]
    divergence = torch.nn.functional.kl_div(*logs, log_target=True, reduction="none").sum(-1).mean()
    relative = (got["scores"] - wanted["scores"]).square().mean() / made.spreads["scores"]
    torch.testing.assert_close(made.output_error(got, wanted), divergence + relative)


def test_what_scores_have_in_common_counts_as_well():
    made = teacher(0, scale=10.0)
    wanted = made.see(feeds())
    assert made.output_error({"scores": wanted["scores"] + 1}, wanted) > 1e-4


def test_probabilities_are_taken_as_such():
    scores = torch.randn(8, 1, 12)
    made = teacher(0)
    made.spreads["scores"], made.classes, made.probable = 1.0, {"scores"}, {"scores"}
    other = scores + torch.randn(8, 1, 12)
    got, wanted = ({"scores": value.softmax(-1)} for value in (other, scores))
    as_scores = torch.nn.functional.kl_div(other.log_softmax(-1), scores.log_softmax(-1), log_target=True, reduction="none").sum(-1).mean()
    torch.testing.assert_close(made.output_error(got, wanted), as_scores + (got["scores"] - wanted["scores"]).square().mean())


@pytest.mark.parametrize(
    ("values", "are"),
    [
        (torch.randn(4, 1, 6).softmax(-1), True),
        (torch.randn(4, 1, 6).softmax(-1).bfloat16(), True),
        (torch.randn(4, 1, 6), False),
        (torch.ones(4, 1, 6), False),
        (torch.ones(4, 1, 1, dtype=torch.int64), False),
    ],
)
def test_are_probabilities(values, are):
    assert are_probabilities(values) is are
