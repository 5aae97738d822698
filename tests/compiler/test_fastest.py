"""The fastest plan within an accuracy loss, with recovery and without; what pruning and training do to accuracy is made up."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from spcompile.compiler.planning import fastest
from tests.compiler.test_trust import PROBLEM

HARMLESS, PER_ERROR = 0.9, 0.02  # accuracy of the dense network, and what a unit of predicted error costs


@dataclass(frozen=True)
class MadeUp:
    """Recovery gives back this share of what pruning lost."""

    recover_s: float | None
    share: float = 0.0

    def pruned(self, plan):
        return SimpleNamespace(model=HARMLESS - PER_ERROR * plan.error)

    def recovered(self, plan):
        return SimpleNamespace(model=HARMLESS - PER_ERROR * (1 - self.share) * plan.error)


def found(sparsifier: MadeUp):
    return fastest(PROBLEM, sparsifier, lambda accuracy: accuracy, HARMLESS, 0.01)


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.5, 0.9])
def test_recovery_never_costs_speed_when_it_keeps_what_pruning_left(share):
    """What makes things worse is worse than the plan found without; that one is kept then."""
    assert found(MadeUp(1.0, share)).latency.expected_s <= found(MadeUp(None)).latency.expected_s


def test_recovery_that_gives_much_back_buys_speed():
    assert found(MadeUp(1.0, 0.9)).latency.expected_s < 0.95 * found(MadeUp(None)).latency.expected_s


def test_the_accuracy_is_kept():
    assert PER_ERROR * found(MadeUp(None)).error <= 0.01 + 1e-9
    assert PER_ERROR * 0.5 * found(MadeUp(1.0, 0.5)).error <= 0.01 + 1e-9
